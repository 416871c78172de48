// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/layer_mount.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include <cerrno>

#include "base/error.hpp"

namespace sctr::storage {

namespace {

constexpr const char* failure = "cannot mount the layers";

void configure(int context, const char* key, const std::string& value) {
    if (::fsconfig(context, FSCONFIG_SET_STRING, key, value.c_str(), 0) < 0) {
        throw Error(failure).at(value).because(errno);
    }
}

/// On the root of this mount namespace, which is our own, where nobody looks it up.
void attach(int tree) {
    if (::move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
        throw Error(failure).because(errno);
    }
}

void enter_own_namespace() {
    if (::unshare(CLONE_NEWNS) < 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) < 0) {
        throw Error(failure).because(errno);
    }
}

UniqueFd open_directory(const std::string& path) {
    UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) {
        throw Error("cannot open").at(path).because(errno);
    }
    return directory;
}

/// The same directory as a mount, with all that is mounted in it.
UniqueFd attach_directory(const std::string& path) {
    enter_own_namespace();
    const UniqueFd clone(::open_tree(
        AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | unsigned{AT_RECURSIVE}));
    if (!clone.valid()) {
        throw Error("cannot open").at(path).because(errno);
    }
    attach(clone.get());
    return open_directory("/proc/self/fd/" + std::to_string(clone.get()));
}

} // namespace

UniqueFd mount_layers(const LayerMount& mount) {
    if (mount.layers.size() == 1 && mount.upper.empty()) {
        const std::string& only = mount.layers.front();
        return mount.attached ? attach_directory(only) : open_directory(only);
    }
    enter_own_namespace();
    const UniqueFd context(::fsopen("overlay", FSOPEN_CLOEXEC));
    for (const std::string& layer : mount.layers) {
        configure(context.get(), "lowerdir+", layer);
    }
    if (!mount.upper.empty()) {
        configure(context.get(), "upperdir", mount.upper);
        configure(context.get(), "workdir", mount.work);
    }
    if ((mount.user_xattrs &&
         ::fsconfig(context.get(), FSCONFIG_SET_FLAG, "userxattr", nullptr, 0) < 0) ||
        ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) {
        throw Error(failure).because(errno);
    }
    const unsigned attributes = mount.upper.empty() ? MOUNT_ATTR_RDONLY : 0U;
    UniqueFd tree(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
    if (!tree.valid()) {
        throw Error(failure).because(errno);
    }
    if (mount.attached) {
        attach(tree.get());
    }
    // Names below a mount that is nowhere attached cannot be resolved by all of the kernel's calls.
    UniqueFd directory(::openat(tree.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) {
        throw Error(failure).because(errno);
    }
    return directory;
}

} // namespace sctr::storage
