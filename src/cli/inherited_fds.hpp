// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cli/run_flags.hpp"
#include "container/preserved_fds.hpp"

namespace sctr::cli {

/// The caller's file descriptors that --preserve-fds and --preserve-fd ask for; to be taken first
/// of all, see PreservedFds. Throws Error.
container::PreservedFds take_preserved_fds(const IdentityFlags& flags);

} // namespace sctr::cli
