// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "container/definition.hpp"
#include "plan/network.hpp"

/// sctr network connect and disconnect: of a container that runs at once, of one that is stored for
/// its later starts as well.
namespace sctr::cli {

/// The networks that a stored container is started on. Throws Error where it can be on none: it has
/// the host's or another one's. Pure.
std::vector<plan::NetworkUse> networks_of(const container::Definition& definition);

/// The same container on these networks. Pure.
container::Definition on_networks(container::Definition definition,
                                  const std::vector<plan::NetworkUse>& networks);

/// Throws Error; nothing is changed then.
void connect_container(const std::string& container, const plan::NetworkUse& use);
void disconnect_container(const std::string& container, const std::string& network);

} // namespace sctr::cli
