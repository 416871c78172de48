// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/disk_use.hpp"

#include <cstdio>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/image_names.hpp"
#include "cli/log.hpp"
#include "cli/record_json.hpp"
#include "cli/request_builder.hpp"
#include "cli/table.hpp"
#include "container/definition.hpp"
#include "container/engine.hpp"
#include "container/record_store.hpp"
#include "storage/root.hpp"
#include "storage/sizes.hpp"
#include "storage/volumes.hpp"

namespace sctr::cli {

namespace {

using storage::Store;

/// The containers that there are, and what they need.
struct Containers {
    std::set<std::string> all;
    std::set<std::string> running;
    std::set<std::string> images;  ///< digests
    std::set<std::string> sources; ///< of the mounts of those that run
    std::set<std::string> volumes; ///< names, of those that are stored
};

void add_running(Containers& containers,
                 const container::RecordStore& records,
                 const std::string& name) {
    containers.running.insert(name);
    try {
        const oci::Spec config = records.load_config(name);
        if (const auto found = config.annotations.find(image_digest_annotation);
            found != config.annotations.end()) {
            containers.images.insert(found->second);
        }
        for (const oci::Mount& mount : config.mounts) {
            containers.sources.insert(mount.source);
        }
    } catch (const Error& error) {
        log(LogLevel::debug, error.what()); // it has ended meanwhile
    }
}

Containers find_containers() {
    Containers containers;
    const container::RecordStore records(container::RecordStore::default_root());
    for (const container::Record& record : records.list()) {
        containers.all.insert(record.id);
        if (container::current_status(record) != container::Status::stopped) {
            add_running(containers, records, record.id);
        }
    }
    const container::DefinitionStore stored(container::DefinitionStore::default_root());
    for (const container::Definition& definition : stored.list()) {
        containers.all.insert(definition.name);
        containers.images.insert(definition.image_digest);
        containers.volumes.insert(definition.volumes.begin(), definition.volumes.end());
    }
    return containers;
}

struct Use {
    const char* type;
    std::size_t total = 0;
    std::size_t active = 0;
    std::int64_t size = 0;
    std::int64_t needed = 0; ///< of it, what is in use

    void add(bool is_active, std::int64_t bytes) {
        ++total;
        active += is_active ? 1 : 0;
        size += bytes;
        needed += is_active ? bytes : 0;
    }

    [[nodiscard]] std::int64_t reclaimable() const { return size - needed; }
};

/// A layer counts once, whoever shares it.
Use use_of_images(const Store& store, const Containers& containers) {
    Use use{.type = "Images"};
    std::set<std::string> all;
    std::set<std::string> needed;
    for (const oci::StoredImage& image : store.images()) {
        const bool is_active = containers.images.contains(image.digest);
        use.add(is_active, 0);
        all.insert(image.layers.begin(), image.layers.end());
        if (is_active) {
            needed.insert(image.layers.begin(), image.layers.end());
        }
    }
    for (const std::string& chain_id : all) {
        const std::int64_t size = storage::layer_size(store, chain_id);
        use.size += size;
        use.needed += needed.contains(chain_id) ? size : 0;
    }
    return use;
}

/// What they have written.
Use use_of_containers(const Store& store, const Containers& containers) {
    Use use{.type = "Containers"};
    for (const std::string& name : containers.all) {
        use.add(containers.running.contains(name),
                storage::tree_size(store.root() + "/roots/" + name + "/upper"));
    }
    return use;
}

Use use_of_volumes(const Store& store, const Containers& containers) {
    Use use{.type = "Volumes"};
    for (const storage::Volume& volume : storage::list_volumes(store)) {
        const std::string data = storage::volume_data(store, volume.name);
        use.add(containers.volumes.contains(volume.name) || containers.sources.contains(data),
                storage::tree_size(data));
    }
    return use;
}

std::string share_text(const Use& use) {
    constexpr std::int64_t whole = 100;
    const std::int64_t percent = use.size == 0 ? 0 : use.reclaimable() * whole / use.size;
    return size_text(use.reclaimable()) + " (" + std::to_string(percent) + "%)";
}

} // namespace

void show_disk_use(const Store& store, bool json) {
    const Containers containers = find_containers();
    auto all = nlohmann::ordered_json::array();
    Table table({"TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"});
    for (const Use& use : {use_of_images(store, containers),
                           use_of_containers(store, containers),
                           use_of_volumes(store, containers)}) {
        all.push_back({{"type", use.type},
                       {"total", use.total},
                       {"active", use.active},
                       {"size", use.size},
                       {"reclaimable", use.reclaimable()}});
        table.add({use.type,
                   std::to_string(use.total),
                   std::to_string(use.active),
                   size_text(use.size),
                   share_text(use)});
    }
    std::fputs(json ? (json_text(all) + '\n').c_str() : table.text().c_str(), stdout);
}

} // namespace sctr::cli
