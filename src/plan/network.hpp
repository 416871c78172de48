// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sctr::plan {

/// A network that a container is attached to, and what it asks for there. Empty texts: whatever is
/// free, or none.
struct NetworkUse {
    std::string name;
    std::string ip;
    std::string ip6;
    std::string mac;
    std::vector<std::string> aliases;
    std::string interface_name;

    bool operator==(const NetworkUse&) const = default;
};

/// Ports of the host that lead to ports of the container.
struct PublishedPort {
    std::string host_ip;         ///< empty: all of the host's addresses
    std::uint16_t host_port = 0; ///< the first one; 0: one that is free
    std::uint16_t container_port = 0;
    std::uint16_t range = 1;      ///< how many, counted upwards on both sides
    std::string protocol = "tcp"; ///< "tcp", "udp" or "sctp"

    bool operator==(const PublishedPort&) const = default;
};

/// A line of /etc/hosts.
struct HostEntry {
    std::string address; ///< "host-gateway": that of the host, as the container sees it
    std::string name;

    bool operator==(const HostEntry&) const = default;
};

/// The files below /etc by which a container finds others.
struct NameFiles {
    bool hosts = false;       ///< /etc/hosts is made
    bool resolv_conf = false; ///< /etc/resolv.conf is made
    bool hostname = false;    ///< /etc/hostname is made
    std::vector<HostEntry> entries;
    std::vector<std::string> servers; ///< empty: those of the networks, or the host's
    std::vector<std::string> search;  ///< empty: the host's; ".": none
    std::vector<std::string> options;

    bool operator==(const NameFiles&) const = default;
};

/// How a container with a network namespace of its own gets in touch with others.
struct ContainerNetwork {
    std::vector<NetworkUse> networks; ///< through netavark
    bool pasta = false;               ///< through pasta, for plain users
    std::vector<std::string> pasta_options;
    std::string zone;      ///< of systemd-networkd
    bool is_hosts = false; ///< it has the host's network, and so the host's names
    std::vector<PublishedPort> ports;
    NameFiles files;

    /// False where nothing is to be done beside the namespace.
    [[nodiscard]] bool is_attached() const { return !networks.empty() || pasta || !zone.empty(); }
};

} // namespace sctr::plan
