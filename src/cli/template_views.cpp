// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/template_views.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/image_names.hpp"
#include "cli/ps_view.hpp"
#include "cli/template_ports.hpp"
#include "cli/time_point.hpp"

namespace sctr::cli {
namespace {

using Json = TemplateView;

/// A member of what may be nothing; nothing where there is none.
Json within(const Json& whole, std::initializer_list<const char*> names) {
    const Json* part = &whole;
    for (const char* const name : names) {
        const auto found = part->is_object() ? part->find(name) : part->end();
        if (!part->is_object() || found == part->end()) {
            return nullptr;
        }
        part = &*found;
    }
    return *part;
}

Json or_else(const Json& value, const Json& otherwise) {
    return value.is_null() ? otherwise : value;
}

std::string text_at(const Json& whole, std::initializer_list<const char*> names) {
    const Json found = within(whole, names);
    return found.is_string() ? found.get<std::string>() : "";
}

void know(Json& view, std::initializer_list<const char*> names) {
    for (const char* const name : names) {
        if (!view.contains(name)) {
            view[name] = nullptr;
        }
    }
}

/// `value` is a copy: a new member may move those that are there.
void put(Json& view, const char* name, Json value) {
    view[name] = std::move(value);
}

/// "2026-11-22 10:00:00 +0000 UTC", as docker and podman write it.
std::string written_out(const std::string& time) {
    constexpr std::size_t seconds = std::string_view("2026-11-22T10:00:00").size();
    if (time.size() < seconds || !time.ends_with('Z')) {
        return time;
    }
    return time.substr(0, 10) + ' ' + time.substr(11, 8) + " +0000 UTC";
}

/// "3 minutes ago"; nothing where the time is none.
std::string ago(const std::string& time, std::int64_t now_usec) {
    try {
        return format_age(now_usec - parse_time_point("", time, now_usec)) + " ago";
    } catch (const Error&) {
        return "";
    }
}

/// The command in "IMAGE: COMMAND".
std::string command_in(const std::string& description, const std::string& image) {
    if (!image.empty() && description.starts_with(image + ": ")) {
        return description.substr(image.size() + 2);
    }
    return split_once(description, ' ').second.value_or("");
}

/// In docker's words.
std::string state_of(const Json& row) {
    const std::string status = text_at(row, {"status"});
    return status == "stopped" ? "exited" : status == "creating" ? "created" : status;
}

std::string sentence_of(const Json& row, const std::string& uptime) {
    const std::string state = state_of(row);
    if (state == "exited") {
        const Json status = within(row, {"exitStatus"});
        return status.is_null() ? "Exited" : "Exited (" + status.dump() + ")";
    }
    if (state == "created") {
        return "Created";
    }
    const std::string health = text_at(row, {"health"});
    std::string text = "Up" + (uptime.empty() ? "" : " " + uptime);
    if (!health.empty()) {
        text += health == "starting" ? " (health: starting)" : " (" + health + ")";
    }
    return text + (state == "paused" ? " (Paused)" : "");
}

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

constexpr const char* never = "0001-01-01T00:00:00Z"; // as docker says that it did not happen

} // namespace

Json ps_view(Json row, const PsExtras& extras) {
    know(row, {"health", "exitStatus", "oomKilled"});
    const std::string created = text_at(row, {"created"});
    put(row, "Names", row["id"]);
    put(row, "Name", row["id"]);
    row["Command"] = command_in(text_at(row, {"description"}), text_at(row, {"image"}));
    row["State"] = state_of(row);
    row["Status"] = sentence_of(row, extras.uptime);
    row["ExitCode"] = or_else(row["exitStatus"], 0);
    row["CreatedAt"] = written_out(created);
    row["RunningFor"] = ago(created, extras.now_usec);
    row["Ports"] = ports_in_a_line(extras.ports);
    row["Networks"] = join(extras.networks, ",");
    row["Labels"] = or_else(within(row, {"labels"}), Json::object());
    put(row, "Label", row["Labels"]);
    row.erase("labels"); // which ps --json has not, and Labels is for any case
    return row;
}

namespace {

Json state_view(const Json& inspected) {
    const std::string state = state_of(inspected);
    const bool runs = state == "running" || state == "paused";
    const Json health = within(inspected, {"health"});
    Json shown = Json::object();
    if (!health.is_null()) {
        shown = {{"Status", text_at(health, {"status"})},
                 {"FailingStreak", within(health, {"failingStreak"})},
                 {"Log", within(health, {"log"})}};
    }
    const std::string started = text_at(inspected, {runs ? "created" : "started"});
    const std::string finished = text_at(inspected, {"finished"});
    return {{"Status", state},
            {"Running", runs},
            {"Paused", state == "paused"},
            {"Restarting", false},
            {"OOMKilled", or_else(within(inspected, {"oomKilled"}), false)},
            {"Dead", false},
            {"Pid", or_else(within(inspected, {"pid"}), 0)},
            {"ExitCode", or_else(within(inspected, {"exitStatus"}), 0)},
            {"Error", text_at(inspected, {"error"})},
            {"StartedAt", started.empty() ? never : started},
            {"FinishedAt", finished.empty() || runs ? never : finished},
            {"Health", shown.empty() ? Json(nullptr) : shown}};
}

Json config_view(const Json& inspected) {
    const Json process = within(inspected, {"config", "process"});
    const Json user = within(process, {"user"});
    const std::string group = within(user, {"gid"}).dump();
    return {{"Hostname", text_at(inspected, {"config", "hostname"})},
            {"User", user.is_null() ? "" : within(user, {"uid"}).dump() + ":" + group},
            {"Tty", or_else(within(process, {"terminal"}), false)},
            {"Env", or_else(within(process, {"env"}), Json::array())},
            {"Cmd",
             or_else(within(process, {"args"}),
                     or_else(within(inspected, {"definition", "command"}), Json::array()))},
            {"Image", text_at(inspected, {"image"})},
            {"WorkingDir", text_at(process, {"cwd"})},
            {"Labels", or_else(within(inspected, {"labels"}), Json::object())}};
}

/// The first address of each family.
void show_addresses(Json& view, const Json& network) {
    view["IPAddress"] = "";
    view["GlobalIPv6Address"] = "";
    for (const Json& address : or_else(within(network, {"addresses"}), Json::array())) {
        Json& place =
            view[address.get<std::string>().contains(':') ? "GlobalIPv6Address" : "IPAddress"];
        place = place == "" ? address : place;
    }
    view["MacAddress"] = text_at(network, {"mac"});
}

Json network_settings(const Json& inspected) {
    const Json known = or_else(within(inspected, {"network", "networks"}), Json::object());
    auto networks = Json::object();
    for (const auto& [name, network] : known.items()) {
        show_addresses(networks[name], network);
        networks[name]["Aliases"] = or_else(within(network, {"aliases"}), Json::array());
    }
    Json view{{"Networks", networks},
              {"Ports", ports_by_name(within(inspected, {"network", "ports"}))}};
    show_addresses(view, known.empty() ? Json(nullptr) : known.front());
    return view;
}

/// The value of a flag as the definition has it; the last counts.
std::string flag_in(const Json& inspected, const std::string& flag) {
    std::string value;
    const Json flags = or_else(within(inspected, {"definition", "flags"}), Json::array());
    for (std::size_t i = 0; i < flags.size(); ++i) {
        const auto word = flags[i].get<std::string>();
        if (word.starts_with(flag + "=")) {
            value = word.substr(flag.size() + 1);
        } else if (word == flag && i + 1 < flags.size()) {
            value = flags[i + 1].get<std::string>();
        }
    }
    return value;
}

Json host_config(const Json& inspected) {
    const Json resources =
        or_else(within(inspected, {"config", "linux", "resources"}), Json::object());
    const Json quota = or_else(within(resources, {"cpu", "quota"}), 0);
    const Json period = or_else(within(resources, {"cpu", "period"}), 0);
    const auto microseconds = period.get<std::int64_t>();
    constexpr std::int64_t billion = 1'000'000'000;
    const std::string restart = flag_in(inspected, "--restart");
    return {{"Memory", or_else(within(resources, {"memory", "limit"}), 0)},
            {"MemorySwap", or_else(within(resources, {"memory", "swap"}), 0)},
            {"MemoryReservation", or_else(within(resources, {"memory", "reservation"}), 0)},
            {"CpuShares", or_else(within(resources, {"cpu", "shares"}), 0)},
            {"CpuQuota", quota},
            {"CpuPeriod", period},
            {"NanoCpus",
             microseconds > 0 && quota.get<std::int64_t>() > 0
                 ? quota.get<std::int64_t>() * (billion / microseconds)
                 : 0},
            {"CpusetCpus", text_at(resources, {"cpu", "cpus"})},
            {"PidsLimit", or_else(within(resources, {"pids", "limit"}), 0)},
            {"ReadonlyRootfs", or_else(within(inspected, {"config", "root", "readonly"}), false)},
            {"PortBindings", ports_by_name(within(inspected, {"network", "ports"}))},
            {"RestartPolicy", {{"Name", restart.empty() ? "no" : restart}}}};
}

/// Those that were asked for: the files of names are everybody's.
Json mounts_view(const Json& inspected) {
    auto mounts = Json::array();
    const Json all = or_else(within(inspected, {"config", "mounts"}), Json::array());
    for (const Json& mount : all) {
        const std::string source = text_at(mount, {"source"});
        const bool of_names = source.contains("/sctr/" + text_at(inspected, {"id"}) + "/");
        if (text_at(mount, {"type"}) != "bind" || of_names) {
            continue;
        }
        const Json options = or_else(within(mount, {"options"}), Json::array());
        const std::vector<std::string> parts = split(source, '/');
        const bool is_volume = parts.size() > 3 && source.contains("/sctr/") &&
                               parts[parts.size() - 3] == "volumes" && parts.back() == "data";
        mounts.push_back({{"Type", is_volume ? "volume" : "bind"},
                          {"Name", is_volume ? parts[parts.size() - 2] : ""},
                          {"Source", source},
                          {"Destination", text_at(mount, {"destination"})},
                          {"RW", !std::ranges::contains(options, Json("ro"))}});
    }
    return mounts;
}

} // namespace

Json container_view(Json inspected) {
    // What depends on whether it runs, and on what was asked for.
    know(inspected,
         {"pid",
          "exitStatus",
          "oomKilled",
          "started",
          "finished",
          "error",
          "service",
          "rootfs",
          "health",
          "healthcheck",
          "network",
          "systemd",
          "definition",
          "labels",
          "config"});
    Json view = inspected;
    view["Name"] = inspected["id"];
    view["State"] = state_view(inspected);
    view["Config"] = config_view(inspected);
    const Json& command = view["Config"]["Cmd"];
    view["Path"] = command.empty() ? Json("") : command.front();
    view["Args"] = command.empty() ? Json::array() : Json(command.begin() + 1, command.end());
    view["NetworkSettings"] = network_settings(inspected);
    view["HostConfig"] = host_config(inspected);
    view["Mounts"] = mounts_view(inspected);
    return view;
}

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
