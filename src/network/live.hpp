// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "network/state.hpp"

/// Changes of networks that containers are on while they run.
namespace sctr::network {

/// Connects a container that runs to one more network. Throws Error; nothing is changed then.
void connect(const std::string& container, const plan::NetworkUse& use);

/// Takes a container off a network. Throws Error when it is not on it.
void disconnect(const std::string& container, const std::string& network);

/// Makes interfaces, addresses and rules of a container anew, as they were: after somebody has
/// flushed the firewall. Throws Error.
void reload(const std::string& container);

/// The containers on a network that run.
std::vector<Attachment> attachments_of(const std::string& network);

} // namespace sctr::network
