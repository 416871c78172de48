// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include <cstdio>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/record_json.hpp"
#include "cli/verbs.hpp"
#include "container/id.hpp"
#include "container/record_store.hpp"
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

nlohmann::ordered_json unit_json(systemd::Manager& manager, const std::string& unit) {
    const auto status = manager.unit_status(unit);
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

} // namespace

int inspect_verb(const Words& words) {
    CLI::App app("Shows all that is known of containers, as a JSON array.", "sctr inspect");
    describe(app, "NAME...", {"sctr inspect web", "sctr inspect web | jq '.[0].config.mounts'"});
    const auto names = parse_names(app, words);
    if (names.empty()) {
        throw Error("no container named").mend("see 'sctr inspect --help'");
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
        if (auto unit = unit_json(*manager, record.unit); !unit.is_null()) {
            json["systemd"] = std::move(unit);
        }
        json["config"] = nlohmann::ordered_json::parse(oci::serialize(store.load_config(name)));
        list.push_back(std::move(json));
    }
    std::puts(json_text(list).c_str());
    return 0;
}

} // namespace sctr::cli
