// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/definition.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strings.hpp"

namespace sctr::network {

namespace {

using nlohmann::json;

constexpr int version = 1;

constexpr std::array<std::pair<Isolation, const char*>, 3> isolations = {{
    {Isolation::none, "none"},
    {Isolation::others, "others"},
    {Isolation::strict, "strict"},
}};

const char* to_string(Isolation isolation) {
    return std::ranges::find(isolations, isolation, &std::pair<Isolation, const char*>::first)
        ->second;
}

Isolation isolation_from(const std::string& word) {
    for (const auto& [isolation, name] : isolations) {
        if (word == name) {
            return isolation;
        }
    }
    throw Error("cannot read the network").at("isolation").because("'" + word + "' means nothing");
}

json subnets_json(const std::vector<SubnetPlan>& subnets) {
    json list = json::array();
    for (const SubnetPlan& each : subnets) {
        json value = {{"subnet", each.subnet.text()}};
        if (each.gateway) {
            value["gateway"] = each.gateway->text();
        }
        if (each.range) {
            value["range"] = {each.range->first.text(), each.range->last.text()};
        }
        list.push_back(std::move(value));
    }
    return list;
}

SubnetPlan subnet_from_json(const json& value) {
    SubnetPlan plan;
    const auto text = value.at("subnet").get<std::string>();
    const auto subnet = Subnet::parse(text);
    if (!subnet) {
        throw Error("cannot read the network").at("subnets").because("'" + text + "' is no subnet");
    }
    plan.subnet = *subnet;
    if (const auto gateway = value.find("gateway"); gateway != value.end()) {
        plan.gateway = Address::parse(gateway->get<std::string>());
        if (!plan.gateway || !plan.subnet.contains(*plan.gateway)) {
            throw Error("cannot read the network").at("gateway").because("it is not in " + text);
        }
    }
    if (const auto range = value.find("range"); range != value.end()) {
        const auto first = Address::parse(range->at(0).get<std::string>());
        const auto last = Address::parse(range->at(1).get<std::string>());
        if (!first || !last || !plan.subnet.contains(*first) || !plan.subnet.contains(*last)) {
            throw Error("cannot read the network").at("range").because("it is not in " + text);
        }
        plan.range = {.first = *first, .last = *last};
    }
    return plan;
}

bool is_plain(const std::string& text, std::string_view marks) {
    return std::ranges::all_of(text, [&](unsigned char letter) {
        return (letter < 0x80 && std::isalnum(letter) != 0) ||
               marks.contains(static_cast<char>(letter));
    });
}

} // namespace

bool Definition::has_v6() const {
    return std::ranges::any_of(subnets,
                               [](const SubnetPlan& each) { return each.subnet.base.is_v6(); });
}

std::string to_json(const Definition& definition) {
    return json({{"version", version},
                 {"name", definition.name},
                 {"id", definition.id},
                 {"driver", definition.driver},
                 {"mode", definition.mode},
                 {"interface", definition.interface},
                 {"subnets", subnets_json(definition.subnets)},
                 {"internal", definition.internal},
                 {"isolation", to_string(definition.isolation)},
                 {"mtu", definition.mtu},
                 {"dns", definition.dns},
                 {"servers", definition.servers},
                 {"labels", definition.labels},
                 {"createdUsec", definition.created_usec}})
               .dump(2, ' ', false, json::error_handler_t::replace) +
           '\n';
}

Definition definition_from_json(const std::string& text) {
    try {
        const json value = json::parse(text);
        if (const int found = value.at("version").get<int>(); found > version) {
            throw Error("cannot read the network")
                .because("it was written by a newer sctr (version " + std::to_string(found) + ")");
        }
        Definition definition;
        value.at("name").get_to(definition.name);
        value.at("id").get_to(definition.id);
        value.at("driver").get_to(definition.driver);
        value.at("interface").get_to(definition.interface);
        definition.mode = value.value("mode", "");
        for (const json& subnet : value.at("subnets")) {
            definition.subnets.push_back(subnet_from_json(subnet));
        }
        definition.internal = value.value("internal", false);
        definition.isolation = isolation_from(value.value("isolation", "none"));
        definition.mtu = value.value("mtu", 0U);
        definition.dns = value.value("dns", true);
        definition.servers = value.value("servers", definition.servers);
        definition.labels = value.value("labels", definition.labels);
        definition.created_usec = value.value("createdUsec", std::int64_t{0});
        check_network_name(definition.name);
        if (!is_sha256(definition.id)) {
            throw Error("cannot read the network").at("id").because("it is not 64 hex digits");
        }
        return definition;
    } catch (const json::exception& error) {
        throw Error("cannot read the network").because(error.what());
    }
}

void check_network_name(const std::string& name) {
    static constexpr std::array<std::string_view, 12> taken = {"bridge",
                                                               "container",
                                                               "default",
                                                               "host",
                                                               "ipvlan",
                                                               "macvlan",
                                                               "none",
                                                               "ns",
                                                               "pasta",
                                                               "private",
                                                               "slirp4netns",
                                                               "zone"};
    constexpr std::size_t longest = 64;
    if (std::ranges::contains(taken, name)) {
        throw Error("a network cannot have this name")
            .at(name)
            .because("--network " + name + " has a meaning of its own");
    }
    if (name.empty() || name.size() > longest || !is_plain(name, "_.-") ||
        std::string_view("_.-").contains(name.front())) {
        throw Error("invalid network name")
            .at(name)
            .mend("1 to 64 letters, digits, '_', '.' or '-', the first a letter or digit");
    }
}

bool is_host_name(const std::string& name) {
    constexpr std::size_t longest = 253;
    constexpr std::size_t longest_label = 63;
    const auto labels = split(name, '.');
    return name.size() <= longest && is_plain(name, "_.-") &&
           std::ranges::all_of(labels, [](const std::string& label) {
               return !label.empty() && label.size() <= longest_label && label.front() != '-' &&
                      label.back() != '-';
           });
}

} // namespace sctr::network
