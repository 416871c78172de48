// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/network_flags.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/values.hpp"
#include "network/address.hpp"
#include "network/definition.hpp"
#include "network/zone.hpp"

namespace sctr::cli {

namespace {

constexpr const char* publish_form =
    "[IP:]HOST:CONTAINER[/tcp|udp|sctp], as 8080:80, 127.0.0.1:8080:80 or 5000-5010:5000-5010/udp";
constexpr const char* network_form =
    "bridge, NAME[:ip=...,alias=...], none, host, container:NAME, ns:PATH, zone:NAME or pasta";

bool is_interface_name(const std::string& name) {
    constexpr std::size_t longest = 15; // IFNAMSIZ without its end
    return !name.empty() && name.size() <= longest && name != "." && name != ".." &&
           std::ranges::all_of(name, [](unsigned char letter) {
               return letter > ' ' && letter < 0x7f && letter != '/' && letter != ':';
           });
}

void set_option(plan::NetworkUse& use,
                const std::string& word,
                const std::string& key,
                const std::string& value) {
    if (key == "ip") {
        const auto address = network::Address::parse(value);
        if (!address) {
            throw bad_value("--network", word, "'" + value + "' is no address", "ip=10.0.0.5");
        }
        (address->is_v6() ? use.ip6 : use.ip) = address->text();
    } else if (key == "ip6") {
        const auto address = network::Address::parse(value);
        if (!address || !address->is_v6()) {
            throw bad_value("--network", word, "'" + value + "' is no IPv6 address", "ip6=fd00::5");
        }
        use.ip6 = address->text();
    } else if (key == "mac") {
        const auto mac = network::parse_mac(value);
        if (!mac) {
            throw bad_value(
                "--network", word, "'" + value + "' is no device's", "mac=02:00:00:00:00:01");
        }
        use.mac = *mac;
    } else if (key == "alias") {
        if (!network::is_host_name(value)) {
            throw bad_value("--network", word, "'" + value + "' is no host name", "alias=db");
        }
        use.aliases.push_back(value);
    } else if (key == "interface_name") {
        if (!is_interface_name(value)) {
            throw bad_value("--network",
                            word,
                            "'" + value + "' is no name of a device",
                            "interface_name=lan0, 15 letters at most");
        }
        use.interface_name = value;
    } else {
        throw bad_value("--network",
                        word,
                        "'" + key + "' is no option of a network",
                        "ip, ip6, mac, alias or interface_name");
    }
}

plan::NetworkUse
parse_use(const std::string& word, const std::string& name, const std::string& options) {
    plan::NetworkUse use{.name = name == "bridge" || name == "default" ? network::default_network
                                                                       : name};
    network::check_network_name(use.name);
    for (const std::string& option : split(options, ',')) {
        if (!option.empty()) {
            const auto [key, value] = split_once(option, '=');
            set_option(use, word, key, value.value_or(""));
        }
    }
    return use;
}

/// Words that say all there is to say.
bool is_alone(const std::string& name) {
    constexpr std::array<std::string_view, 7> alone = {
        "none", "private", "host", "container", "ns", "pasta", "zone"};
    return std::ranges::contains(alone, name) || name.starts_with('/');
}

void parse_alone(NetworkChoice& choice,
                 const std::string& word,
                 const std::string& name,
                 const std::optional<std::string>& rest) {
    if (name == "pasta") {
        choice.pasta = true;
        for (const std::string& option : split(rest.value_or(""), ',')) {
            if (!option.empty()) {
                choice.pasta_options.push_back(option);
            }
        }
    } else if (name == "zone") {
        network::check_zone(rest.value_or(""));
        choice.zone = *rest;
    } else if (name == "private") {
        choice.space = "none";
    } else {
        choice.space = word;
    }
}

Error refused_word(const std::string& word, const std::string& name) {
    if (name == "macvlan" || name == "ipvlan") {
        return Error("the device of the host is missing")
            .at("--network " + word)
            .mend("sctr network create --driver " + name +
                  " --parent eth0 --subnet 192.168.1.0/24 NAME, and then --network NAME");
    }
    return Error("sctr has no networks of this kind")
        .at("--network " + word)
        .mend("use --network pasta");
}

struct Range {
    std::uint16_t first = 0;
    std::uint16_t count = 1;
};

Range parse_range(const char* flag, const std::string& whole, const std::string& text) {
    constexpr std::uint64_t highest = 65535;
    const auto [first, last] = split_once(text, '-');
    const auto begin = parse_uint(first);
    const auto end = last ? parse_uint(*last) : begin;
    if (!begin || !end || *begin == 0 || *end > highest || *end < *begin) {
        throw bad_value(flag, whole, "'" + text + "' is no port from 1 to 65535", publish_form);
    }
    return {.first = static_cast<std::uint16_t>(*begin),
            .count = static_cast<std::uint16_t>(*end - *begin + 1)};
}

std::string parse_protocol(const char* flag, const std::string& whole, const std::string& word) {
    if (word != "tcp" && word != "udp" && word != "sctp") {
        throw bad_value(flag, whole, "no such protocol", "tcp, udp or sctp");
    }
    return word;
}

/// The host's address before the ports, taken off `text`; IPv6 stands in brackets.
std::string take_address(const std::string& whole, std::string& text) {
    std::string ip;
    if (text.starts_with('[')) {
        const auto end = text.find("]:");
        if (end == std::string::npos) {
            throw bad_value("--publish", whole, "", publish_form);
        }
        ip = text.substr(1, end - 1);
        text.erase(0, end + 2);
    } else if (std::ranges::count(text, ':') == 2) {
        const auto [before, after] = split_once(text, ':');
        ip = before;
        text = after.value_or("");
    }
    if (ip.empty()) {
        return ip;
    }
    const auto address = network::Address::parse(ip);
    if (!address) {
        throw bad_value("--publish", whole, "'" + ip + "' is no address", publish_form);
    }
    return address->text();
}

} // namespace

bool is_property_word(const std::string& word) {
    return word.contains('=');
}

NetworkChoice parse_networks(const std::vector<std::string>& words) {
    NetworkChoice choice{.space = std::nullopt, .is_default = words.empty()};
    for (const std::string& word : words) {
        const auto [name, rest] = split_once(word, ':');
        if (word.empty()) {
            throw bad_value("--network", word, "", network_form);
        }
        if (name == "macvlan" || name == "ipvlan" || name == "slirp4netns") {
            throw refused_word(word, name);
        }
        if (!is_alone(name)) {
            choice.networks.push_back(parse_use(word, name, rest.value_or("")));
            continue;
        }
        // Of those that exclude each other the last one counts, as with every flag.
        choice.space.reset();
        choice.pasta = false;
        choice.zone.clear();
        parse_alone(choice, word, name, rest);
    }
    if (!choice.networks.empty() && (choice.space || choice.pasta || !choice.zone.empty())) {
        throw Error("these do not go together")
            .at("--network " + choice.space.value_or(choice.pasta ? "pasta" : "zone"))
            .because("a container with networks has a namespace of its own")
            .mend("drop one of them");
    }
    for (const plan::NetworkUse& use : choice.networks) {
        if (std::ranges::count(choice.networks, use.name, &plan::NetworkUse::name) > 1) {
            throw Error("the network is named twice").at("--network " + use.name);
        }
    }
    return choice;
}

std::string network_word(const plan::NetworkUse& use) {
    std::vector<std::string> options;
    const auto add = [&options](const char* key, const std::string& value) {
        if (!value.empty()) {
            options.push_back(std::string(key) + "=" + value);
        }
    };
    add("ip", use.ip);
    add("ip6", use.ip6);
    add("mac", use.mac);
    for (const std::string& alias : use.aliases) {
        add("alias", alias);
    }
    add("interface_name", use.interface_name);
    return use.name + (options.empty() ? "" : ":" + join(options, ","));
}

std::vector<plan::PublishedPort> parse_publish(const std::string& text) {
    constexpr const char* flag = "--publish";
    const auto [ports, protocol] = split_once(text, '/');
    std::string rest = ports;
    plan::PublishedPort port{
        .host_ip = take_address(text, rest),
        .protocol = parse_protocol(flag, text, protocol.value_or("tcp")),
    };
    auto [host, container] = split_once(rest, ':');
    if (!container) {
        container = host;
        host.clear();
    }
    const Range inside = parse_range(flag, text, *container);
    port.container_port = inside.first;
    if (host.empty()) {
        std::vector<plan::PublishedPort> each(inside.count, port);
        for (std::uint16_t i = 0; i < inside.count; ++i) {
            each[i].container_port = static_cast<std::uint16_t>(inside.first + i);
        }
        return each;
    }
    const Range outside = parse_range(flag, text, host);
    if (outside.count != inside.count) {
        throw bad_value(flag, text, "the ranges differ in length", publish_form);
    }
    port.host_port = outside.first;
    port.range = outside.count;
    return {port};
}

std::vector<plan::PublishedPort> parse_expose(const std::string& text, const char* source) {
    const auto [ports, protocol] = split_once(text, '/');
    const Range range = parse_range(source, text, ports);
    const std::string word = parse_protocol(source, text, protocol.value_or("tcp"));
    std::vector<plan::PublishedPort> each;
    each.reserve(range.count);
    for (std::uint16_t i = 0; i < range.count; ++i) {
        each.push_back(
            {.container_port = static_cast<std::uint16_t>(range.first + i), .protocol = word});
    }
    return each;
}

} // namespace sctr::cli
