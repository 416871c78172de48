// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/bridges.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <ranges>
#include <thread>

#include "linux/netlink.hpp"

namespace sctr::network {

namespace {

namespace fs = std::filesystem;

/// The attachment's networks whose driver is "bridge".
auto bridged(const Attachment& attachment) {
    return attachment.networks | std::views::transform(&Attached::network) |
           std::views::filter([](const Definition& network) { return network.driver == "bridge"; });
}

std::ptrdiff_t ports_of(const std::string& bridge) {
    std::error_code none;
    const fs::directory_iterator ports("/sys/class/net/" + bridge + "/brif", none);
    return none ? 0 : std::distance(begin(ports), end(ports));
}

std::ptrdiff_t containers_on(const std::string& bridge, const std::string& except) {
    const auto all = list_attachments();
    return std::ranges::count_if(all, [&](const Attachment& attachment) {
        return attachment.container != except &&
               std::ranges::any_of(attachment.networks, [&](const Attached& each) {
                   return each.network.interface == bridge;
               });
    });
}

void await_ports(const std::string& bridge, std::ptrdiff_t most) {
    using namespace std::chrono;
    constexpr auto patience = seconds(3);
    constexpr auto pause = milliseconds(5);
    for (const auto end = steady_clock::now() + patience;
         ports_of(bridge) > most && steady_clock::now() < end;) {
        std::this_thread::sleep_for(pause); // nothing tells when the kernel has done it
    }
}

bool has_gateways(const sys::Netlink& links, unsigned bridge, const Definition& network) {
    const auto addresses = links.addresses(bridge);
    const auto is_there = [&](const Address& gateway) {
        return std::ranges::any_of(addresses, [&](const sys::InterfaceAddress& each) {
            const auto& bytes = each.local.empty() ? each.address : each.local;
            return bytes.size() * 8 == gateway.bits() &&
                   Address::from_bytes(bytes.data(), gateway.is_v6()) == gateway;
        });
    };
    return std::ranges::all_of(network.subnets, [&](const SubnetPlan& plan) {
        return !plan.gateway || is_there(*plan.gateway);
    });
}

} // namespace

void await_ports_of_others(const Attachment& attachment) {
    for (const Definition& network : bridged(attachment)) {
        await_ports(network.interface, containers_on(network.interface, attachment.container));
    }
}

void add_missing_bridges(const Attachment& attachment) {
    const sys::Netlink links;
    for (const Definition& network : bridged(attachment)) {
        if (links.index_of(network.interface) == 0) {
            links.add_bridge(network.interface);
        }
    }
}

void hold_bridges_of_others(const Attachment& attachment, int space, UndoList& undo) {
    const sys::Netlink links;
    for (const Definition& network : bridged(attachment)) {
        const unsigned bridge = links.index_of(network.interface);
        if (bridge == 0 || ports_of(network.interface) > 0 ||
            containers_on(network.interface, attachment.container) == 0) {
            continue;
        }
        const std::string name = "sctrhold" + std::to_string(bridge);
        links.add_veth(name, name, space);
        const unsigned port = links.index_of(name);
        undo.add([port] { sys::Netlink().remove_link(port); });
        links.set_master(port, bridge);
    }
}

void remove_idle_bridges(const Attachment& attachment) {
    const sys::Netlink links;
    for (const Definition& network : bridged(attachment)) {
        const std::string& bridge = network.interface;
        if (ports_of(bridge) > 0 || containers_on(bridge, attachment.container) > 0) {
            continue;
        }
        if (const unsigned index = links.index_of(bridge); index != 0) {
            links.remove_link(index);
        }
    }
}

void remove_half_made_bridges(const Attachment& attachment) {
    const sys::Netlink links;
    for (const Definition& network : bridged(attachment)) {
        const unsigned index = links.index_of(network.interface);
        if (index != 0 && ports_of(network.interface) == 0 &&
            !has_gateways(links, index, network)) {
            links.remove_link(index);
        }
    }
}

} // namespace sctr::network
