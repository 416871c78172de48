// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/template_views.hpp"

#include "base/strings.hpp"
#include "cli/image_names.hpp"
#include "cli/view_json.hpp"

namespace sctr::cli {
namespace {

using Json = TemplateView;

std::pair<std::string, std::string> repository_and_tag(const std::string& name) {
    if (const std::size_t at = name.find('@'); at != std::string::npos) {
        return {name.substr(0, at), "<none>"};
    }
    const std::size_t colon = name.rfind(':');
    if (colon == std::string::npos || name.find('/', colon) != std::string::npos) {
        return {name, "<none>"};
    }
    return {name.substr(0, colon), name.substr(colon + 1)};
}

} // namespace

std::vector<Json> image_rows(const Json& image, std::int64_t now_usec) {
    std::vector<std::string> names = image.at("names").get<std::vector<std::string>>();
    if (names.empty()) {
        names.emplace_back("<none>:<none>");
    }
    const std::string created = text_at(image, {"created"});
    std::vector<Json> rows;
    for (const std::string& name : names) {
        Json row = image;
        const auto [repository, tag] = repository_and_tag(name);
        row["ID"] = text_at(image, {"id"}).substr(0, 12);
        row["Repository"] = repository;
        row["Tag"] = tag;
        row["Size"] = size_text(image.at("size").get<std::int64_t>());
        row["CreatedAt"] = written_out(created);
        row["CreatedSince"] = ago(created, now_usec);
        rows.push_back(std::move(row));
    }
    return rows;
}

Json image_view(Json inspected) {
    Json view = inspected;
    const Json process = or_else(within(inspected, {"config", "config"}), Json::object());
    Json config{{"User", ""},
                {"ExposedPorts", Json::object()},
                {"Env", Json::array()},
                {"Entrypoint", Json::array()},
                {"Cmd", Json::array()},
                {"Volumes", Json::object()},
                {"WorkingDir", ""},
                {"Labels", Json::object()},
                {"StopSignal", ""},
                {"Healthcheck", nullptr}};
    for (const auto& [name, value] : process.items()) {
        config[name] = or_else(value, within(config, {name.c_str()}));
    }
    const std::string digest = text_at(inspected, {"digest"});
    auto digests = Json::array();
    for (const Json& name : inspected["names"]) {
        digests.push_back(repository_and_tag(name.get<std::string>()).first + "@" + digest);
    }
    view["Config"] = config;
    view["RepoTags"] = inspected["names"];
    view["RepoDigests"] = digests;
    view["Architecture"] = text_at(inspected, {"config", "architecture"});
    view["Os"] = text_at(inspected, {"config", "os"});
    view["Created"] = text_at(inspected, {"config", "created"});
    view["Author"] = text_at(inspected, {"config", "author"});
    view["Labels"] = config["Labels"];
    view["RootFS"] = {
        {"Type", "layers"},
        {"Layers", or_else(within(inspected, {"config", "rootfs", "diff_ids"}), Json::array())}};
    return view;
}

Json volume_view(Json volume) {
    volume["Driver"] = "local";
    volume["Scope"] = "local";
    put(volume, "Mountpoint", volume["path"]);
    put(volume, "CreatedAt", volume["created"]);
    put(volume, "Label", volume["labels"]);
    return volume;
}

Json network_view(Json network) {
    auto subnets = Json::array();
    bool is_v6 = false;
    for (const Json& subnet : or_else(within(network, {"subnets"}), Json::array())) {
        subnets.push_back(
            {{"Subnet", text_at(subnet, {"subnet"})}, {"Gateway", text_at(subnet, {"gateway"})}});
        is_v6 = is_v6 || text_at(subnet, {"subnet"}).contains(':');
    }
    network["Scope"] = "local";
    network["IPAM"] = {{"Config", subnets}};
    network["IPv6"] = is_v6;
    network["EnableIPv6"] = is_v6;
    put(network, "CreatedAt", network["created"]);
    put(network, "NetworkInterface", network["interface"]);
    put(network, "DNSEnabled", network["dns"]);
    put(network, "Label", network["labels"]);
    return network;
}

Json history_view(Json entry) {
    put(entry, "ID", "<missing>"); // as docker says of all that are only described
    put(entry, "CreatedAt", entry["created"]);
    put(entry, "Size", size_text(entry["size"].get<std::int64_t>()));
    return entry;
}

Json event_view(Json event) {
    know(event, {"image", "command", "health", "exitStatus"});
    put(event, "Status", event["event"]);
    put(event, "Action", event["event"]);
    event["Type"] = "container";
    put(event, "ID", event["name"]);
    put(event, "ContainerExitCode", event["exitStatus"]);
    event["Actor"] = {
        {"ID", event["name"]},
        {"Attributes",
         {{"name", event["name"]}, {"image", event["image"]}, {"exitCode", event["exitStatus"]}}}};
    return event;
}

} // namespace sctr::cli
