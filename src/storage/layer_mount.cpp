// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/layer_mount.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "linux/process.hpp"

namespace sctr::storage {

namespace {

constexpr const char* failure = "cannot mount the layers";
constexpr unsigned all_of_it = unsigned{AT_EMPTY_PATH} | unsigned{AT_RECURSIVE};

void configure(int context, const char* key, const std::string& value) {
    if (::fsconfig(context, FSCONFIG_SET_STRING, key, value.c_str(), 0) < 0) {
        throw Error(failure).at(value).because(errno);
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
    enter_own_mounts();
    const UniqueFd clone(::open_tree(
        AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | unsigned{AT_RECURSIVE}));
    if (!clone.valid()) {
        throw Error("cannot open").at(path).because(errno);
    }
    attach_tree(clone.get());
    return open_directory("/proc/self/fd/" + std::to_string(clone.get()));
}

} // namespace

void enter_own_mounts() {
    static pid_t entered = 0; // a child shares its parent's
    if (entered == ::getpid()) {
        return;
    }
    if (::unshare(CLONE_NEWNS) < 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) < 0) {
        throw Error(failure).because(errno);
    }
    entered = ::getpid();
}

void attach_tree(int tree) {
    if (::move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
        throw Error(failure).because(errno);
    }
}

UniqueFd attach_copy(int directory, int mount_namespace) {
    constexpr const char* cannot_copy = "cannot copy the container's mounts";
    const UniqueFd tree(::fcntl(directory, F_DUPFD_CLOEXEC, 0)); // its number, for what follows
    // Mounts are copied by who is in their namespace. A child goes there, with whom we share our
    // fds: for us there would be no way back, once the ids are those of the container's user
    // namespace.
    sys::Child child = sys::fork_child(CLONE_FILES, [&] {
        const UniqueFd copy(
            ::setns(mount_namespace, CLONE_NEWNS) == 0
                ? ::open_tree(directory, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | all_of_it)
                : -1);
        if (!copy.valid() || ::dup3(copy.get(), tree.get(), O_CLOEXEC) < 0) {
            ::_exit(errno);
        }
    });
    if (const int error_number = child.wait(); error_number != 0) {
        throw Error(cannot_copy).because(error_number);
    }
    struct mount_attr attributes{};
    attributes.propagation = MS_PRIVATE;
    if (::mount_setattr(tree.get(), "", all_of_it, &attributes, sizeof attributes) < 0) {
        throw Error(cannot_copy).because(errno);
    }
    attach_tree(tree.get());
    return UniqueFd(::openat(tree.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

UniqueFd mount_layers(const LayerMount& mount) {
    if (mount.layers.size() == 1 && mount.upper.empty()) {
        const std::string& only = mount.layers.front();
        return mount.attached ? attach_directory(only) : open_directory(only);
    }
    enter_own_mounts();
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
    // Nothing in it is opened but files. Who unpacks can close a mount himself only once it is
    // attached.
    const unsigned harmless = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    const unsigned attributes = harmless | (mount.upper.empty() ? MOUNT_ATTR_RDONLY : 0U);
    UniqueFd tree(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
    if (!tree.valid()) {
        throw Error(failure).because(errno);
    }
    if (mount.attached) {
        attach_tree(tree.get());
    }
    // Names below a mount that is nowhere attached cannot be resolved by all of the kernel's calls.
    UniqueFd directory(::openat(tree.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) {
        throw Error(failure).because(errno);
    }
    return directory;
}

} // namespace sctr::storage
