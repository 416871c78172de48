// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/volumes.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "linux/clock.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "storage/files.hpp"
#include "storage/helper.hpp"

namespace sctr::storage {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* cannot_make_volume = "cannot make the volume";
constexpr const char* about_file = "/volume.json";
/// In a volume that no container has had yet.
constexpr const char* unfilled_file = "/unfilled";

std::string place_of(const Store& store, const std::string& name) {
    plan::check_volume_name(name); // it becomes a path
    return volumes_directory(store) + "/" + name;
}

Error no_volume(const std::string& name) {
    Error error("there is no such volume");
    error.at(name).mend("see 'sctr volume ls'");
    return error;
}

std::string to_json(const Volume& volume) {
    const json value{{"version", 1},
                     {"createdUsec", volume.created_usec},
                     {"labels", volume.labels},
                     {"owner", volume.owner},
                     {"discard", volume.discard}};
    try {
        return value.dump(2) + '\n';
    } catch (const json::exception&) {
        throw Error(cannot_make_volume).at(volume.name).because("a label is not UTF-8");
    }
}

/// Of a volume whose description is damaged the content is still somebody's.
Volume volume_from_json(const std::string& name, const std::string& text) {
    Volume volume{.name = name};
    try {
        const json value = json::parse(text);
        value.at("createdUsec").get_to(volume.created_usec);
        value.at("labels").get_to(volume.labels);
        value.at("owner").get_to(volume.owner);
        value.at("discard").get_to(volume.discard);
    } catch (const json::exception&) {
        return {.name = name};
    }
    return volume;
}

UniqueFd open_locked(const std::string& place, int operation) {
    UniqueFd held(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    int result = -1;
    while (held.valid() && (result = ::flock(held.get(), operation)) < 0 && errno == EINTR) {
    }
    return result == 0 ? std::move(held) : UniqueFd();
}

void sync_tree(const std::string& path) {
    const UniqueFd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid() || ::syncfs(root.get()) < 0) {
        throw Error(cannot_make_volume).at(path).because(errno);
    }
}

/// Where content comes from; without layers there is none.
struct Content {
    std::string path;
    const std::vector<std::string>& layers;
};

/// Beside, and renamed when it is whole. The caller has the locks.
void make_volume(const Store& store, const Volume& volume, const Content& content) {
    const std::string work = store.make_work_directory();
    UndoList undo;
    undo.add([&] {
        try {
            remove_trees({work});
        } catch (const Error&) {
            // Swept later; the first error is the caller's.
        }
    });
    make_directory(work + "/data", 0755, cannot_make_volume);
    if (content.layers.empty()) {
        sys::replace_file(
            work + unfilled_file, "", 0600, sys::Durability::memory, cannot_make_volume);
    } else {
        std::vector<std::string> words{"fill", work + "/data", content.path};
        words.insert(words.end(), content.layers.begin(), content.layers.end());
        (void)run_layer_program(words, "");
    }
    sys::replace_file(
        work + about_file, to_json(volume), 0600, sys::Durability::memory, cannot_make_volume);
    if (!volume.discard) {
        sync_tree(work);
    }
    if (::rename(work.c_str(), place_of(store, volume.name).c_str()) < 0) {
        throw Error(cannot_make_volume).at(volume.name).because(errno);
    }
    undo.dismiss();
    if (!volume.discard) {
        sys::sync_directory(volumes_directory(store));
    }
}

bool is_empty(const std::string& directory) {
    std::error_code none;
    return fs::directory_iterator(directory, none) == fs::directory_iterator();
}

/// One that `volume create` made is filled by its first container, as in podman.
void fill_if_new(const Store& store, const std::string& name, const Content& content) {
    const std::string place = place_of(store, name);
    const std::string mark = place + unfilled_file;
    if (::access(mark.c_str(), F_OK) < 0) {
        return;
    }
    const std::string data = place + "/data";
    if (is_empty(data)) {
        const std::string work = store.make_work_directory();
        UndoList undo;
        undo.add([&] {
            std::error_code ignored;
            fs::remove_all(work, ignored);
        });
        make_directory(work + "/data", 0755, cannot_make_volume);
        std::vector<std::string> words{"fill", work + "/data", content.path};
        words.insert(words.end(), content.layers.begin(), content.layers.end());
        (void)run_layer_program(words, "");
        sync_tree(work);
        // Should somebody have put something there meanwhile, it stays.
        if (::rename((work + "/data").c_str(), data.c_str()) < 0 && errno != ENOTEMPTY &&
            errno != EEXIST) {
            throw Error("cannot fill the volume").at(name).because(errno);
        }
    }
    ::unlink(mark.c_str());
    sys::sync_directory(place);
}

/// The caller has the store's lock.
void remove_locked(const Store& store, const std::string& name) {
    const Store::MakeLock making(store, "volume-" + name);
    const std::string place = place_of(store, name);
    if (!has_volume(store, name)) {
        throw no_volume(name);
    }
    const UniqueFd held = open_locked(place, LOCK_EX | LOCK_NB);
    if (!held.valid()) {
        throw Error("cannot remove the volume")
            .at(name)
            .because("a container uses it")
            .mend("see 'sctr ps'; stop it first");
    }
    // Out of sight first: half a volume must not have the name of a whole one.
    const std::string gone = store.make_work_directory();
    if (::rename(place.c_str(), gone.c_str()) < 0) {
        throw Error("cannot remove the volume").at(name).because(errno);
    }
    sys::sync_directory(volumes_directory(store));
    remove_trees({gone});
}

UniqueFd prepare_volume(const Store& store,
                        const plan::VolumeUse& use,
                        const std::vector<std::string>& layers,
                        const std::string& discarded) {
    const UniqueFd locked = store.lock(Sharing::shared);
    const Store::MakeLock making(store, "volume-" + use.name);
    const std::vector<std::string> none;
    const Content content{.path = use.destination, .layers = use.copy_up ? layers : none};
    if (!has_volume(store, use.name)) {
        make_volume(store,
                    {.name = use.name,
                     .created_usec = sys::now_usec(),
                     .labels = {},
                     .owner = use.owner,
                     .discard = !use.owner.empty() && use.owner == discarded},
                    content);
    } else if (!content.layers.empty()) {
        fill_if_new(store, use.name, content);
    }
    UniqueFd held = open_locked(place_of(store, use.name), LOCK_SH | LOCK_NB);
    if (!held.valid()) {
        throw Error("cannot use the volume").at(use.name).because(errno);
    }
    return held;
}

} // namespace

