// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "oci/spec.hpp"

namespace sctr::cli::engine {

/// The value of --preserve-fds. Throws Error.
int preserved_fds(const std::optional<std::string>& flag);

/// How many sockets systemd has passed to this process (sd_listen_fds(3)); the container's process
/// is told of them as its own, and the environment of this one forgets them.
int pass_listen_fds(std::optional<oci::Process>& process);

} // namespace sctr::cli::engine
