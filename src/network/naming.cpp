// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/naming.hpp"

#include <algorithm>
#include <csignal>

#include "base/strings.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "linux/syscalls.hpp"
#include "network/name_server.hpp"
#include "network/pasta.hpp"

namespace sctr::network {

namespace {

std::string first_gateway(const Attachment& attachment) {
    for (const Attached& each : attachment.networks) {
        for (const SubnetPlan& plan : each.network.subnets) {
            if (plan.gateway && !plan.gateway->is_v6()) {
                return plan.gateway->text();
            }
        }
    }
    return {};
}

/// Where aardvark-dns listens.
std::vector<std::string> name_servers(const Attachment& attachment) {
    std::vector<std::string> servers;
    for (const Attached& each : attachment.networks) {
        for (const SubnetPlan& plan : each.network.subnets) {
            if (each.network.dns && each.network.driver == "bridge" && plan.gateway) {
                servers.push_back(plan.gateway->text());
            }
        }
    }
    constexpr std::size_t most = 3; // MAXNS of resolv.conf(5)
    servers.resize(std::min(servers.size(), most));
    return servers;
}

void write_hosts(const Attachment& attachment) {
    const Naming& naming = attachment.naming;
    OwnNames own;
    for (const Attached& each : attachment.networks) {
        own.addresses.insert(own.addresses.end(), each.addresses.begin(), each.addresses.end());
    }
    if (own.addresses.empty() && !naming.is_hosts) {
        own.addresses.push_back(*Address::parse("127.0.1.1"));
    }
    if (!naming.hostname.empty()) {
        own.names.push_back(naming.hostname);
    }
    if (attachment.container != naming.hostname && is_host_name(attachment.container) &&
        !naming.is_hosts) {
        own.names.push_back(attachment.container);
    }
    own.gateway = naming.is_hosts   ? "127.0.0.1"
                  : naming.is_pasta ? pasta_host
                                    : first_gateway(attachment);
    const std::string base = naming.is_hosts
                                 ? sys::read_small_file("/etc/hosts").value_or(localhost_lines)
                                 : localhost_lines;
    write_name_file(naming.directory + hosts_file, hosts_text(base, own, naming.files));
}

void write_resolver(const Attachment& attachment) {
    const Naming& naming = attachment.naming;
    const Resolver raw = host_resolver(true);
    const Resolver reachable = naming.is_hosts ? raw : host_resolver(false);
    write_name_file(naming.directory + resolv_conf_file,
                    to_text(resolver_of(attachment, raw, reachable)));
}

/// aardvark-dns reads the host's servers when it starts and when it is told to; once for each
/// change is enough, however many containers learn of it.
void tell_name_server() {
    const UniqueFd lock = lock_state();
    const std::string told_file = state_root() + "/resolver";
    const std::string now = to_text(host_resolver(true));
    if (sys::read_small_file(told_file) == now) {
        return;
    }
    if (const UniqueFd server = name_server(); server.valid()) {
        sys::pidfd_send_signal(server.get(), SIGHUP);
    }
    sys::replace_file(
        told_file, now, 0600, sys::Durability::memory, "cannot save the state of networks");
}

} // namespace

Resolver resolver_of(const Attachment& attachment, const Resolver& raw, const Resolver& reachable) {
    const Naming& naming = attachment.naming;
    Resolver resolver = merged(naming.files, naming.is_hosts ? raw : reachable);
    if (const auto servers = name_servers(attachment); !servers.empty()) {
        resolver.servers = servers; // those that are asked for are asked by aardvark-dns
        if (naming.files.options.empty()) {
            // "web" is a name of the network before it is one of a domain that is searched.
            resolver.options = {"ndots:0"};
        }
    } else if (naming.is_pasta && naming.files.servers.empty() &&
               naming.pasta_servers == raw.servers) {
        resolver.servers = {pasta_resolver}; // it asks the servers that it has found at its start
    }
    return resolver;
}

void write_names(const Attachment& attachment) {
    const Naming& naming = attachment.naming;
    if (naming.files.hosts) {
        write_hosts(attachment);
    }
    if (naming.files.resolv_conf) {
        write_resolver(attachment);
    }
    if (naming.files.hostname) {
        write_name_file(naming.directory + hostname_file, naming.hostname + "\n");
    }
}

void follow_host(const Attachment& attachment) {
    if (attachment.naming.files.resolv_conf) {
        write_resolver(attachment);
    }
    if (!name_servers(attachment).empty()) {
        tell_name_server();
    }
}

} // namespace sctr::network
