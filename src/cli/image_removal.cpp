// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/image_removal.hpp"

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

ImageRemoval removal_of(const Store& store, const std::string& text, bool every_name) {
    const storage::ImageUse use = require_image(store, text);
    const auto names = names_of(store, use.image.digest);
    if (names.size() <= 1 || (use.name.empty() && every_name)) {
        return {.digest = use.image.digest, .names = names, .goes = true};
    }
    if (use.name.empty()) {
        throw Error("cannot remove the image")
            .at(text)
            .because("it has several names")
            .mend("remove them one by one, or all with --force: " + join(names, ", "));
    }
    return {.digest = use.image.digest, .names = {use.name}};
}

} // namespace

void remove_named_image(const Store& store,
                        const std::string& text,
                        const ImageRemovalOptions& how) {
    if (how.with_containers) {
        // Before the store is locked: whoever makes a container waits for that with others in hand.
        if (const auto first = removal_of(store, text, how.every_name); first.goes) {
            remove_users(first.digest);
        }
    }
    const UniqueFd locked = lock_to_remove(store);
    const ImageRemoval removal = removal_of(store, text, how.every_name);
    if (!removal.goes) {
        store.remove_name(removal.names.front());
        return;
    }
    storage::remove_image(
        store, removal.digest, removal.names, [&] { refuse_if_used(removal.digest); });
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
        }
    } catch (const Error& error) {
        log(LogLevel::warn, error.what());
    }
}

} // namespace sctr::cli
