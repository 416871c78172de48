// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/removal.hpp"

#include <chrono>
#include <set>

#include "base/error.hpp"
#include "cli/declared.hpp"
#include "cli/log.hpp"
#include "cli/request_builder.hpp"
#include "container/engine.hpp"
#include "container/id.hpp"
#include "container/stored.hpp"
#include "storage/root.hpp"
#include "storage/volumes.hpp"

namespace sctr::cli {

namespace {

using container::RecordStore;

std::string volume_owner_of(const container::DefinitionStore& stored,
                            const RecordStore& records,
                            const std::string& name) {
    if (stored.has(name)) {
        return stored.load(name).volume_owner;
    }
    if (!records.has(name)) {
        return {};
    }
    const auto annotations = records.load_config(name).annotations;
    const auto found = annotations.find(volume_owner_annotation);
    return found != annotations.end() ? found->second : "";
}

void remove_files(const std::string& name, const std::string& volume_owner) {
    const storage::Store store = storage::Store::own();
    storage::remove_root(store, name);
    storage::remove_volumes_of(store, volume_owner);
}

} // namespace

void remove_container(const std::string& name, const Removal& how) {
    const RecordStore store(RecordStore::default_root());
    container::Stored stored = container::Stored::own();
    const std::string volume_owner =
        how.volumes ? volume_owner_of(stored.definitions(), store, name) : "";
    if (stored.has(name)) {
        stored.remove(name, how.force);
        remove_files(name, volume_owner);
        return;
    }
    refuse_declared("remove",
                    name,
                    "stop it with 'sctr stop " + name +
                        "', remove the file, then `systemctl daemon-reload`");
    if (const std::string unit = declared_unit(store, name); how.force && !unit.empty()) {
        stored.stop(name, unit, std::chrono::microseconds(0)); // else it might be started again
    } else {
        container::remove(
            store, name, how.force, [](const Error& error) { log(LogLevel::warn, error.what()); });
    }
    remove_files(name, volume_owner);
}

bool has_container(const std::string& name) {
    container::check_id(name);
    return RecordStore(RecordStore::default_root()).has(name) ||
           container::DefinitionStore(container::DefinitionStore::default_root()).has(name) ||
           find_declared(name);
}

std::vector<std::string> removable_containers() {
    std::set<std::string> names;
    const RecordStore records(RecordStore::default_root());
    for (const container::Record& record : records.list()) {
        if (!find_declared(record.id)) {
            names.insert(record.id);
        }
    }
    const container::DefinitionStore stored(container::DefinitionStore::default_root());
    for (const container::Definition& definition : stored.list()) {
        names.insert(definition.name);
    }
    return {names.begin(), names.end()};
}

} // namespace sctr::cli
