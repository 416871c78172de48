// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <csignal>

namespace sctr::storage {

/// Set by a signal that asks for an end: what reads an archive fails then.
inline volatile std::sig_atomic_t stop_requested = 0;

/// Whoever waits for us may end at any time: what was made is taken back then.
void stop_with_caller();

} // namespace sctr::storage
