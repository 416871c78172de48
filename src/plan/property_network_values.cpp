// SPDX-License-Identifier: LGPL-2.1-or-later
#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "base/strings.hpp"
#include "plan/property_list.hpp"
#include "plan/property_values.hpp"

/// The notations of values that speak of networks.
namespace sctr::plan::property_values {

namespace {

using Bytes = std::vector<std::uint8_t>;

/// The bits after the prefix are cleared, as systemd's parser does.
void mask(Bytes& address, std::uint32_t prefix_length) {
    for (std::size_t index = 0; index < address.size(); ++index) {
        const auto before = static_cast<std::uint32_t>(index * 8);
        const std::uint32_t kept =
            prefix_length > before ? std::min(prefix_length - before, 8U) : 0;
        address[index] &= static_cast<std::uint8_t>(0xff00U >> kept);
    }
}

std::optional<AddressPrefix> parse_prefix(const std::string& text) {
    const auto [address, length_text] = split_once(text, '/');
    const int family = address.contains(':') ? AF_INET6 : AF_INET;
    AddressPrefix prefix{
        .family = family, .address = Bytes(family == AF_INET6 ? 16 : 4), .prefix_length = 0};
    if (::inet_pton(family, address.c_str(), prefix.address.data()) != 1) {
        return std::nullopt;
    }
    const std::uint64_t longest = prefix.address.size() * 8;
    const auto length = length_text ? parse_uint(*length_text) : std::optional(longest);
    if (!length || *length > longest) {
        return std::nullopt;
    }
    prefix.prefix_length = static_cast<std::uint32_t>(*length);
    mask(prefix.address, prefix.prefix_length);
    return prefix;
}

struct NamedAddresses {
    std::string_view name;
    std::string_view addresses;
};

/// systemd.resource-control(5), IPAddressAllow=, Special address/network names.
constexpr std::array named_addresses{
    NamedAddresses{"any", "0.0.0.0/0 ::/0"},
    NamedAddresses{"localhost", "127.0.0.0/8 ::1/128"},
    NamedAddresses{"link-local", "169.254.0.0/16 fe80::/64"},
    NamedAddresses{"multicast", "224.0.0.0/4 ff00::/8"},
};

std::string_view expand(std::string_view word) {
    const auto* found = std::ranges::find(named_addresses, word, &NamedAddresses::name);
    return found == named_addresses.end() ? word : found->addresses;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    const auto number = parse_uint(text);
    if (!number || *number == 0 || *number > std::numeric_limits<std::uint16_t>::max()) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(*number);
}

/// PORT, PORT-PORT, or "any".
bool parse_ports(std::string_view text, SocketBindRule& rule) {
    if (text == "any") {
        return true;
    }
    const auto [first_text, last_text] = split_once(text, '-');
    const auto first = parse_port(first_text);
    const auto last = last_text ? parse_port(*last_text) : first;
    if (!first || !last || *last < *first) {
        return false;
    }
    rule.first_port = *first;
    rule.port_count = static_cast<std::uint16_t>(*last - *first + 1);
    return true;
}

std::optional<SocketBindRule> parse_bind_rule(std::string_view text) {
    std::vector<std::string> parts = split(text, ':');
    SocketBindRule rule{.family = AF_UNSPEC};
    if (parts.front() == "ipv4" || parts.front() == "ipv6") {
        rule.family = parts.front() == "ipv4" ? AF_INET : AF_INET6;
        parts.erase(parts.begin());
    }
    if (!parts.empty() && (parts.front() == "tcp" || parts.front() == "udp")) {
        rule.protocol = parts.front() == "tcp" ? IPPROTO_TCP : IPPROTO_UDP;
        parts.erase(parts.begin());
    }
    if (parts.size() > 1 || (!parts.empty() && !parse_ports(parts.front(), rule))) {
        return std::nullopt;
    }
    return rule;
}

} // namespace

UnitProperty addresses(const KnownProperty& known, std::string_view value) {
    std::vector<AddressPrefix> prefixes;
    for (const std::string& word : words_of(value)) {
        for (const std::string& each : words_of(expand(word))) {
            const auto prefix = parse_prefix(each);
            if (!prefix) {
                throw bad_value(known,
                                value,
                                "addresses such as 10.0.0.0/8 or fd00::/8, or any, localhost, "
                                "link-local, multicast");
            }
            prefixes.push_back(*prefix);
        }
    }
    return {std::string(known.dbus_name), prefixes};
}

UnitProperty socket_bind(const KnownProperty& known, std::string_view value) {
    std::vector<SocketBindRule> rules;
    if (!value.empty()) {
        const auto rule = parse_bind_rule(value);
        if (!rule) {
            throw bad_value(known, value, "a rule such as 80, ipv4:tcp:8000-8010 or any");
        }
        rules.push_back(*rule);
    }
    return {std::string(known.dbus_name), rules};
}

UnitProperty interfaces(const KnownProperty& known, std::string_view value) {
    InterfaceList list{.is_allow_list = !value.starts_with('~')};
    list.names = words_of(list.is_allow_list ? value : value.substr(1));
    return {std::string(known.dbus_name), list};
}

} // namespace sctr::plan::property_values
