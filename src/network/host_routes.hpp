// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>
#include <vector>

#include "network/address.hpp"

namespace sctr::network {

/// The subnets that the routes of /proc/net/route (IPv4) lead to; the default route is none.
std::vector<Subnet> parse_routes(std::string_view text);

/// The same of /proc/net/ipv6_route.
std::vector<Subnet> parse_routes6(std::string_view text);

/// What this host's routes lead to.
std::vector<Subnet> host_subnets();

/// The first subnet of the pool that meets none of `taken`: of IPv4 a /24 of 10.210.0.0/15, of IPv6
/// a /64 of fd53:6374:7200::/48 (RFC 4193). Throws Error when there is none.
Subnet free_subnet(const std::vector<Subnet>& taken, bool is_v6);

} // namespace sctr::network
