// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sctr::plan {

/// An address range of IPAddressAllow= and IPAddressDeny= (D-Bus iayu).
struct AddressPrefix {
    std::int32_t family = 0; ///< AF_INET, AF_INET6
    std::vector<std::uint8_t> address;
    std::uint32_t prefix_length = 0;

    bool operator==(const AddressPrefix&) const = default;
};

/// A rule of SocketBindAllow= and SocketBindDeny= (D-Bus iiqq).
struct SocketBindRule {
    std::int32_t family = 0;      ///< AF_INET, AF_INET6, AF_UNSPEC for any
    std::int32_t protocol = 0;    ///< IPPROTO_TCP, IPPROTO_UDP, 0 for any
    std::uint16_t port_count = 0; ///< 0 for every port
    std::uint16_t first_port = 0;

    bool operator==(const SocketBindRule&) const = default;
};

/// Interfaces of RestrictNetworkInterfaces= (D-Bus bas).
struct InterfaceList {
    bool is_allow_list = true;
    std::vector<std::string> names;

    bool operator==(const InterfaceList&) const = default;
};

using StringPairs = std::vector<std::pair<std::string, std::string>>;
using DeviceLimits = std::vector<std::pair<std::string, std::uint64_t>>;

/// A value of a unit property, one alternative for each D-Bus signature that systemd takes.
using PropertyValue = std::variant<bool,                        // b
                                   std::int32_t,                // i
                                   std::uint32_t,               // u
                                   std::uint64_t,               // t
                                   std::string,                 // s
                                   std::vector<std::string>,    // as
                                   std::vector<std::uint8_t>,   // ay
                                   StringPairs,                 // a(ss)
                                   DeviceLimits,                // a(st)
                                   std::vector<AddressPrefix>,  // a(iayu)
                                   std::vector<SocketBindRule>, // a(iiqq)
                                   InterfaceList>;              // (bas)

/// One property of org.freedesktop.systemd1's StartTransientUnit, by its D-Bus name.
struct UnitProperty {
    std::string name;
    PropertyValue value;

    bool operator==(const UnitProperty&) const = default;
};

/// The transient scope of a container: its name (empty: it gets none) and every property, in
/// sending order.
///
/// What only the moment of the launch knows (PIDFDs, Controller) is added when it is sent.
struct UnitPlan {
    std::string name;
    std::vector<UnitProperty> properties;

    bool operator==(const UnitPlan&) const = default;
};

/// The scope of a people's container.
inline std::string scope_name(const std::string& id) {
    return "sctr-" + id + ".scope";
}

} // namespace sctr::plan
