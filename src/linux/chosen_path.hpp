// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/unique_fd.hpp"

namespace sctr::sys {

/// What a path of the caller's leads to (O_PATH), for what is then done to it with the caller's
/// rights. Symbolic links on the way are followed if they are root's or the caller's own: another
/// user, in whose directory one lies, could lead it to any file of the host, and swap it at any
/// time. `what` is the message of the Error that is thrown when there is nothing, or such a link.
UniqueFd open_chosen(const std::string& path, const char* what);

/// Whether it is one of the directories that a host cannot do without, by whatever name.
bool is_hosts_own(int directory);

} // namespace sctr::sys
