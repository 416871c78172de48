// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdio>
#include <filesystem>

#include "base/error.hpp"
#include "cli/flags.hpp"
#include "cli/image_names.hpp"
#include "cli/log.hpp"
#include "cli/names.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "storage/check.hpp"
#include "storage/remove.hpp"
#include "storage/store.hpp"
#include "storage/volumes.hpp"

/// sctr system df, prune, check.
namespace sctr::cli {
namespace {

namespace fs = std::filesystem;
using storage::Store;

/// Bytes on disk, of what this caller may look at.
std::int64_t disk_use(const std::string& path) {
    std::int64_t bytes = 0;
    std::error_code failure;
    fs::recursive_directory_iterator entry(
        path, fs::directory_options::skip_permission_denied, failure);
    for (; !failure && entry != fs::recursive_directory_iterator(); entry.increment(failure)) {
        std::error_code none;
        if (entry->is_regular_file(none) && !entry->is_symlink(none)) {
            bytes += static_cast<std::int64_t>(entry->file_size(none));
        }
    }
    return bytes;
}

int disk_free(const Store& store) {
    Table table({"WHAT", "COUNT", "SIZE"});
    for (const char* part : {"layers", "blobs/sha256", "roots", "volumes", "tmp"}) {
        const std::string path = store.root() + "/" + part;
        std::error_code none;
        const auto count =
            std::distance(fs::directory_iterator(path, none), fs::directory_iterator());
        table.add({part, std::to_string(count), size_text(disk_use(path))});
    }
    std::fputs(table.text().c_str(), stdout);
    return 0;
}

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
    std::printf("removed %u layers and %u blobs\n", swept.layers, swept.blobs);
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
    bool force = false; // a habit of people and scripts: sctr asks nothing
    CLI::App app("Shows, checks and clears what is stored.", "sctr system");
    describe(app,
             "df|prune|check [OPTIONS]",
             {"sctr system df", "sctr system prune --all", "sctr system check --repair"});
    add_switch(app, "-a,--all", all, "of prune: every image that no container needs");
    add_switch(app, "-f,--force", force, "of prune: nothing is asked anyway");
    add_switch(app, "--repair", repair, "of check: remove what is damaged");
    const auto names = parse_names(app, words);
    const std::string what = names.size() == 1 ? names.front() : "";
    require_prune_to_force(force, what);
    const Store store = Store::own();
    if (what == "df") {
        return disk_free(store);
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
