// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "base/strings.hpp"
#include "cli/template_ports.hpp"
#include "cli/template_views.hpp"
#include "cli/view_json.hpp"

/// Containers, as ps and inspect show them.
namespace sctr::cli {
namespace {

using Json = TemplateView;

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

std::string sentence_of(const Json& row, const PsExtras& extras) {
    const std::string state = state_of(row);
    if (state == "exited") {
        const Json status = within(row, {"exitStatus"});
        const std::string age = ago(text_at(row, {"finished"}), extras.now_usec);
        return (status.is_null() ? "Exited" : "Exited (" + status.dump() + ")") +
               (age.empty() ? "" : " " + age);
    }
    if (state == "created") {
        return "Created";
    }
    const std::string health = text_at(row, {"health"});
    std::string text = "Up" + (extras.uptime.empty() ? "" : " " + extras.uptime);
    if (!health.empty()) {
        text += health == "starting" ? " (health: starting)" : " (" + health + ")";
    }
    return text + (state == "paused" ? " (Paused)" : "");
}

constexpr const char* never = "0001-01-01T00:00:00Z"; // as docker says that it did not happen

} // namespace

Json ps_view(Json row, const PsExtras& extras) {
    know(row, {"health", "exitStatus", "oomKilled", "finished"});
    const std::string created = text_at(row, {"created"});
    put(row, "Names", row["id"]);
    put(row, "Name", row["id"]);
    row["Command"] = command_in(text_at(row, {"description"}), text_at(row, {"image"}));
    row["State"] = state_of(row);
    row["Status"] = sentence_of(row, extras);
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
    const auto [restart, most] = split_once(flag_in(inspected, "--restart"), ':');
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
            {"RestartPolicy",
             {{"Name", restart.empty() ? "no" : restart},
              {"MaximumRetryCount", parse_uint(most.value_or("")).value_or(0)}}}};
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

} // namespace sctr::cli
