// SPDX-License-Identifier: LGPL-2.1-or-later
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "network/state.hpp"

/// Attachments as they are written down.
namespace sctr::network {

namespace {

using nlohmann::json;

json process_json(const Process& process) {
    return {{"pid", process.pid}, {"startTime", process.start_time}};
}

Process process_from(const json& value, const char* name) {
    const json& process = value.at(name);
    return {.pid = process.at("pid").get<pid_t>(),
            .start_time = process.at("startTime").get<std::uint64_t>()};
}

json use_json(const plan::NetworkUse& use) {
    return {{"name", use.name},
            {"ip", use.ip},
            {"ip6", use.ip6},
            {"mac", use.mac},
            {"aliases", use.aliases},
            {"interfaceName", use.interface_name}};
}

plan::NetworkUse use_from(const json& value) {
    return {.name = value.at("name").get<std::string>(),
            .ip = value.at("ip").get<std::string>(),
            .ip6 = value.at("ip6").get<std::string>(),
            .mac = value.at("mac").get<std::string>(),
            .aliases = value.at("aliases").get<std::vector<std::string>>(),
            .interface_name = value.at("interfaceName").get<std::string>()};
}

json attached_json(const Attached& attached) {
    json addresses = json::array();
    for (const Address& address : attached.addresses) {
        addresses.push_back(address.text());
    }
    return {{"network", json::parse(to_json(attached.network))},
            {"use", use_json(attached.use)},
            {"interface", attached.interface},
            {"addresses", addresses},
            {"mac", attached.mac}};
}

Attached attached_from(const json& value) {
    Attached attached{.network = definition_from_json(value.at("network").dump()),
                      .use = use_from(value.at("use")),
                      .interface = value.at("interface").get<std::string>(),
                      .addresses = {},
                      .mac = value.at("mac").get<std::string>()};
    for (const json& text : value.at("addresses")) {
        if (const auto address = Address::parse(text.get<std::string>())) {
            attached.addresses.push_back(*address);
        }
    }
    return attached;
}

json port_json(const plan::PublishedPort& port) {
    return {{"hostIp", port.host_ip},
            {"hostPort", port.host_port},
            {"containerPort", port.container_port},
            {"range", port.range},
            {"protocol", port.protocol}};
}

plan::PublishedPort port_from(const json& value) {
    return {.host_ip = value.at("hostIp").get<std::string>(),
            .host_port = value.at("hostPort").get<std::uint16_t>(),
            .container_port = value.at("containerPort").get<std::uint16_t>(),
            .range = value.at("range").get<std::uint16_t>(),
            .protocol = value.at("protocol").get<std::string>()};
}

json naming_json(const Naming& naming) {
    json entries = json::array();
    for (const plan::HostEntry& entry : naming.files.entries) {
        entries.push_back({{"address", entry.address}, {"name", entry.name}});
    }
    return {{"hosts", naming.files.hosts},
            {"resolvConf", naming.files.resolv_conf},
            {"hostnameFile", naming.files.hostname},
            {"entries", entries},
            {"servers", naming.files.servers},
            {"search", naming.files.search},
            {"options", naming.files.options},
            {"hostname", naming.hostname},
            {"directory", naming.directory},
            {"isHosts", naming.is_hosts},
            {"isPasta", naming.is_pasta},
            {"pastaServers", naming.pasta_servers}};
}

Naming naming_from(const json& value) {
    Naming naming;
    value.at("hosts").get_to(naming.files.hosts);
    value.at("resolvConf").get_to(naming.files.resolv_conf);
    value.at("hostnameFile").get_to(naming.files.hostname);
    for (const json& entry : value.at("entries")) {
        naming.files.entries.push_back({.address = entry.at("address").get<std::string>(),
                                        .name = entry.at("name").get<std::string>()});
    }
    value.at("servers").get_to(naming.files.servers);
    value.at("search").get_to(naming.files.search);
    value.at("options").get_to(naming.files.options);
    value.at("hostname").get_to(naming.hostname);
    value.at("directory").get_to(naming.directory);
    value.at("isHosts").get_to(naming.is_hosts);
    value.at("isPasta").get_to(naming.is_pasta);
    value.at("pastaServers").get_to(naming.pasta_servers);
    return naming;
}

} // namespace

std::string to_json(const Attachment& attachment) {
    json networks = json::array();
    for (const Attached& each : attachment.networks) {
        networks.push_back(attached_json(each));
    }
    json ports = json::array();
    for (const plan::PublishedPort& port : attachment.ports) {
        ports.push_back(port_json(port));
    }
    return json({{"version", 1},
                 {"container", attachment.container},
                 {"id", attachment.id},
                 {"supervisor", process_json(attachment.supervisor)},
                 {"init", process_json(attachment.init)},
                 {"networks", networks},
                 {"ports", ports},
                 {"servers", attachment.servers},
                 {"zone", attachment.zone},
                 {"failedUndos", attachment.failed_undos},
                 {"naming", naming_json(attachment.naming)}})
        .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<Attachment> attachment_from_json(const std::string& text) {
    try {
        const json value = json::parse(text);
        Attachment attachment;
        value.at("container").get_to(attachment.container);
        value.at("id").get_to(attachment.id);
        attachment.supervisor = process_from(value, "supervisor");
        attachment.init = process_from(value, "init");
        value.at("zone").get_to(attachment.zone);
        for (const json& each : value.at("networks")) {
            attachment.networks.push_back(attached_from(each));
        }
        for (const json& each : value.at("ports")) {
            attachment.ports.push_back(port_from(each));
        }
        value.at("servers").get_to(attachment.servers);
        attachment.failed_undos = value.value("failedUndos", 0U);
        if (const auto naming = value.find("naming"); naming != value.end()) {
            attachment.naming = naming_from(*naming); // an older sctr has written none
        }
        return attachment;
    } catch (const json::exception&) {
        return std::nullopt;
    } catch (const Error&) {
        return std::nullopt;
    }
}

} // namespace sctr::network
