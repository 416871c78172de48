// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/image_names.hpp"

#include <array>
#include <cstdio>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/log.hpp"
#include "cli/request_builder.hpp"
#include "container/definition.hpp"
#include "container/engine.hpp"
#include "container/id.hpp"
#include "container/record_store.hpp"
#include "oci/reference.hpp"

namespace sctr::cli {

storage::ImageUse require_image(const storage::Store& store, const std::string& name) {
    auto found = store.find(name);
    if (!found) {
        throw Error("there is no such image").at(name).mend("see 'sctr images'");
    }
    return std::move(*found);
}

std::vector<std::string> names_of(const storage::Store& store, const std::string& digest) {
    std::vector<std::string> names;
    for (const auto& [name, target] : store.names()) {
        if (target == digest) {
            names.push_back(name);
        }
    }
    return names;
}

std::string size_text(std::int64_t bytes) {
    constexpr std::array<const char*, 5> units{"B", "kB", "MB", "GB", "TB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1000 && unit + 1 < units.size(); ++unit) {
        value /= 1000;
    }
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, units.at(unit));
    return text;
}

ImageUsers users_of_image(const std::string& digest) {
    ImageUsers users;
    const container::RecordStore records(container::RecordStore::default_root());
    for (const container::Record& record : records.list()) {
        if (container::current_status(record) == container::Status::stopped) {
            continue;
        }
        try {
            const auto annotations = records.load_config(record.id).annotations;
            const auto found = annotations.find(image_digest_annotation);
            if (found != annotations.end() && found->second == digest) {
                users.running.push_back(record.id);
            }
        } catch (const Error& error) {
            log(LogLevel::debug, error.what()); // it has ended meanwhile
        }
    }
    const container::DefinitionStore stored(container::DefinitionStore::default_root());
    for (const container::Definition& definition : stored.list()) {
        if (definition.image_digest == digest) {
            users.stored.push_back(definition.name);
        }
    }
    return users;
}

void refuse_if_used(const std::string& digest) {
    const auto [running, stored] = users_of_image(digest);
    Error error("cannot remove the image");
    error.at(digest.substr(0, short_id));
    if (!running.empty()) {
        error.because("a container runs on it: " + join(running, ", "))
            .mend("end it first: sctr rm -f " + join(running, " "));
        throw Error(error);
    }
    if (!stored.empty()) {
        error.because("made from it is the stored container '" + join(stored, "', '") + "'")
            .mend("remove that first, as --force does: sctr rm " + join(stored, " "));
        throw Error(error);
    }
}

bool keeps_root(const std::string& name) {
    using container::DefinitionStore;
    using container::RecordStore;
    return container::is_id(name) && (DefinitionStore(DefinitionStore::default_root()).has(name) ||
                                      RecordStore(RecordStore::default_root()).has(name));
}

UniqueFd lock_to_remove(const storage::Store& store) {
    constexpr std::chrono::seconds deadline(5);
    UniqueFd locked = store.lock(storage::Sharing::exclusive, false);
    if (!locked.valid()) {
        log(LogLevel::warn, "waiting until nothing is pulled or loaded any more");
        locked = store.lock_within(deadline);
    }
    return locked;
}

std::string local_name(const std::string& text) {
    oci::Reference reference = oci::parse_reference(text);
    if (reference.is_short()) {
        reference = oci::in_registry(reference, "localhost");
    }
    return reference.full_name();
}

} // namespace sctr::cli
