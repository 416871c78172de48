// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/network_create.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/values.hpp"

namespace sctr::cli {

namespace {

using network::Definition;

network::Subnet parse_subnet(const std::string& text) {
    const auto subnet = network::Subnet::parse(text);
    const bool is_whole = subnet && subnet->length > 0 && subnet->length < subnet->base.bits() &&
                          network::Address::parse(text.substr(0, text.find('/'))) == subnet->base;
    if (!is_whole) {
        throw bad_value("--subnet",
                        text,
                        subnet && subnet->length > 0 ? "the subnet begins at " + subnet->text()
                                                     : std::string(),
                        "10.5.0.0/24 or fd00:5::/64");
    }
    return *subnet;
}

void add_subnets(Definition& definition, const NetworkCreateFlags& flags) {
    for (const std::string& text : flags.subnets) {
        const network::Subnet subnet = parse_subnet(text);
        for (const network::SubnetPlan& other : definition.subnets) {
            if (other.subnet.overlaps(subnet)) {
                throw bad_value("--subnet", text, "meets another one", "subnets that do not");
            }
        }
        definition.subnets.push_back({.subnet = subnet});
    }
    const auto has = [&](bool is_v6) {
        return std::ranges::any_of(definition.subnets, [is_v6](const network::SubnetPlan& each) {
            return each.subnet.base.is_v6() == is_v6;
        });
    };
    if (definition.subnets.empty()) {
        definition.subnets.emplace_back();
    }
    if (flags.ipv6 && !has(true)) {
        network::SubnetPlan free;
        free.subnet.base = *network::Address::parse("::");
        definition.subnets.push_back(free);
    }
    for (const std::string& text : flags.gateways) {
        const auto address = network::Address::parse(text);
        const auto found =
            std::ranges::find_if(definition.subnets, [&](const network::SubnetPlan& each) {
                return address && each.subnet.length > 0 && each.subnet.contains(*address) &&
                       *address != each.subnet.base;
            });
        if (found == definition.subnets.end()) {
            throw bad_value("--gateway", text, "", "an address in one of the --subnet");
        }
        found->gateway = address;
    }
}

/// FIRST-LAST, or a part of the subnet as a subnet.
void add_range(Definition& definition, const std::string& text) {
    const auto [from, to] = split_once(text, '-');
    const auto part = to ? std::nullopt : network::Subnet::parse(text);
    const auto first = part ? part->base : network::Address::parse(from);
    const auto last =
        part ? part->base.plus(part->last_offset()) : network::Address::parse(to.value_or(""));
    const auto found =
        std::ranges::find_if(definition.subnets, [&](const network::SubnetPlan& each) {
            return first && last && each.subnet.length > 0 && each.subnet.contains(*first) &&
                   each.subnet.contains(*last) && *first <= *last;
        });
    if (found == definition.subnets.end()) {
        throw bad_value("--ip-range",
                        text,
                        "it is in none of the --subnet",
                        "10.5.0.128/25 or 10.5.0.100-10.5.0.200");
    }
    found->range = {.first = *first, .last = *last};
}

/// Of macvlan(4): who of one parent's devices reaches whom. Source: ip-link(8).
std::string check_mode(const std::string& mode) {
    constexpr std::array<std::string_view, 7> known = {
        "bridge", "private", "vepa", "passthru", "l2", "l3", "l3s"};
    if (!std::ranges::contains(known, mode)) {
        throw bad_value("--opt",
                        "mode=" + mode,
                        "",
                        "of macvlan bridge, private, vepa or passthru; of ipvlan l2, l3 or l3s");
    }
    return mode;
}

/// What docker and podman call options, as the flags that sctr has for it.
void read_option(NetworkCreateFlags& flags, const std::string& text) {
    const auto [key, value] = split_once(text, '=');
    if ((key == "mtu" || key == "com.docker.network.driver.mtu") && value) {
        flags.mtu = value;
    } else if (key == "parent" && value) {
        flags.parent = value;
    } else if (key == "mode" && value) {
        flags.mode = check_mode(*value);
    } else if (key == "com.docker.network.bridge.name" && value) {
        flags.interface_name = value;
    } else if (key == "isolate" && (value == "true" || value == "false")) {
        flags.isolate = value == "true";
    } else if (key == "isolate" && value == "strict") {
        flags.strict = true;
    } else {
        throw bad_value("--opt",
                        text,
                        "",
                        "mtu=BYTES, parent=DEVICE, mode=MODE, isolate=true|strict or "
                        "com.docker.network.bridge.name=NAME");
    }
}

void set_driver(Definition& definition, const NetworkCreateFlags& flags) {
    definition.driver = flags.driver.value_or("bridge");
    constexpr std::array<std::string_view, 3> known = {"bridge", "macvlan", "ipvlan"};
    if (!std::ranges::contains(known, definition.driver)) {
        throw bad_value("--driver", definition.driver, "", "bridge, macvlan or ipvlan");
    }
    if (definition.driver == "bridge") {
        if (flags.parent || flags.mode) {
            throw Error("a bridge has no parent and no mode")
                .at(flags.parent ? "--parent" : "--opt mode")
                .mend("add --driver macvlan");
        }
        definition.interface = flags.interface_name.value_or("");
        return;
    }
    if (!flags.parent || flags.subnets.empty()) {
        throw Error("the device of the host, and the subnet that it is in, are missing")
            .at("--driver " + definition.driver)
            .mend("add --parent eth0 --subnet 192.168.1.0/24");
    }
    if (flags.interface_name) {
        throw Error("only a bridge is a device of its own").at("--interface-name");
    }
    definition.interface = *flags.parent;
    definition.mode = flags.mode.value_or("");
    definition.dns = false;
}

} // namespace

void add_network_create_flags(CLI::App& app, NetworkCreateFlags& flags) {
    add_texts(app, "--subnet", flags.subnets, "of create: 10.5.0.0/24 (default: one that is free)");
    add_texts(app, "--gateway", flags.gateways, "of create: the host's address there (the first)");
    add_texts(app,
              "--ip-range",
              flags.ranges,
              "of create: a part of the subnet, or FIRST-LAST, to choose addresses from");
    add_switch(app, "--ipv6", flags.ipv6, "of create: a subnet of IPv6, too");
    add_switch(app, "--internal", flags.internal, "of create: no way out of it");
    add_switch(app, "--isolate", flags.isolate, "of create: closed to others that are isolated");
    add_switch(app, "--isolate-strict", flags.strict, "of create: closed to all other networks");
    add_text(app, "--mtu", flags.mtu, "of create: largest packet in bytes");
    add_texts(app, "--label", flags.labels, "of create: KEY=VALUE");
    add_texts(app, "--dns", flags.servers, "of create: server to ask for all other names");
    add_switch(app, "--disable-dns", flags.no_dns, "of create: no names");
    add_text(app, "--driver", flags.driver, "of create: bridge (default), macvlan or ipvlan");
    add_text(app, "--parent", flags.parent, "of create: the host's device, for macvlan and ipvlan");
    add_text(app, "--interface-name", flags.interface_name, "of create: the bridge's name");
    add_texts(app,
              "-o,--opt",
              flags.options,
              "of create: mtu=, parent=, mode= or isolate=, as docker and podman have them");
}

Definition make_network(NetworkCreateFlags flags, const std::string& name) {
    Definition definition{.name = name};
    for (const std::string& option : std::vector<std::string>(flags.options)) {
        read_option(flags, option);
    }
    set_driver(definition, flags);
    add_subnets(definition, flags);
    for (const std::string& range : flags.ranges) {
        add_range(definition, range);
    }
    for (const std::string& server : flags.servers) {
        if (!network::Address::parse(server)) {
            throw bad_value("--dns", server, "", "the address of a server");
        }
    }
    definition.servers = flags.servers;
    definition.internal = flags.internal;
    definition.dns = definition.dns && !flags.no_dns;
    definition.isolation = flags.strict    ? network::Isolation::strict
                           : flags.isolate ? network::Isolation::others
                                           : network::Isolation::none;
    if (flags.mtu) {
        constexpr std::int64_t least = 68; // RFC 791
        constexpr std::int64_t most = 65535;
        definition.mtu = static_cast<unsigned>(parse_in_range("--mtu", *flags.mtu, least, most));
    }
    for (const std::string& label : flags.labels) {
        const auto [key, value] = split_once(label, '=');
        if (key.empty()) {
            throw bad_value("--label", label, "", "KEY=VALUE");
        }
        definition.labels[key] = value.value_or("");
    }
    return definition;
}

} // namespace sctr::cli
