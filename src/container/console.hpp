// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "container/engine.hpp"
#include "container/init_process.hpp"

namespace sctr::container {

/// Gives the terminal's master and the pidfd to the sockets that the caller named for them. Throws
/// Error.
void hand_over(InitProcess& process, const HandOver& sockets);

} // namespace sctr::container
