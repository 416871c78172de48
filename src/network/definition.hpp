// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "network/address.hpp"

namespace sctr::network {

/// The network of containers that name none.
inline constexpr const char* default_network = "sctr";

struct AddressRange {
    Address first;
    Address last;

    bool operator==(const AddressRange&) const = default;
};

struct SubnetPlan {
    Subnet subnet;
    std::optional<Address> gateway; ///< the host's own address there; none of an internal network
    std::optional<AddressRange> range; ///< that addresses are chosen from; none: all of it

    bool operator==(const SubnetPlan&) const = default;
};

enum class Isolation {
    none,   ///< packets go between this network and others
    others, ///< none to and from other networks that are isolated
    strict, ///< none to and from any other network
};

/// A network as it is stored.
struct Definition {
    std::string name;
    std::string id;                ///< 64 hexadecimal digits
    std::string driver = "bridge"; ///< or "macvlan", "ipvlan"
    std::string mode;              ///< of those two; empty: the kernel's first
    std::string interface;         ///< the bridge, or the host's device that is shared
    std::vector<SubnetPlan> subnets;
    bool internal = false; ///< without a way out
    Isolation isolation = Isolation::none;
    unsigned mtu = 0;                 ///< 0: the kernel's
    bool dns = true;                  ///< containers find each other by name
    std::vector<std::string> servers; ///< to ask for all other names; none: the host's
    std::map<std::string, std::string> labels;
    std::int64_t created_usec = 0; ///< CLOCK_REALTIME

    [[nodiscard]] bool has_v6() const;
    bool operator==(const Definition&) const = default;
};

std::string to_json(const Definition& definition);
/// Throws Error when the text is no definition, or of a newer sctr.
Definition definition_from_json(const std::string& text);

/// Throws Error when the name cannot be that of a network: it becomes the name of a file, and must
/// not be a word that --network has a meaning for.
void check_network_name(const std::string& name);

/// True for a name that DNS and /etc/hosts can have: RFC 1123, and '_', which people use.
bool is_host_name(const std::string& name);

} // namespace sctr::network
