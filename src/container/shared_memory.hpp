// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include "base/unique_fd.hpp"

namespace sctr::container {

/// A clone of the tmpfs at the /dev/shm of another container, whose first process is `pid`; not
/// attached anywhere. Only a whole tmpfs at that very place is taken: the other container's tree
/// is not trusted. Throws Error.
UniqueFd clone_shared_memory(pid_t pid);

} // namespace sctr::container
