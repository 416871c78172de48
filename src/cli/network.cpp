// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/flags.hpp"
#include "cli/log.hpp"
#include "cli/names.hpp"
#include "cli/network_connect.hpp"
#include "cli/network_create.hpp"
#include "cli/network_flags.hpp"
#include "cli/output_format.hpp"
#include "cli/record_json.hpp"
#include "cli/service_flags.hpp"
#include "cli/table.hpp"
#include "cli/template_views.hpp"
#include "cli/typed_names.hpp"
#include "cli/values.hpp"
#include "cli/verbs.hpp"
#include "container/definition.hpp"
#include "container/id.hpp"
#include "host/caller.hpp"
#include "network/connection.hpp"
#include "network/live.hpp"
#include "network/network_store.hpp"
#include "network/state.hpp"

/// sctr network create, ls, inspect, rm, prune, connect, disconnect, reload.
namespace sctr::cli {
namespace {

using network::Definition;
using network::NetworkStore;
using Names = std::vector<std::string>;

struct Flags {
    NetworkCreateFlags create;
    NetworkFlags addresses; ///< of connect
    bool ignore = false;
    bool all = false;
    bool force = false; ///< a habit of people and scripts: sctr asks nothing
    bool json = false;
    bool quiet = false;
    std::optional<std::string> format;
};

int create(const Flags& flags, const Names& names) {
    if (names.size() != 1) {
        throw Error("one network is made at a time, and has a name")
            .mend("see 'sctr network --help'");
    }
    if (!host::caller().is_system) {
        throw Error("only root's containers can be on a bridge")
            .at("network create")
            .mend("plain users' have pasta, and reach each other by published ports");
    }
    const NetworkStore store = NetworkStore::own();
    Definition wanted = make_network(flags.create, names.front());
    if (!flags.ignore || !store.find(wanted.name)) {
        wanted = store.create(std::move(wanted));
    }
    std::puts(wanted.name.c_str());
    return 0;
}

nlohmann::ordered_json network_json(const Definition& network) {
    nlohmann::ordered_json json = nlohmann::ordered_json::parse(network::to_json(network));
    json.erase("version");
    json.erase("createdUsec");
    json["created"] = timestamp(network.created_usec);
    auto containers = nlohmann::ordered_json::object();
    for (const network::Attachment& attachment : network::attachments_of(network.name)) {
        for (const network::Attached& each : attachment.networks) {
            if (each.network.name != network.name) {
                continue;
            }
            auto addresses = nlohmann::ordered_json::array();
            for (const network::Address& address : each.addresses) {
                addresses.push_back(address.text());
            }
            containers[attachment.container] = {{"interface", each.interface},
                                                {"addresses", addresses},
                                                {"mac", each.mac},
                                                {"aliases", each.use.aliases}};
        }
    }
    json["containers"] = std::move(containers);
    return json;
}

int list(const Flags& flags) {
    const OutputFormat format(flags.format, flags.json, flags.quiet);
    auto all = nlohmann::ordered_json::array();
    Table table({"NAME", "DRIVER", "DEVICE", "SUBNETS", "CONTAINERS"});
    std::string ids;
    for (const Definition& network : NetworkStore::own().list()) {
        Names subnets;
        for (const network::SubnetPlan& each : network.subnets) {
            subnets.push_back(each.subnet.text());
        }
        Names containers;
        for (const network::Attachment& attachment : network::attachments_of(network.name)) {
            containers.push_back(attachment.container);
        }
        all.push_back(network_json(network));
        table.add({network.name,
                   network.driver,
                   network.interface,
                   join(subnets, ","),
                   containers.empty() ? "-" : join(containers, ",")});
        ids += network.name + '\n';
    }
    show_list(all, format, network_view, flags.quiet ? ids : table.text());
    return 0;
}

int inspect(const Flags& flags, const Names& names) {
    if (names.empty()) {
        throw Error("no network named").mend("see 'sctr network ls'");
    }
    const OutputFormat format(flags.format, false);
    auto all = nlohmann::ordered_json::array();
    for (const std::string& name : names) {
        all.push_back(network_json(NetworkStore::own().load(name)));
    }
    show_inspected(all, format, network_view);
    return 0;
}

/// Names of the stored containers that name a network.
Names stored_on(const std::string& network) {
    Names users;
    for (const auto& definition :
         container::DefinitionStore(container::DefinitionStore::default_root()).list()) {
        try {
            const RunFlags flags = parse_run_flags(words_of(definition));
            const auto networks = parse_networks(flags.network.networks).networks;
            if (std::ranges::contains(networks, network, &plan::NetworkUse::name)) {
                users.push_back(definition.name);
            }
        } catch (const Error&) {
            continue; // it is told when it is started
        }
    }
    return users;
}

void remove_one(const std::string& name) {
    const UniqueFd lock = network::lock_state(); // or a container could start on it meanwhile
    (void)NetworkStore::own().load(name);
    if (const auto running = network::attachments_of(name); !running.empty()) {
        const std::string& user = running.front().container;
        throw Error("cannot remove the network")
            .at(name)
            .because("the container '" + user + "' is on it")
            .mend("end that first: sctr stop " + user);
    }
    if (const Names users = stored_on(name); !users.empty()) {
        throw Error("cannot remove the network")
            .at(name)
            .because("the stored container '" + users.front() + "' is to be on it")
            .mend("remove that first: sctr rm " + users.front());
    }
    NetworkStore::own().remove(name);
}

int prune() {
    for (const Definition& network : NetworkStore::own().list()) {
        if (network.name == network::default_network) {
            continue; // it comes again with the next container
        }
        try {
            remove_one(network.name);
        } catch (const Error&) {
            continue; // a container is on it
        }
        std::puts(network.name.c_str());
    }
    return 0;
}

int connect(const Flags& flags, const Names& names) {
    if (names.size() != 2) {
        throw Error("a network and a container are needed").mend("see 'sctr network --help'");
    }
    plan::ContainerNetwork asked;
    asked.networks = parse_networks({names[0]}).networks;
    if (asked.networks.empty()) {
        throw Error("this is no network").at(names[0]).mend("see 'sctr network ls'");
    }
    add_addresses(asked, flags.addresses);
    connect_container(names[1], asked.networks.front());
    return 0;
}

int disconnect(const Names& names) {
    if (names.size() != 2) {
        throw Error("a network and a container are needed").mend("see 'sctr network --help'");
    }
    disconnect_container(names[1], names[0] == "bridge" ? network::default_network : names[0]);
    return 0;
}

int reload(const Flags& flags, Names names, const CLI::App& app) {
    if (flags.all) {
        for (const network::Attachment& attachment : network::list_attachments()) {
            if (!attachment.networks.empty()) {
                names.push_back(attachment.container);
            }
        }
        if (names.empty()) {
            return 0;
        }
    }
    if (names.empty()) {
        throw Error("no container named").mend("see '" + app.get_name() + " --help'");
    }
    return for_each_name(names, app, network::reload);
}

int act(const std::string& what, const Flags& flags, const Names& names, const CLI::App& app) {
    if (what == "create") {
        return create(flags, names);
    }
    network::sweep();
    if (what == "ls" || what == "list") {
        return list(flags);
    }
    if (what == "inspect") {
        return inspect(flags, names);
    }
    if (what == "rm" || what == "remove") {
        return for_each_word(names, app, remove_one);
    }
    if (what == "prune") {
        return prune();
    }
    if (what == "connect") {
        return connect(flags, names);
    }
    if (what == "disconnect") {
        return disconnect(names);
    }
    if (what == "reload") {
        return reload(flags, names, app);
    }
    throw Error("nothing to do with networks by that name")
        .at(what)
        .mend("see 'sctr network --help'");
}

} // namespace

int network_verb(const Words& words) {
    Flags flags;
    CLI::App app("Makes, shows, changes and removes networks.", "sctr network");
    describe(app,
             "create|ls|inspect|rm|prune|connect|disconnect|reload [OPTIONS] [NETWORK] [CONTAINER]",
             {"sctr network create --ipv6 --label team=web front",
              "sctr run -d --network front --name db docker.io/library/postgres",
              "sctr network create --internal --subnet 10.7.0.0/24 --gateway 10.7.0.254 back",
              "sctr network connect --alias database back db",
              "sctr network reload --all      # after the firewall was flushed",
              "sctr network create --driver macvlan --parent eth0 --subnet 192.168.1.0/24 lan"});
    add_network_create_flags(app, flags.create);
    add_switch(app, "--ignore", flags.ignore, "of create: no error where it is there already");
    add_text(app, "--ip", flags.addresses.ip, "of connect: its address there");
    add_text(app, "--ip6", flags.addresses.ip6, "of connect: its IPv6 address there");
    add_text(app, "--mac-address", flags.addresses.mac, "of connect: its hardware address there");
    add_texts(app, "--alias", flags.addresses.aliases, "of connect: one more name there");
    add_switch(app, "-a,--all", flags.all, "of reload: every container");
    add_switch(app, "-f,--force", flags.force, "of prune: nothing is asked anyway");
    add_switch(app, "--json", flags.json, "of ls: as a JSON array");
    add_format(app, "--format", flags.format);
    add_switch(app, "-q,--quiet", flags.quiet, "of ls: names alone");
    Names names = parse_names(app, words);
    const std::string what = names.empty() ? "" : names.front();
    if (!names.empty()) {
        names.erase(names.begin());
    }
    require_prune_to_force(flags.force, what);
    return as_typed(TypedNames(app, words), [&] { return act(what, flags, names, app); });
}

} // namespace sctr::cli
