// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

/// Zones of systemd-nspawn(1), --network-zone=: a bridge "vz-NAME", to which systemd-networkd gives
/// addresses, a DHCP server and a way out (80-container-vz.network). The container asks for its
/// address itself, on "host0".
namespace sctr::network {

/// Throws Error when no zone can have this name: it is that of a device, after "vz-".
void check_zone(const std::string& zone);

/// The host's end of a container's link, "vb-NAME"; what is longer than a device's name is cut and
/// told apart by a digest. Pure.
std::string zone_link(const std::string& container);

/// Throws Error when systemd-networkd does not run.
void require_networkd(const std::string& zone);

/// Links a container's network namespace with a zone's bridge, which is made when it is the first.
/// Throws Error.
void join_zone(const std::string& zone, const std::string& container, int network_namespace);

/// Removes a container's link, and the bridge when it was the last.
void leave_zone(const std::string& zone, const std::string& container);

} // namespace sctr::network
