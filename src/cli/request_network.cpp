// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <iterator>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/network_flags.hpp"
#include "cli/request_builder.hpp"
#include "cli/values.hpp"
#include "network/address.hpp"
#include "network/definition.hpp"
#include "network/name_files.hpp"

namespace sctr::cli {
namespace {

/// Each takes a socket and rules of the firewall. An image can name any number.
constexpr std::size_t most_exposed = 1000;

void add_exposed(std::vector<plan::PublishedPort>& exposed,
                 const std::string& text,
                 const char* source) {
    std::ranges::move(parse_expose(text, source), std::back_inserter(exposed));
    if (exposed.size() > most_exposed) {
        throw Error("too many ports to publish all of them")
            .at(source)
            .because("they are more than " + std::to_string(most_exposed))
            .mend("drop --publish-all, and name those that are needed with -p");
    }
}

/// What --expose and the image name: checked whether it is published or not.
std::vector<plan::PublishedPort> exposed_ports(const NetworkFlags& flags,
                                               const RootfsFacts& facts) {
    std::vector<plan::PublishedPort> exposed;
    for (const std::string& text : flags.expose) {
        if (flags.publish_all) {
            add_exposed(exposed, text, "--expose");
        } else {
            (void)parse_expose(text);
        }
    }
    if (flags.publish_all) {
        for (const auto& [text, present] : facts.image_process.exposed_ports) {
            add_exposed(exposed, text, "ExposedPorts of the image");
        }
    }
    return exposed;
}

void add_ports(plan::ContainerNetwork& network,
               const NetworkFlags& flags,
               const RootfsFacts& facts,
               const char* way) {
    for (const std::string& text : flags.publish) {
        const auto ports = parse_publish(text);
        network.ports.insert(network.ports.end(), ports.begin(), ports.end());
    }
    for (plan::PublishedPort& port : exposed_ports(flags, facts)) {
        const bool is_there = std::ranges::any_of(network.ports, [&](const auto& other) {
            return other.protocol == port.protocol && port.container_port >= other.container_port &&
                   port.container_port < other.container_port + other.range;
        });
        if (!is_there) {
            network.ports.push_back(std::move(port));
        }
    }
    if (network.pasta &&
        std::ranges::contains(network.ports, "sctp", &plan::PublishedPort::protocol)) {
        throw Error("pasta carries tcp and udp alone")
            .at("--publish")
            .because("a port of sctp is among them")
            .mend("drop it, or run the container as root, on a bridge");
    }
    const bool leads_in = !network.networks.empty() || network.pasta;
    if (!network.ports.empty() && !leads_in) {
        throw Error("there is no network whose ports could be published")
            .at("--publish")
            .because(way)
            .mend("drop --publish, or use --network bridge");
    }
}

plan::HostEntry parse_host_entry(const std::string& text) {
    const auto [name, address] = split_once(text, ':');
    const bool valid =
        network::is_host_name(name) && address &&
        (*address == "host-gateway" || network::Address::parse(*address).has_value());
    if (!valid) {
        throw bad_value("--add-host", text, "", "NAME:ADDRESS, or NAME:host-gateway");
    }
    return {.address = *address, .name = name};
}

void check_words(const char* flag, const std::vector<std::string>& words) {
    for (const std::string& word : words) {
        const bool is_word = !word.empty() && std::ranges::all_of(word, [](unsigned char letter) {
            return letter > ' ' && letter < 0x7f;
        });
        if (!is_word) {
            throw bad_value(flag, word, "", "one word of resolv.conf(5)");
        }
    }
}

plan::NameFiles
name_files(const plan::ContainerNetwork& network, const NetworkFlags& flags, bool own_hostname) {
    plan::NameFiles files;
    const bool has_names = network.is_attached() || network.is_hosts;
    for (const std::string& text : flags.add_hosts) {
        files.entries.push_back(parse_host_entry(text));
    }
    const bool no_resolver = flags.dns == std::vector<std::string>{"none"};
    if (!no_resolver) {
        for (const std::string& server : flags.dns) {
            if (!network::Address::parse(server)) {
                throw bad_value("--dns", server, "", "the address of a server, or none");
            }
        }
        files.servers = flags.dns;
    }
    check_words("--dns-search", flags.dns_search);
    check_words("--dns-option", flags.dns_options);
    files.search = flags.dns_search;
    files.options = flags.dns_options;
    if (flags.no_hosts && !files.entries.empty()) {
        throw Error("these do not go together").at("--no-hosts").because("--add-host adds to it");
    }
    files.hosts = !flags.no_hosts && (has_names || !files.entries.empty());
    files.resolv_conf = !no_resolver && (has_names || !files.servers.empty() ||
                                         !files.search.empty() || !files.options.empty());
    files.hostname = network.is_attached() && own_hostname && !flags.no_hostname;
    return files;
}

/// Binds a file of the record's directory, unless the caller has something there.
bool bind_file(oci::Spec& spec, const std::string& target, const std::string& source) {
    const auto covers = [&target](const oci::Mount& mount) {
        return mount.destination == target || mount.destination == "/etc" ||
               (mount.destination == "/");
    };
    if (std::ranges::any_of(spec.mounts, covers)) {
        return false;
    }
    spec.mounts.push_back({.destination = target,
                           .type = "bind",
                           .source = source,
                           .options = {"bind", "ro", "nosuid", "nodev", "noexec"}});
    return true;
}

void bind_files(plan::Request& request, const RootfsFacts& facts) {
    plan::NameFiles& files = request.network.files;
    const std::string directory = facts.records + "/" + request.id;

    struct Item {
        bool& wanted;
        const char* target;
        const char* name;
    };

    for (const Item& item : {Item{files.hosts, "/etc/hosts", network::hosts_file},
                             Item{files.resolv_conf, "/etc/resolv.conf", network::resolv_conf_file},
                             Item{files.hostname, "/etc/hostname", network::hostname_file}}) {
        // Nothing can be mounted where nothing can be made.
        const bool can_be_there =
            !facts.cannot_make_files || facts.files_of_root.contains(item.target);
        item.wanted = item.wanted && can_be_there &&
                      bind_file(request.spec, item.target, directory + item.name);
    }
}

/// A container that has another one's network has its names, too.
void share_files(plan::Request& request, const NetworkChoice& choice, const RootfsFacts& facts) {
    const auto [scheme, name] = split_once(choice.space.value_or(""), ':');
    if (scheme != "container" || !name) {
        return;
    }
    for (const auto& [target, file] : {std::pair("/etc/hosts", network::hosts_file),
                                       std::pair("/etc/resolv.conf", network::resolv_conf_file)}) {
        const std::string source = facts.records + "/" + *name + file;
        if (facts.files_of_others.contains(source)) {
            bind_file(request.spec, target, source);
        }
    }
}

/// What users of docker count on in a network of their own: ping and low ports without a
/// capability.
void add_sysctls(oci::Spec& spec) {
    auto& sysctls = spec.linux.sysctl;
    const auto user =
        std::ranges::find(spec.linux.namespaces, oci::NamespaceType::user, &oci::Namespace::type);
    const bool is_joined = user != spec.linux.namespaces.end() && !user->path.empty();
    // In a user namespace the kernel takes groups alone that are mapped, and which are in one that
    // is joined is not known here.
    if (!is_joined) {
        sysctls.emplace("net.ipv4.ping_group_range",
                        user == spec.linux.namespaces.end() ? "0 2147483647" : "0 0");
    }
    sysctls.emplace("net.ipv4.ip_unprivileged_port_start", "0");
}

/// pasta enters the network namespace while sctr-init is in it, and of a process that has joined a
/// user namespace the kernel shows a plain user none before it executes something.
void check_pasta(const oci::Spec& spec) {
    const bool joins = std::ranges::any_of(spec.linux.namespaces, [](const auto& each) {
        return each.type == oci::NamespaceType::user && !each.path.empty();
    });
    if (joins) {
        throw Error("pasta cannot connect a container in another one's user namespace")
            .at("--userns")
            .because("to a plain user the kernel shows no network of a process that is joining one")
            .mend("add --network container:NAME, to be in its network, too, or none or host");
    }
}

} // namespace

void add_addresses(plan::ContainerNetwork& network, const NetworkFlags& flags) {
    const auto only = [&network](const char* flag) -> plan::NetworkUse& {
        if (network.networks.size() != 1) {
            throw Error(network.networks.empty() ? "only a network gives addresses and names"
                                                 : "which of the networks?")
                .at(flag)
                .mend("say it with the network: --network NAME:ip=...,ip6=...,mac=...,alias=...");
        }
        return network.networks.front();
    };
    if (flags.ip) {
        const auto address = network::Address::parse(*flags.ip);
        if (!address || address->is_v6()) {
            throw bad_value("--ip", *flags.ip, "", "an IPv4 address of the network");
        }
        only("--ip").ip = address->text();
    }
    if (flags.ip6) {
        const auto address = network::Address::parse(*flags.ip6);
        if (!address || !address->is_v6()) {
            throw bad_value("--ip6", *flags.ip6, "", "an IPv6 address of the network");
        }
        only("--ip6").ip6 = address->text();
    }
    if (flags.mac) {
        const auto mac = network::parse_mac(*flags.mac);
        if (!mac) {
            throw bad_value("--mac-address", *flags.mac, "", "one device's: 02:00:00:00:00:01");
        }
        only("--mac-address").mac = *mac;
    }
    for (const std::string& alias : flags.aliases) {
        if (!network::is_host_name(alias)) {
            throw bad_value("--network-alias", alias, "", "a host name: db");
        }
        if (network.networks.empty()) {
            only("--network-alias");
        }
        for (plan::NetworkUse& use : network.networks) {
            use.aliases.push_back(alias);
        }
    }
}

void add_network(plan::Request& request, const NetworkFlags& flags, const RootfsFacts& facts) {
    NetworkChoice choice = parse_networks(flags.networks);
    plan::ContainerNetwork& network = request.network;
    network.networks = std::move(choice.networks);
    network.pasta = choice.pasta;
    network.zone = choice.zone;
    network.pasta_options = std::move(choice.pasta_options);
    if (choice.is_default && facts.default_network == DefaultNetwork::bridge) {
        network.networks = {{.name = network::default_network}};
    }
    network.pasta =
        network.pasta || (choice.is_default && facts.default_network == DefaultNetwork::pasta);
    network.is_hosts = choice.space == "host";
    if (network.pasta) {
        check_pasta(request.spec);
    }
    if (network.is_attached()) {
        add_sysctls(request.spec);
    }
    add_addresses(network, flags);
    add_ports(network,
              flags,
              facts,
              network.is_hosts        ? "the container has the host's own ports"
              : !network.zone.empty() ? "systemd-networkd has the addresses of a zone"
                                      : "the container has the loopback device alone");
    network.files = name_files(network, flags, !request.spec.hostname.empty());
    bind_files(request, facts);
    share_files(request, choice, facts);
}

} // namespace sctr::cli
