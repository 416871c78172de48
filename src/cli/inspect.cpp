// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include <cstdio>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/record_json.hpp"
#include "cli/target.hpp"
#include "cli/verbs.hpp"
#include "container/system_containers.hpp"
#include "oci/serialize.hpp"
#include "systemd/manager.hpp"

namespace sctr::cli {
namespace {

/// In systemd's own names and units, as `systemctl show` has them.
nlohmann::ordered_json limits_json(const systemd::UnitStatus& status) {
    auto json = nlohmann::ordered_json::object();
    for (const auto& [name, value] : status.limits) {
        if (value == std::numeric_limits<std::uint64_t>::max()) {
            json[name] = "infinity";
        } else {
            json[name] = value;
        }
    }
    if (!status.allowed_cpus.empty()) {
        json["AllowedCPUs"] = status.allowed_cpus;
    }
    return json;
}

nlohmann::ordered_json unit_json(const std::optional<systemd::UnitStatus>& status) {
    if (!status) {
        return nullptr; // not loaded: the container has ended
    }
    return {{"activeState", status->active_state},
            {"subState", status->sub_state},
            {"result", status->result},
            {"controlGroup", status->control_group},
            {"freezerState", status->freezer_state},
            {"invocationId", status->invocation_id},
            {"limits", limits_json(*status)}};
}

/// What everybody may know of a container of the system's.
nlohmann::ordered_json system_json(container::SystemContainers& system, const std::string& name) {
    const container::SystemContainer found = system.running(name);
    auto json = record_json(found.record, found.status);
    json.erase("rootfs"); // it is in the record, which is root's
    json["systemd"] = unit_json(system.unit_status(found.record.unit));
    return json;
}

} // namespace

int inspect_verb(const Words& words) {
    CLI::App app("Shows all that is known of containers, as a JSON array.", "sctr inspect");
    describe(app, "NAME...", {"sctr inspect web", "sctr inspect web | jq '.[0].config.mounts'"});
    const auto names = parse_names(app, words);
    if (names.empty()) {
        throw Error("no container named").mend("see 'sctr inspect --help'");
    }
    if (is_for_system()) {
        container::SystemContainers system;
        auto found = nlohmann::ordered_json::array();
        for (const std::string& name : names) {
            container::check_id(name);
            found.push_back(system_json(system, name));
        }
        std::puts(json_text(found).c_str());
        return 0;
    }
    const container::RecordStore store(container::RecordStore::default_root());
    std::optional<systemd::Manager> manager; // connected once there is something to ask
    auto list = nlohmann::ordered_json::array();
    for (const std::string& name : names) {
        container::check_id(name); // before it becomes a path
        const container::Record record = store.load(name);
        auto json = record_json(record, container::current_status(record));
        if (!manager) {
            manager.emplace(systemd::own_instance());
        }
        if (auto unit = unit_json(manager->unit_status(record.unit)); !unit.is_null()) {
            json["systemd"] = std::move(unit);
        }
        json["config"] = nlohmann::ordered_json::parse(oci::serialize(store.load_config(name)));
        list.push_back(std::move(json));
    }
    std::puts(json_text(list).c_str());
    return 0;
}

} // namespace sctr::cli
