// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/attaching.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "network/programs.hpp"

namespace sctr::network {

std::string interface_name(const plan::NetworkUse& use, const Attachment& attachment) {
    const auto is_taken = [&](const std::string& name) {
        return std::ranges::contains(attachment.networks, name, &Attached::interface);
    };
    if (!use.interface_name.empty()) {
        if (is_taken(use.interface_name)) {
            throw Error("two networks cannot have one interface")
                .at("--network " + use.name)
                .because("'" + use.interface_name + "' is another one's");
        }
        return use.interface_name;
    }
    for (unsigned i = 0;; ++i) {
        if (std::string name = "eth" + std::to_string(i); !is_taken(name)) {
            return name;
        }
    }
}

std::string made_up_mac(const std::string& container_id, const std::string& network_id) {
    const std::string digest = Sha256::of(container_id + network_id);
    std::string mac = "02"; // of no vendor, and no group
    for (std::size_t i = 0; i < 5; ++i) {
        mac += ":" + digest.substr(i * 2, 2);
    }
    return mac;
}

Attached
attach(const Definition& network, const plan::NetworkUse& use, const Attachment& attachment) {
    Attached attached{
        .network = network,
        .use = use,
        .interface = interface_name(use, attachment),
        .addresses = {},
        .mac = use.mac.empty() ? made_up_mac(attachment.id, network.id) : use.mac,
    };
    if (network.driver == "ipvlan") {
        if (!use.mac.empty()) {
            throw Error("an ipvlan has the hardware address of its parent")
                .at("--network " + use.name + ":mac=" + use.mac)
                .mend("use a network with --driver macvlan");
        }
        attached.mac.clear();
    }
    if (network.driver != "bridge" && !attachment.ports.empty()) {
        throw Error("no port of the host leads into this network")
            .at("--publish")
            .because("containers of '" + network.name + "' are reached at their own addresses")
            .mend("drop --publish");
    }
    if (find_programs().aardvark.empty()) {
        attached.network.dns = false; // nobody would answer at the address of its server
    }
    attached.addresses = lease(network, use, attachment.container);
    return attached;
}

} // namespace sctr::network
