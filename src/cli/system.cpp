// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdio>

#include "base/error.hpp"
#include "cli/disk_use.hpp"
#include "cli/flags.hpp"
#include "cli/image_names.hpp"
#include "cli/log.hpp"
#include "cli/names.hpp"
#include "cli/verbs.hpp"
#include "storage/check.hpp"
#include "storage/remove.hpp"
#include "storage/store.hpp"
#include "storage/volumes.hpp"

/// sctr system df, prune, check.
namespace sctr::cli {
namespace {

using storage::Store;

int prune(const Store& store, bool all) {
    store.prepare();
    const UniqueFd locked = lock_to_remove(store);
    for (const oci::StoredImage& image : store.images()) {
        const auto names = names_of(store, image.digest);
        if (!all && !names.empty()) {
            continue;
        }
        try {
            storage::remove_image(
                store, image.digest, names, [&] { refuse_if_used(image.digest); });
            std::puts(image.id.c_str());
        } catch (const Error& error) {
            log(LogLevel::debug, error.what()); // a container is made from it
        }
    }
    const storage::Swept swept = storage::sweep_store(store, keeps_root);
    storage::sweep_volumes(store);
    std::printf("freed %s\n", size_text(swept.bytes).c_str());
    return 0;
}

int check(const Store& store, bool repair) {
    store.prepare();
    const UniqueFd locked = repair ? lock_to_remove(store) : store.lock(storage::Sharing::shared);
    const auto found = storage::check_store(store, repair);
    for (const std::string& line : found) {
        std::puts(line.c_str());
    }
    return found.empty() || repair ? 0 : 1;
}

} // namespace

int system_verb(const Words& words) {
    bool all = false;
    bool repair = false;
    bool json = false;
    bool force = false; // a habit of people and scripts: sctr asks nothing
    CLI::App app("Shows, checks and clears what is stored.", "sctr system");
    describe(app,
             "df|prune|check [OPTIONS]",
             {"sctr system df", "sctr system prune --all", "sctr system check --repair"});
    add_switch(app, "-a,--all", all, "of prune: every image that no container needs");
    add_switch(app, "-f,--force", force, "of prune: nothing is asked anyway");
    add_switch(app, "--json", json, "of df: as a JSON array, sizes in bytes");
    add_switch(app, "--repair", repair, "of check: remove what is damaged");
    const auto names = parse_names(app, words);
    const std::string what = names.size() == 1 ? names.front() : "";
    require_prune_to_force(force, what);
    const Store store = Store::own();
    if (what == "df") {
        show_disk_use(store, json);
        return 0;
    }
    if (what == "prune") {
        return prune(store, all);
    }
    if (what == "check") {
        return check(store, repair);
    }
    throw Error("df, prune or check?").mend("see 'sctr system --help'");
}

} // namespace sctr::cli
