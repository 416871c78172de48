// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/zone.hpp"

#include <filesystem>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "linux/netlink.hpp"
#include "network/definition.hpp"
#include "systemd/manager.hpp"

namespace sctr::network {

namespace {

constexpr std::size_t longest_device = 15; // IFNAMSIZ without its end

std::string bridge_of(const std::string& zone) {
    return "vz-" + zone;
}

} // namespace

void check_zone(const std::string& zone) {
    if (!is_host_name(zone) || bridge_of(zone).size() > longest_device) {
        throw Error("no zone can have this name")
            .at("--network zone:" + zone)
            .mend("12 letters, digits, '-', '_' or '.' at most");
    }
}

std::string zone_link(const std::string& container) {
    std::string name = "vb-" + container;
    if (name.size() > longest_device) {
        constexpr std::size_t kept = 8;
        name =
            name.substr(0, kept) + "-" + Sha256::of(container).substr(0, longest_device - kept - 1);
    }
    return name;
}

void require_networkd(const std::string& zone) {
    constexpr const char* unit = "systemd-networkd.service";
    const auto status = systemd::Manager(systemd::own_instance()).unit_status(unit);
    if (!status || status->active_state != "active") {
        throw Error("zones are systemd-networkd's, which does not run")
            .at("--network zone:" + zone)
            .mend("systemctl enable --now systemd-networkd, or use --network bridge");
    }
}

void join_zone(const std::string& zone, const std::string& container, int network_namespace) {
    const sys::Netlink links;
    const std::string bridge = bridge_of(zone);
    if (links.index_of(bridge) == 0) {
        links.add_bridge(bridge);
    }
    const unsigned index = links.index_of(bridge);
    const std::string link = zone_link(container);
    if (const unsigned earlier = links.index_of(link); earlier != 0) {
        links.remove_link(earlier); // of one that was killed, whose namespace is still going
    }
    links.add_veth(link, "host0", network_namespace);
    links.set_master(links.index_of(link), index);
    links.set_up(links.index_of(link));
    links.set_up(index);
}

void leave_zone(const std::string& zone, const std::string& container) {
    const sys::Netlink links;
    if (const unsigned link = links.index_of(zone_link(container)); link != 0) {
        links.remove_link(link);
    }
    const std::string bridge = bridge_of(zone);
    std::error_code none;
    const bool is_idle = std::filesystem::is_empty("/sys/class/net/" + bridge + "/brif", none);
    if (const unsigned index = links.index_of(bridge); index != 0 && is_idle && !none) {
        links.remove_link(index);
    }
}

} // namespace sctr::network
