// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace sctr::sys {

/// A socket of SOCK_SEQPACKET that listens at `directory`/`name`. However long the directory's path
/// is: it is named through an fd, since the address of a socket holds 107 bytes. Throws Error.
UniqueFd listen_in(const std::string& directory, const std::string& name);

/// A connection to such a socket. Throws Error.
UniqueFd connect_in(const std::string& directory, const std::string& name);

/// Connects to the SOCK_STREAM socket at `path`, and sends `text` (not empty) with `fd` over it as
/// SCM_RIGHTS; unix(7). Throws Error with `what`.
void send_fd_to(const std::string& path, int fd, std::string_view text, const char* what);

} // namespace sctr::sys
