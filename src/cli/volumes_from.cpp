// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/volumes_from.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/image_source.hpp"
#include "cli/request_builder.hpp"
#include "cli/service_flags.hpp"
#include "cli/values.hpp"
#include "container/definition.hpp"
#include "container/engine.hpp"
#include "container/id.hpp"
#include "storage/volumes.hpp"

namespace sctr::cli {
namespace {

constexpr int deepest = 16; ///< containers that take from each other in a circle

std::vector<CallersMount>
mounts_of(const std::string& text, const container::RecordStore& records, int depth);

std::vector<CallersMount> mounts_of_all(const std::vector<std::string>& names,
                                        const container::RecordStore& records,
                                        int depth) {
    std::vector<CallersMount> all;
    for (const std::string& name : names) {
        for (CallersMount& callers : mounts_of(name, records, depth)) {
            all.push_back(std::move(callers));
        }
    }
    return all;
}

std::vector<CallersMount> mounts_of_stored(const container::Definition& definition,
                                           const container::RecordStore& records,
                                           int depth) {
    const RunFlags flags = parse_run_flags(words_of(definition));
    const Caller caller = caller_of(definition);
    RootfsFacts facts;
    facts.working_directory = caller.working_directory;
    facts.volume_owner = caller.volume_owner;
    facts.volumes = storage::volumes_directory(storage::Store::own());
    if (const auto image = open_pinned_image(definition.image, definition.image_digest)) {
        facts.image_process = image->image.config;
    }
    facts.volumes_from = mounts_of_all(flags.mounts.volumes_from, records, depth + 1);
    return callers_mounts(flags.mounts, facts);
}

/// Every container has these of its own.
bool is_standard(const std::string& destination) {
    constexpr std::array<std::string_view, 4> own = {"/proc", "/sys", "/dev", "/run/notify"};
    return std::ranges::any_of(own, [&](std::string_view path) {
        return destination == path || destination.starts_with(std::string(path) + "/");
    });
}

std::vector<CallersMount> mounts_of_recorded(const std::string& name,
                                             const container::RecordStore& records) {
    const auto config = container::load_settled(records, name).second;
    const std::string volumes = storage::volumes_directory(storage::Store::own()) + "/";
    constexpr std::string_view data = "/data";
    std::vector<CallersMount> mounts;
    for (const oci::Mount& mount : config.mounts) {
        if (mount.type != "bind" || is_standard(mount.destination)) {
            continue;
        }
        CallersMount callers{.mount = mount};
        if (mount.source.starts_with(volumes) && mount.source.ends_with(data)) {
            const std::string rest = mount.source.substr(volumes.size());
            callers.volume = {.name = rest.substr(0, rest.size() - data.size())};
            std::erase(callers.mount.options, "idmap"); // the taker may have other ids, or none
        }
        mounts.push_back(std::move(callers));
    }
    return mounts;
}

std::vector<CallersMount>
mounts_of(const std::string& text, const container::RecordStore& records, int depth) {
    const auto [name, mode] = split_once(text, ':');
    if (mode && *mode != "ro" && *mode != "rw") {
        throw bad_value("--volumes-from", text, "", "CONTAINER[:ro|rw]");
    }
    if (depth > deepest) {
        throw Error("containers take volumes from each other in a circle").at(name);
    }
    container::check_id(name);
    const container::DefinitionStore stored(container::DefinitionStore::default_root());
    auto mounts = stored.has(name) ? mounts_of_stored(stored.load(name), records, depth)
                                   : mounts_of_recorded(name, records);
    std::erase_if(mounts, [](const CallersMount& callers) { return callers.mount.type != "bind"; });
    for (CallersMount& callers : mounts) {
        callers.chown = false;
        if (mode) {
            std::erase_if(callers.mount.options,
                          [](const std::string& word) { return word == "ro" || word == "rw"; });
            callers.mount.options.push_back(*mode);
        }
    }
    return mounts;
}

} // namespace

std::vector<CallersMount> mounts_of_others(const std::vector<std::string>& names,
                                           const container::RecordStore& records) {
    return mounts_of_all(names, records, 0);
}

} // namespace sctr::cli
