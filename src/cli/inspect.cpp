// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include <cstdio>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "cli/declared.hpp"
#include "cli/flags.hpp"
#include "cli/health_view.hpp"
#include "cli/output_format.hpp"
#include "cli/ps_view.hpp"
#include "cli/record_json.hpp"
#include "cli/request_builder.hpp"
#include "cli/target.hpp"
#include "cli/template_views.hpp"
#include "cli/typed_names.hpp"
#include "cli/verbs.hpp"
#include "container/id.hpp"
#include "container/record_store.hpp"
#include "container/service_runs.hpp"
#include "container/system_containers.hpp"
#include "network/ports.hpp"
#include "network/state.hpp"
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

/// Of what is stored, whether it runs or not.
nlohmann::ordered_json definition_json(const container::Definition& definition) {
    return {{"flags", definition.flags},
            {"command", definition.command},
            {"workingDirectory", definition.working_directory},
            {"environment", definition.environment},
            {"created", timestamp(definition.created_usec)}};
}

void add_last_run(nlohmann::ordered_json& json, const container::LastRun& run) {
    json["started"] = timestamp(run.started_usec);
    if (run.finished_usec != 0) {
        json["finished"] = timestamp(run.finished_usec);
    }
    if (!run.error.empty()) {
        json["error"] = run.error;
    }
}

/// One that does not run, and of which there is no record.
nlohmann::ordered_json stored_json(const container::DefinitionStore& definitions,
                                   const std::string& name) {
    const container::Definition definition = definitions.load(name);
    const auto run = definitions.last_run(name);
    const PsRow row = stored_row(definition, run);
    auto json = record_json(row.record, row.status);
    json.erase("pid");
    if (run) {
        add_last_run(json, *run);
    }
    json["labels"] = definition.labels;
    json["definition"] = definition_json(definition);
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

/// One that does not run and that a file describes.
nlohmann::ordered_json declared_json(const declared::Service& service,
                                     const container::RecordStore& store) {
    const PsRow row = declared_row(service, store);
    auto json = record_json(row.record, row.status);
    json.erase("pid");
    json.erase("created");
    if (const auto run = container::ServiceRuns(store.root()).load(service.container)) {
        add_last_run(json, *run);
    }
    json["definition"] = {
        {"file", service.file}, {"flags", service.flags}, {"command", service.command}};
    return json;
}

/// Where it is found; nothing for one without networks.
nlohmann::ordered_json networks_json(const std::string& name) {
    const auto attachment = network::find_attachment(name);
    if (!attachment) {
        return nullptr;
    }
    auto networks = nlohmann::ordered_json::object();
    for (const network::Attached& each : attachment->networks) {
        auto addresses = nlohmann::ordered_json::array();
        for (const network::Address& address : each.addresses) {
            addresses.push_back(address.text());
        }
        networks[each.network.name] = {{"interface", each.interface},
                                       {"addresses", addresses},
                                       {"mac", each.mac},
                                       {"aliases", each.use.aliases}};
    }
    auto ports = nlohmann::ordered_json::array();
    for (const plan::PublishedPort& port : attachment->ports) {
        ports.push_back(network::to_string(port));
    }
    return {{"networks", networks}, {"ports", ports}};
}

nlohmann::ordered_json running_json(const container::RecordStore& store,
                                    const container::DefinitionStore& definitions,
                                    std::optional<systemd::Manager>& manager,
                                    const std::string& name) {
    const container::Record record = store.load(name);
    auto json = record_json(record, container::current_status(record));
    if (!record.service_unit.empty()) {
        json["service"] = record.service_unit;
    }
    if (const auto health = container::load_health(store.root() + "/" + name)) {
        json["health"] = health_json(*health);
        json["healthcheck"] = health_check_json(health->check);
    }
    if (auto networks = networks_json(name); !networks.is_null()) {
        json["network"] = std::move(networks);
    }
    if (!manager) {
        manager.emplace(systemd::own_instance());
    }
    if (auto unit = unit_json(manager->unit_status(record.unit)); !unit.is_null()) {
        json["systemd"] = std::move(unit);
    }
    if (definitions.has(name)) {
        json["definition"] = definition_json(definitions.load(name));
    }
    const oci::Spec config = store.load_config(name);
    json["labels"] = labels_of(config.annotations);
    json["config"] = nlohmann::ordered_json::parse(oci::serialize(config));
    return json;
}

/// What is there of it now: it may end, and its record with it, at any moment.
nlohmann::ordered_json one_json(const container::RecordStore& store,
                                const container::DefinitionStore& definitions,
                                std::optional<systemd::Manager>& manager,
                                const std::string& name) {
    if (store.has(name)) {
        try {
            return running_json(store, definitions, manager, name);
        } catch (const Error&) {
            if (store.has(name)) {
                throw;
            }
        }
    }
    if (definitions.has(name)) {
        return stored_json(definitions, name);
    }
    if (const auto declared = find_declared(name)) {
        return declared_json(*declared, store);
    }
    return running_json(store, definitions, manager, name);
}

} // namespace

int inspect_verb(const Words& words) {
    CLI::App app("Shows all that is known of containers, as a JSON array.", "sctr inspect");
    describe(app,
             "[OPTIONS] NAME...",
             {"sctr inspect web",
              "sctr inspect web | jq '.[0].config.mounts'",
              "sctr inspect -f '{{.State.Status}} {{.NetworkSettings.IPAddress}}' web"});
    std::optional<std::string> format_text;
    add_format(app, "-f,--format", format_text);
    const auto names = parse_names(app, words);
    if (names.empty()) {
        throw Error("no container named").mend("see 'sctr inspect --help'");
    }
    const auto format =
        as_typed(TypedNames(app, words), [&] { return OutputFormat(format_text, false); });
    if (is_for_system()) {
        container::SystemContainers system;
        auto found = nlohmann::ordered_json::array();
        for (const std::string& name : names) {
            container::check_id(name);
            found.push_back(system_json(system, name));
        }
        show_inspected(found, format, container_view);
        return 0;
    }
    const container::RecordStore store(container::RecordStore::default_root());
    const container::DefinitionStore definitions(container::DefinitionStore::default_root());
    std::optional<systemd::Manager> manager; // connected once there is something to ask
    auto list = nlohmann::ordered_json::array();
    for (const std::string& name : names) {
        container::check_id(name); // before it becomes a path
        list.push_back(one_json(store, definitions, manager, name));
    }
    show_inspected(list, format, container_view);
    return 0;
}

} // namespace sctr::cli
