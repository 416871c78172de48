// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/remove.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>

#include "base/error.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "storage/blobs.hpp"
#include "storage/helper.hpp"
#include "storage/sizes.hpp"

namespace sctr::storage {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const std::string& directory) {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(directory, none)) {
        names.push_back(entry.path().filename());
    }
    return names;
}

/// Whether nobody holds what is at the path. The lock that says so lasts as long as the result.
UniqueFd take(const std::string& path, int flags) {
    UniqueFd file(::open(path.c_str(), flags | O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    return file.valid() && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 ? std::move(file)
                                                                       : UniqueFd();
}

/// What images refer to.
struct Needed {
    std::set<std::string> layers;
    std::set<std::string> blobs;
};

/// Links that lead to layers which no image has are led to others before.
Needed needed_by_images(const Store& store) {
    Needed needed;
    std::vector<oci::StoredImage> images;
    for (const std::string& digest : names_in(store.root() + "/images")) {
        try {
            const auto text = sys::read_small_file(store.image(digest) + "/image.json");
            images.push_back(oci::parse_stored_image(text.value_or("")));
            for (const LayerBlob& layer : layer_blobs(store, images.back())) {
                needed.layers.insert(layer.chain_id);
                needed.blobs.insert(layer.blob);
            }
        } catch (const Error&) {
            throw Error("cannot sweep the store")
                .at(store.image(digest))
                .because("an image that cannot be read may need anything")
                .mend("'sctr system check --repair' removes it");
        }
        needed.blobs.insert(images.back().id);
    }
    bool is_changed = false;
    for (const oci::StoredImage& image : images) {
        is_changed = lead_to_own_layers(store, image, needed.layers) || is_changed;
    }
    if (is_changed) {
        sys::sync_directory(store.blobs() + "/sha256"); // before the layers go
    }
    return needed;
}

} // namespace

void remove_image(const Store& store,
                  const std::string& digest,
                  const std::vector<std::string>& names,
                  const std::function<void()>& check) {
    const std::string place = store.image(digest);
    const UniqueFd held = take(place, O_DIRECTORY);
    if (!held.valid()) {
        throw Error("cannot remove the image")
            .at(digest.substr(0, 12))
            .because("a container runs on it")
            .mend("see 'sctr ps'; stop it first");
    }
    check();
    for (const std::string& name : names) {
        store.remove_name(name);
    }
    const std::string gone = store.make_work_directory();
    if (::rename(place.c_str(), gone.c_str()) < 0) {
        throw Error("cannot remove the image").at(digest.substr(0, 12)).because(errno);
    }
    sys::sync_directory(store.root() + "/images");
    std::error_code ignored;
    fs::remove_all(gone, ignored); // else the sweep does
}

Swept sweep_store(const Store& store,
                  const std::function<bool(const std::string& container)>& is_kept) {
    Swept swept;
    const Needed needed = needed_by_images(store);
    std::vector<std::string> trees;
    for (const std::string& chain_id : names_in(store.root() + "/layers")) {
        if (!needed.layers.contains(chain_id)) {
            // Out of sight first: half a layer must not have the name of a whole one.
            const std::string gone = store.make_work_directory();
            const std::int64_t size = layer_size(store, chain_id);
            if (::rename(store.layer(chain_id).c_str(), gone.c_str()) == 0) {
                swept.bytes += size;
            }
        }
    }
    for (const std::string& name : names_in(store.root() + "/tmp")) {
        const std::string path = store.temporary(name);
        if (!name.ends_with(".lock")) {
            trees.push_back(path);
        } else if (const UniqueFd held = take(path, 0); held.valid()) {
            ::unlink(path.c_str());
        }
    }
    std::vector<UniqueFd> roots;
    for (const std::string& name : names_in(store.root() + "/roots")) {
        const std::string path = store.root() + "/roots/" + name;
        // Asked with the lock in hand: whoever is stored later has not run yet.
        if (UniqueFd held = take(path, O_DIRECTORY); held.valid() && !is_kept(name)) {
            swept.bytes += tree_size(path);
            trees.push_back(path);
            roots.push_back(std::move(held));
        }
    }
    remove_trees(trees);
    for (const std::string& hex : names_in(store.blobs() + "/sha256")) {
        struct stat info{};
        if (!needed.blobs.contains(hex) && ::lstat(store.blob(hex).c_str(), &info) == 0 &&
            ::unlink(store.blob(hex).c_str()) == 0) {
            swept.bytes += S_ISREG(info.st_mode) ? info.st_size : 0;
        }
    }
    return swept;
}

} // namespace sctr::storage
