// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "plan/network.hpp"

namespace sctr::network {

/// Ports of the host that nobody else can take as long as this lives. The firewall passes what
/// comes for them on before it reaches the sockets, which only hold the place.
class ReservedPorts {
  public:
    /// Takes each port of `ports`, and fills in free numbers for those that are 0. Throws Error
    /// that names the flag and the port that is in use; nothing is taken then. `others` are those
    /// of other containers: a kernel without sctp has no sockets of it to tell.
    explicit ReservedPorts(std::vector<plan::PublishedPort>& ports,
                           const std::vector<plan::PublishedPort>& others = {});
    ReservedPorts() = default;

    void release() { sockets_.clear(); }

  private:
    std::vector<UniqueFd> sockets_;
};

/// "127.0.0.1:8080:80/tcp", as --publish takes it.
std::string to_string(const plan::PublishedPort& port);

} // namespace sctr::network
