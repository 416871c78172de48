// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "network/state.hpp"

namespace sctr::network {

/// A container's part in one more network: its addresses there are taken, and what it has not asked
/// for is chosen. `attachment` is what it has already. Throws Error; nothing is taken then. The
/// caller has the lock.
Attached
attach(const Definition& network, const plan::NetworkUse& use, const Attachment& attachment);

/// The name of the container's interface: the one that is asked for, or the next of eth0, eth1...
/// Pure. Throws Error when it is taken.
std::string interface_name(const plan::NetworkUse& use, const Attachment& attachment);

/// A hardware address that is the container's own in this network, and the same after a reload.
/// Pure.
std::string made_up_mac(const std::string& container_id, const std::string& network_id);

} // namespace sctr::network
