// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/root.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "base/error.hpp"
#include "storage/files.hpp"
#include "storage/helper.hpp"
#include "storage/layer_tree.hpp"

namespace sctr::storage {

namespace {

constexpr const char* cannot_make_root = "cannot make the container's root";
constexpr int most_tries = 300;
constexpr timespec pause{.tv_sec = 0, .tv_nsec = 10'000'000};

std::string root_of(const Store& store, const std::string& name) {
    return store.root() + "/roots/" + name;
}

/// Who sweeps the store may have it for a moment, before it is locked or while it goes.
UniqueFd make_locked(const std::string& path) {
    for (int tries = 0; tries < most_tries; ++tries) {
        ensure_directory(path, 0700, cannot_make_root);
        UniqueFd lock(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (lock.valid() && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0 &&
            is_same_file(lock.get(), path)) {
            return lock;
        }
        ::nanosleep(&pause, nullptr);
    }
    throw Error(cannot_make_root).at(path).because("another container uses it");
}

/// The upper directory is what the container sees as its root: it looks as the lower one does.
void make_upper(const plan::OverlayStep& overlay) {
    struct stat below{};
    if (::stat(overlay.lower.front().c_str(), &below) < 0) {
        throw Error(cannot_make_root).at(overlay.lower.front()).because(errno);
    }
    const char* upper = overlay.upper.c_str();
    if (::mkdir(upper, below.st_mode & 0777U) < 0) {
        if (errno == EEXIST) {
            return; // of an earlier run
        }
        throw Error(cannot_make_root).at(overlay.upper).because(errno);
    }
    struct stat made{};
    if (::stat(upper, &made) < 0 || ((made.st_mode & 07777U) != (below.st_mode & 07777U) &&
                                     ::chmod(upper, below.st_mode & 07777U) < 0)) {
        throw Error(cannot_make_root).at(overlay.upper).because(errno);
    }
    if (made.st_uid == below.st_uid && made.st_gid == below.st_gid) {
        return;
    }
    if (is_rootless()) {
        (void)run_layer_program({"own-as", overlay.lower.front(), overlay.upper}, "");
    } else if (::chown(upper, below.st_uid, below.st_gid) < 0) {
        throw Error(cannot_make_root).at(overlay.upper).because(errno);
    }
}

} // namespace

std::string ContainerRoot::place(const Store& store, const std::string& name) {
    return root_of(store, name) + "/root";
}

plan::OverlayStep ContainerRoot::overlay(const Store& store,
                                         const std::string& name,
                                         std::vector<std::string> lower,
                                         bool keep) {
    const std::string path = root_of(store, name);
    return {.lower = std::move(lower),
            .upper = path + "/upper",
            .work = path + "/work",
            .user_xattrs = is_rootless(),
            .is_volatile = !keep};
}

ContainerRoot::ContainerRoot(const Store& store,
                             const std::string& name,
                             const plan::OverlayStep& overlay)
    : path_(root_of(store, name)) {
    if (::mkdir(path_.c_str(), 0700) < 0 && errno == ENOENT) {
        store.prepare();
    }
    lock_ = make_locked(path_);
    if (overlay.is_volatile && ::access(overlay.upper.c_str(), F_OK) == 0) {
        // Of one that was killed: this container begins with nothing, and the kernel refuses to
        // mount again what was never synced.
        remove_trees({overlay.upper, overlay.work});
    }
    make_upper(overlay);
    ensure_directory(overlay.work, 0700, cannot_make_root);
    ensure_directory(place(store, name), 0700, cannot_make_root);
}

void ContainerRoot::make_mount(const plan::OverlayStep& overlay) {
    const std::string directory = overlay.upper.substr(0, overlay.upper.rfind('/'));
    if (::access(directory.c_str(), F_OK) == 0) {
        remove_trees({directory});
    }
    ensure_directory(directory, 0700, cannot_make_root);
    make_upper(overlay);
    ensure_directory(overlay.work, 0700, cannot_make_root);
}

void ContainerRoot::remove() {
    try {
        remove_tree(AT_FDCWD, path_);
    } catch (const Error&) {
        if (!is_rootless()) {
            throw;
        }
        remove_trees({path_}); // it has files of subordinate ids
    }
}

void remove_root(const Store& store, const std::string& name) {
    const std::string path = root_of(store, name);
    // Whoever has just ended may not be gone yet.
    for (int tries = 0; tries < most_tries; ++tries) {
        const UniqueFd lock(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!lock.valid() && errno == ENOENT) {
            return;
        }
        if (lock.valid() && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) {
            remove_trees({path});
            return;
        }
        ::nanosleep(&pause, nullptr);
    }
    throw Error("cannot remove the container's root").at(path).because("a container uses it");
}

void rename_root(const Store& store, const std::string& name, const std::string& new_name) {
    const std::string from = root_of(store, name);
    if (::rename(from.c_str(), root_of(store, new_name).c_str()) < 0 && errno != ENOENT) {
        throw Error("cannot rename the container's root").at(from).because(errno);
    }
}

} // namespace sctr::storage
