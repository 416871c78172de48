// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "plan/init_plan.hpp"

namespace sctr::init {

/// Takes the credentials and limits of `process` and executes its command. What needs privilege
/// comes first, what takes it away last. `proc` is the host's /proc.
/// With `start_socket` everything is done but the very last, which waits for `start` on it.
[[noreturn]] void
become(const plan::ProcessStep& process, int proc, int start_socket = -1) noexcept;

} // namespace sctr::init
