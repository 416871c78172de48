// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/image_removal.hpp"

#include <cstdio>
#include <vector>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/image_names.hpp"
#include "cli/log.hpp"
#include "cli/removal.hpp"
#include "storage/remove.hpp"

namespace sctr::cli {
namespace {

using storage::Store;

/// Containers that do not run go first. One that runs is somebody's work, and he is asked to end
/// it.
void remove_users(const std::string& digest) {
    const ImageUsers users = users_of_image(digest);
    if (!users.running.empty()) {
        refuse_if_used(digest);
    }
    for (const std::string& container : users.stored) {
        remove_container(container, {});
        log(LogLevel::warn, "removed the container '" + container + "', made from the image");
    }
}

/// What is to go of an image.
struct ImageRemoval {
    std::string digest;
    std::vector<std::string> names;
    bool goes = false; ///< the image itself, not one of its names alone
};

/// Those that have an image's ID: one may be here several times, as its layers came compressed in
/// different ways.
std::vector<std::string> digests_of_id(const Store& store, const std::string& id) {
    std::vector<std::string> digests;
    for (const oci::StoredImage& image : store.images()) {
        if (image.id == id) {
            digests.push_back(image.digest);
        }
    }
    return digests;
}

std::vector<ImageRemoval>
removals_of(const Store& store, const std::string& text, const ImageRemovalOptions& how) {
    const storage::ImageUse use = require_image(store, text);
    if (!use.name.empty()) {
        auto own_names = names_of(store, use.image.digest);
        if (own_names.size() == 1 || how.whole) {
            return {{.digest = use.image.digest, .names = std::move(own_names), .goes = true}};
        }
        return {{.digest = use.image.digest, .names = {use.name}}};
    }
    const std::string prefix = text.starts_with("sha256:") ? text.substr(7) : text;
    const auto digests = use.image.id.starts_with(prefix) ? digests_of_id(store, use.image.id)
                                                          : std::vector{use.image.digest};
    std::vector<ImageRemoval> removals;
    std::vector<std::string> names;
    for (const std::string& digest : digests) {
        removals.push_back({.digest = digest, .names = names_of(store, digest), .goes = true});
        names.insert(names.end(), removals.back().names.begin(), removals.back().names.end());
    }
    if (names.size() > 1 && !how.every_name) {
        throw Error("cannot remove the image")
            .at(text)
            .because("it has several names")
            .mend("remove them one by one, or all with --force: " + join(names, ", "));
    }
    return removals;
}

} // namespace

void remove_named_image(const Store& store,
                        const std::string& text,
                        const ImageRemovalOptions& how) {
    if (how.with_containers) {
        // Before the store is locked: whoever makes a container waits for that with others in hand.
        for (const ImageRemoval& first : removals_of(store, text, how)) {
            if (first.goes) {
                remove_users(first.digest);
            }
        }
    }
    const UniqueFd locked = lock_to_remove(store);
    for (const ImageRemoval& removal : removals_of(store, text, how)) {
        if (!removal.goes) {
            store.remove_name(removal.names.front());
            continue;
        }
        storage::remove_image(
            store, removal.digest, removal.names, [&] { refuse_if_used(removal.digest); });
        for (const std::string& name : removal.names) {
            if (how.whole && name != text) {
                std::puts(name.c_str()); // as `images` showed them; the caller tells of `text`
            }
        }
    }
}

void remove_image_after_run(const std::string& text) {
    try {
        const Store store = Store::own();
        auto use = store.find(text);
        if (!use) {
            return;
        }
        const std::string digest = use->image.digest;
        use.reset(); // who holds it would be one that uses it
        const ImageUsers users = users_of_image(digest);
        if (users.running.empty() && users.stored.empty()) {
            remove_named_image(store, text, {});
            const UniqueFd locked = lock_to_remove(store);
            storage::sweep_store(store, keeps_root); // its layers and blobs
        }
    } catch (const Error& error) {
        log(LogLevel::warn, error.what());
    }
}

} // namespace sctr::cli
