// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "container/preserved_fds.hpp"
#include "oci/spec.hpp"

namespace sctr::cli::engine {

/// The fds that the command inherits: as many as --preserve-fds says, after the sockets that
/// systemd has passed to this process (sd_listen_fds(3)). Throws Error.
container::PreservedFds take_preserved_fds(const std::optional<std::string>& flag);

/// Tells the container's process of those sockets as its own.
void announce_listen_fds(oci::Process& process);

} // namespace sctr::cli::engine
