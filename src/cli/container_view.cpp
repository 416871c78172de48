// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/container_view.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "cli/made_from.hpp"
#include "cli/volumes_from.hpp"
#include "container/engine.hpp"
#include "container/id.hpp"
#include "linux/process.hpp"
#include "storage/kept_layers.hpp"
#include "storage/volumes.hpp"

namespace sctr::cli {

namespace {

using container::RecordStore;

UniqueFd open_of(pid_t pid, const char* what, int flags) {
    const std::string path = "/proc/" + std::to_string(pid) + "/" + what;
    UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC));
    if (!file.valid()) {
        throw Error("cannot open the container's root").at(path).because(errno);
    }
    return sys::raise_fd(std::move(file));
}

bool is_own_namespace(int user_namespace) {
    struct stat theirs{};
    struct stat own{};
    return ::fstat(user_namespace, &theirs) == 0 && ::stat("/proc/self/ns/user", &own) == 0 &&
           theirs.st_ino == own.st_ino && theirs.st_dev == own.st_dev;
}

bool is_running(const RecordStore& records, const std::string& name) {
    return records.has(name) &&
           container::current_status(records.load(name)) != container::Status::stopped;
}

} // namespace

ContainerView::ContainerView(const std::string& name, bool write) {
    container::check_id(name);
    if (is_running(RecordStore(RecordStore::default_root()), name)) {
        open_running(name);
    } else {
        open_stored(name, write);
    }
}

void ContainerView::open_running(const std::string& name) {
    const RecordStore records(RecordStore::default_root());
    const auto record = container::load_running(records, name, true).first;
    root_ = open_of(record.pid, "root", O_PATH | O_DIRECTORY);
    user_namespace_ = open_of(record.pid, "ns/user", O_RDONLY);
    mount_namespace_ = open_of(record.pid, "ns/mnt", O_RDONLY);
    if (is_own_namespace(user_namespace_.get())) {
        user_namespace_.reset();
    }
    // The pid was still its own when these were opened; another record may be there by now.
    if (!container::is_alive(record.pid, record.start_time)) {
        throw Error("the container has ended").at(name);
    }
    words_ = {"fd"};
}

void ContainerView::open_stored(const std::string& name, bool write) {
    const MadeFrom origin = made_from(name);
    kept_ = origin.kept;
    const storage::Store store = storage::Store::own();
    std::vector<std::string> lower;
    if (!origin.image_digest.empty()) {
        image_ = store.find_by_digest(origin.image_digest);
        if (!image_) {
            throw Error("the image of the container is gone").at(name);
        }
        for (const std::string& chain_id : image_->image.layers) {
            lower.push_back(storage::layer_tree_for(store, chain_id, origin.kept));
        }
    } else if (!origin.lower.empty()) {
        lower.push_back(origin.lower);
    } else {
        add_mounts(name, store, {origin.rootfs}, write);
        words_.insert(words_.end(), {"layers", origin.rootfs});
        return;
    }
    const auto overlay = storage::ContainerRoot::overlay(store, name, lower, true);
    lock_.emplace(store, name, overlay);
    std::vector<std::string> layers{overlay.upper};
    layers.insert(layers.end(), lower.begin(), lower.end());
    add_mounts(name, store, layers, write);
    // The places of mounts that a container has not run with yet are made, as at its start.
    if (write || !words_.empty()) {
        words_.insert(words_.end(), {"writable", overlay.upper, overlay.work});
    } else {
        words_.insert(words_.end(), {"layers", overlay.upper});
    }
    words_.insert(words_.end(), lower.begin(), lower.end());
}

void ContainerView::add_mounts(const std::string& name,
                               const storage::Store& store,
                               const std::vector<std::string>& layers,
                               bool write) {
    words_.clear();
    for (const CallersMount& callers :
         mounts_of_others({name}, RecordStore(RecordStore::default_root()))) {
        if (callers.volume) {
            if (!storage::has_volume(store, callers.volume->name) && !write) {
                continue; // it has not run yet
            }
            const plan::VolumeUse use{.name = callers.volume->name,
                                      .destination = callers.mount.destination,
                                      .owner = callers.owner,
                                      .copy_up = callers.volume->copy_up};
            if (write) { // as its start makes and fills them
                (void)storage::prepare_volumes(store, {use}, layers, "");
            }
            volumes_.push_back(storage::hold_volume(store, callers.volume->name));
        }
        const bool read_only = std::ranges::contains(callers.mount.options, "ro");
        words_.insert(
            words_.end(),
            {"mount", callers.mount.source, callers.mount.destination, read_only ? "ro" : "rw"});
    }
}

void ContainerView::add_to(storage::LayerWork& work) const {
    work.words.insert(work.words.end(), words_.begin(), words_.end());
    work.kept = kept_;
    if (root_.valid()) {
        work.passed = {root_.get(), user_namespace_.get(), mount_namespace_.get()};
        work.map_ids = false; // it joins the namespace of the container
    }
}

} // namespace sctr::cli