std::string volumes_directory(const Store& store) {
    return store.root() + "/volumes";
}

std::string volume_data(const Store& store, const std::string& name) {
    plan::check_volume_name(name); // it becomes a path
    return plan::volume_data(volumes_directory(store), name);
}

bool has_volume(const Store& store, const std::string& name) {
    return ::access((place_of(store, name) + about_file).c_str(), F_OK) == 0;
}

Volume load_volume(const Store& store, const std::string& name) {
    const auto text = sys::read_small_file(place_of(store, name) + about_file);
    if (!text) {
        throw no_volume(name);
    }
    return volume_from_json(name, *text);
}

std::vector<Volume> list_volumes(const Store& store) {
    std::vector<Volume> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(volumes_directory(store), none)) {
        const std::string name = entry.path().filename();
        if (const auto text = sys::read_small_file(entry.path().string() + about_file)) {
            found.push_back(volume_from_json(name, *text));
        }
    }
    std::ranges::sort(found, {}, &Volume::name);
    return found;
}

void create_volume(const Store& store, const Volume& volume) {
    plan::check_volume_name(volume.name);
    store.prepare();
    const UniqueFd locked = store.lock(Sharing::shared);
    const Store::MakeLock making(store, "volume-" + volume.name);
    if (has_volume(store, volume.name)) {
        throw Error(cannot_make_volume).at(volume.name).because("there is one of that name");
    }
    make_volume(store, volume, {.path = "", .layers = {}});
}

void remove_volume(const Store& store, const std::string& name) {
    if (!has_volume(store, name)) {
        throw no_volume(name);
    }
    const UniqueFd locked = store.lock(Sharing::shared);
    remove_locked(store, name);
}

UniqueFd hold_volume(const Store& store, const std::string& name) {
    UniqueFd held = open_locked(place_of(store, name), LOCK_SH | LOCK_NB);
    if (!held.valid() || !has_volume(store, name)) {
        throw no_volume(name);
    }
    return held;
}

std::vector<UniqueFd> prepare_volumes(const Store& store,
                                      const std::vector<plan::VolumeUse>& uses,
                                      const std::vector<std::string>& layers,
                                      const std::string& discarded) {
    std::vector<UniqueFd> held;
    if (uses.empty()) {
        return held;
    }
    store.prepare();
    UndoList undo;
    undo.add([&] {
        held.clear();
        remove_volumes_of(store, discarded);
    });
    for (const plan::VolumeUse& use : uses) {
        held.push_back(prepare_volume(store, use, layers, discarded));
    }
    undo.dismiss();
    return held;
}

void remove_volumes_of(const Store& store, const std::string& owner) {
    if (owner.empty()) {
        return;
    }
    for (const Volume& volume : list_volumes(store)) {
        if (volume.owner != owner) {
            continue;
        }
        try {
            remove_volume(store, volume.name);
        } catch (const Error&) {
            // Another container uses it (--volumes-from), or it is gone.
        }
    }
}

void sweep_volumes(const Store& store) {
    for (const Volume& volume : list_volumes(store)) {
        if (volume.owner.empty() || !volume.discard) {
            continue;
        }
        try {
            remove_locked(store, volume.name);
        } catch (const Error&) {
            // A container uses it.
        }
    }
}

} // namespace sctr::storage
