// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/network_connect.hpp"

#include <algorithm>
#include <functional>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "cli/declared.hpp"
#include "cli/network_flags.hpp"
#include "cli/run_flags.hpp"
#include "cli/service_flags.hpp"
#include "container/engine.hpp"
#include "container/id.hpp"
#include "container/stored.hpp"
#include "host/caller.hpp"
#include "network/live.hpp"
#include "network/network_store.hpp"

namespace sctr::cli {

namespace {

using container::RecordStore;
using container::Stored;
using Networks = std::vector<plan::NetworkUse>;

bool is_running(const std::string& name) {
    const RecordStore records(RecordStore::default_root());
    return records.has(name) &&
           container::current_status(records.load(name)) != container::Status::stopped;
}

Error not_on(const std::string& container, const std::string& network) {
    return Error("the container is not on the network").at(container + ": " + network);
}

/// A container that exists, and networks that are this caller's to change.
void check(const Stored& stored, const std::string& container) {
    container::check_id(container);
    if (!host::caller().is_system) {
        throw Error("only root's containers can be on a bridge")
            .at(container)
            .mend("reach it by published ports, or run it as root");
    }
    if (!stored.has(container) && !is_running(container)) {
        refuse_declared("connect", container, "change Network= in its file");
        throw Error("no such container").at(container).mend("see 'sctr ps -a'");
    }
}

/// Writes down what a stored container's networks become, and then does it to what runs of it.
void change(const std::string& container,
            const std::function<void(Networks&)>& stored_part,
            const std::function<void()>& running_part) {
    Stored stored = Stored::own();
    check(stored, container);
    UndoList undo;
    if (stored.has(container)) {
        const container::Definition before = stored.definitions().load(container);
        const auto options = service_options(parse_run_flags(words_of(before)));
        Networks networks = networks_of(before);
        stored_part(networks);
        stored.replace(on_networks(before, networks), options);
        undo.add([=, &stored] { stored.replace(before, options); });
    }
    if (is_running(container)) {
        running_part();
    }
    undo.dismiss();
}

} // namespace

Networks networks_of(const container::Definition& definition) {
    const RunFlags flags = parse_run_flags(words_of(definition));
    NetworkChoice choice = parse_networks(flags.network.networks);
    if (choice.pasta || !choice.zone.empty() || choice.space.value_or("none") != "none") {
        throw Error("the container cannot be on networks")
            .at(definition.name)
            .because("it was made with --network " + flags.network.networks.back());
    }
    plan::ContainerNetwork network;
    network.networks = std::move(choice.networks);
    if (choice.is_default) {
        network.networks = {{.name = network::default_network}};
    }
    if (!network.networks.empty()) {
        add_addresses(network, flags.network);
    }
    return network.networks;
}

container::Definition on_networks(container::Definition definition, const Networks& networks) {
    definition.flags = without_networks(definition.flags);
    for (const plan::NetworkUse& use : networks) {
        definition.flags.push_back("--network=" + network_word(use));
    }
    if (networks.empty()) {
        definition.flags.emplace_back("--network=none");
    }
    return definition;
}

void connect_container(const std::string& container, const plan::NetworkUse& use) {
    change(
        container,
        [&](Networks& networks) {
            network::check_use(network::NetworkStore::own().load(use.name), use);
            if (std::ranges::contains(networks, use.name, &plan::NetworkUse::name)) {
                if (!is_running(container)) {
                    throw Error("the container is on the network already")
                        .at(container + ": " + use.name);
                }
                std::erase_if(networks, [&](const auto& each) { return each.name == use.name; });
            }
            networks.push_back(use);
        },
        [&] { network::connect(container, use); });
}

void disconnect_container(const std::string& container, const std::string& network) {
    network::check_network_name(network);
    change(
        container,
        [&](Networks& networks) {
            const auto removed = std::erase_if(
                networks, [&](const plan::NetworkUse& each) { return each.name == network; });
            if (removed == 0 && !is_running(container)) {
                throw not_on(container, network);
            }
        },
        [&] { network::disconnect(container, network); });
}

} // namespace sctr::cli
