// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/view.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/error.hpp"
#include "linux/syscalls.hpp"
#include "storage/confine.hpp"
#include "storage/layer_mount.hpp"

namespace sctr::storage {

namespace {

constexpr int root_fd = 3;
constexpr int user_namespace_fd = 4;
constexpr int mount_namespace_fd = 5;

/// The owners of the files are those that the container sees.
void join_user_namespace() {
    if (::setns(user_namespace_fd, CLONE_NEWUSER) < 0) {
        if (errno == EINVAL) {
            return; // it is our own
        }
        throw Error("cannot join the container's user namespace").because(errno);
    }
    if (::setresgid(0, 0, 0) < 0 || ::setresuid(0, 0, 0) < 0) {
        throw Error("cannot become root in the container's user namespace").because(errno);
    }
}

/// What a container that does not run would have mounted.
struct ViewMount {
    std::string source;
    std::string target;
    bool read_only = false;
};

/// Takes "mount SOURCE TARGET ro|rw" off the front, as often as it is there.
std::vector<ViewMount> take_mounts(View& view) {
    std::vector<ViewMount> mounts;
    auto next = view.begin();
    for (; view.end() - next > 4 && *next == "mount"; next += 4) {
        mounts.push_back({.source = next[1], .target = next[2], .read_only = next[3] == "ro"});
    }
    view.erase(view.begin(), next);
    return mounts;
}

bool is_below(const std::string& path, const std::string& directory) {
    const std::string clean = std::filesystem::path(path).lexically_normal();
    return clean == directory || clean.starts_with(directory + "/");
}

UniqueFd find_place_of_mount(int root, const std::string& path) {
    return UniqueFd(sys::openat2(
        root, path.c_str(), O_PATH | O_CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
}

/// As a start does it. An invalid fd where that is not possible.
UniqueFd make_place_of_mount(int root, const std::string& target, bool is_directory) {
    std::size_t end = 0;
    while (end != std::string::npos) {
        end = target.find('/', end + 1);
        const std::string path = target.substr(0, end);
        if (find_place_of_mount(root, path).valid()) {
            continue;
        }
        const auto slash = path.rfind('/');
        const UniqueFd parent = find_place_of_mount(root, slash == 0 ? "/" : path.substr(0, slash));
        const std::string name = path.substr(slash + 1);
        const bool is_made = end == std::string::npos && !is_directory
                                 ? ::mknodat(parent.get(), name.c_str(), S_IFREG | 0644, 0) == 0
                                 : ::mkdirat(parent.get(), name.c_str(), 0755) == 0;
        if (!is_made) {
            return {};
        }
    }
    return find_place_of_mount(root, target);
}

bool is_directory(int tree) {
    struct stat info{};
    return ::fstat(tree, &info) == 0 && S_ISDIR(info.st_mode);
}

/// A container that has never run lacks the places of its mounts.
void mount_in(int root, const ViewMount& mount, const ViewWish& wish) {
    const UniqueFd tree(::open_tree(AT_FDCWD,
                                    mount.source.c_str(),
                                    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | unsigned{AT_RECURSIVE}));
    UniqueFd target = find_place_of_mount(root, mount.target);
    if (tree.valid() && !target.valid() && wish.can_make) {
        target = make_place_of_mount(root, mount.target, is_directory(tree.get()));
    }
    if (!target.valid() || !tree.valid()) {
        if (!is_below(wish.path, mount.target)) {
            return;
        }
        throw Error("cannot copy")
            .at(wish.shown)
            .because(tree.valid() ? "the container has no place for what is mounted there yet"
                                  : "what the container mounts there is gone: " + mount.source)
            .mend(tree.valid() ? "start it once" : "");
    }
    struct mount_attr attributes{};
    attributes.attr_set = mount.read_only ? MOUNT_ATTR_RDONLY : 0;
    attributes.propagation = MS_PRIVATE;
    if (::mount_setattr(tree.get(),
                        "",
                        AT_EMPTY_PATH | unsigned{AT_RECURSIVE},
                        &attributes,
                        sizeof attributes) < 0 ||
        ::move_mount(
            tree.get(), "", target.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
            0) {
        throw Error("cannot mount the container's volumes").at(mount.target).because(errno);
    }
}

UniqueFd open_plain_view(const View& view, bool attached, bool rootless) {
    const std::string& kind = view.at(0);
    if (has_user_namespace(view)) {
        join_user_namespace();
    }
    prepare_confinement();
    if (kind == "fd") {
        UniqueFd root = attach_copy(root_fd, mount_namespace_fd);
        ::close(root_fd); // else there would be a way through the container's own mounts
        ::close(mount_namespace_fd);
        return root;
    }
    if (kind == "host") {
        return UniqueFd(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    LayerMount mount{.attached = attached, .user_xattrs = rootless};
    auto layers = view.begin() + 1;
    if (kind == "writable") {
        mount.upper = view.at(1);
        mount.work = view.at(2);
        layers += 2;
    }
    mount.layers.assign(layers, view.end());
    return mount_layers(mount);
}

UniqueFd open_view(View view, const ViewWish& wish, bool rootless) {
    const auto mounts = take_mounts(view);
    UniqueFd root = open_plain_view(view, !mounts.empty(), rootless);
    for (const ViewMount& mount : mounts) {
        mount_in(root.get(), mount, wish);
    }
    return root;
}

} // namespace

bool has_user_namespace(const View& view) {
    return view.at(0) == "fd" && ::fcntl(user_namespace_fd, F_GETFD) >= 0;
}

UniqueFd open_view_root(const View& view, const ViewWish& wish, bool rootless) {
    UniqueFd root = open_view(view, wish, rootless);
    if (!root.valid()) {
        throw Error("cannot open the container's root").because(errno);
    }
    return root;
}

} // namespace sctr::storage
