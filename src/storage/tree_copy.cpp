// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/tree_copy.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/process.hpp"
#include "linux/syscalls.hpp"
#include "storage/confine.hpp"
#include "storage/layer_mount.hpp"
#include "storage/layer_work.hpp"
#include "storage/pack.hpp"
#include "storage/unpack.hpp"

namespace sctr::storage {

namespace {

constexpr int root_fd = 3;
constexpr int user_namespace_fd = 4;
constexpr int mount_namespace_fd = 5;
constexpr int most_links = 40; // as the kernel's

bool has_user_namespace(const View& view) {
    return view.at(0) == "fd" && ::fcntl(user_namespace_fd, F_GETFD) >= 0;
}

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

/// What is to be done with a container's files.
struct Wish {
    std::string path;
    bool can_make = false; ///< what a start makes may be made
};

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
void mount_in(int root, const ViewMount& mount, const Wish& wish) {
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
            .at(wish.path)
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

UniqueFd open_view(View view, const Wish& wish, bool rootless) {
    const auto mounts = take_mounts(view);
    UniqueFd root = open_plain_view(view, !mounts.empty(), rootless);
    for (const ViewMount& mount : mounts) {
        mount_in(root.get(), mount, wish);
    }
    return root;
}

/// A name in an open directory, and what it is, if it is there.
struct Place {
    UniqueFd parent;
    std::string name;
    std::optional<struct stat> info;

    [[nodiscard]] bool is_directory() const { return info && S_ISDIR(info->st_mode); }
};

UniqueFd open_below(int root, const std::string& path) {
    UniqueFd found(sys::openat2(root,
                                path.empty() ? "." : path.c_str(),
                                O_PATH | O_DIRECTORY | O_CLOEXEC,
                                0,
                                RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
    if (!found.valid()) {
        throw Error("cannot copy").at(path.empty() ? "/" : path).because(errno);
    }
    return found;
}

std::string read_link(const Place& place, const std::string& path) {
    std::array<char, PATH_MAX> target{};
    const ssize_t size =
        ::readlinkat(place.parent.get(), place.name.c_str(), target.data(), target.size());
    if (size < 0) {
        throw Error("cannot copy").at(path).because(errno);
    }
    return {target.data(), static_cast<std::size_t>(size)};
}

/// Finds a path below a root. A last component that is a symbolic link is followed if `follow`
/// says so, also to where nothing is.
Place find_place(int root, std::string path, bool follow) {
    for (int links = 0; links < most_links; ++links) {
        while (path.size() > 1 && path.ends_with('/')) {
            path.pop_back();
        }
        const auto slash = path.rfind('/');
        std::string directory = slash == std::string::npos ? "" : path.substr(0, slash + 1);
        std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
        if (name.empty() || name == "." || name == "..") {
            directory = path;
            name = ".";
        }
        Place place{.parent = open_below(root, directory), .name = std::move(name)};
        struct stat info{};
        if (::fstatat(place.parent.get(), place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
            place.info = info;
        } else if (errno != ENOENT) {
            throw Error("cannot copy").at(path).because(errno);
        }
        if (!follow || !place.info || !S_ISLNK(place.info->st_mode)) {
            return place;
        }
        const std::string target = read_link(place, path);
        path = target.starts_with('/') ? target : directory + target;
    }
    throw Error("cannot copy").at(path).because(ELOOP);
}

UniqueFd open_directory(const Place& place, const std::string& path) {
    UniqueFd directory(::openat(
        place.parent.get(), place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory.valid()) {
        throw Error("cannot copy").at(path).because(errno);
    }
    return directory;
}

UniqueFd require_view(const View& view, const Wish& wish, bool rootless) {
    UniqueFd root = open_view(view, wish, rootless);
    if (!root.valid()) {
        throw Error("cannot open the container's root").because(errno);
    }
    return root;
}

} // namespace

void copy_from(
    const std::string& path, const std::string& as, bool follow, const View& view, bool rootless) {
    const bool can_make = std::ranges::contains(view, "writable");
    const UniqueFd root = require_view(view, {.path = path, .can_make = can_make}, rootless);
    const bool needs_directory = path.ends_with('/');
    const Place place = find_place(root.get(), path, follow || needs_directory);
    if (!place.info) {
        throw Error("cannot copy").at(path).because(ENOENT);
    }
    if (needs_directory && !place.is_directory()) {
        throw Error("cannot copy").at(path).because(ENOTDIR);
    }
    const UniqueFd node(
        ::openat(place.parent.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    (void)confine({.read = {node.get()}, .capabilities = capabilities_to_read()});
    pack_node(place.parent.get(), place.name, STDOUT_FILENO, {.meaning = Meaning::tree, .as = as});
}

void copy_to(const CopyTarget& target, const View& view, bool rootless) {
    const UniqueFd root = require_view(view, {.path = target.path, .can_make = true}, rootless);
    Place place = find_place(root.get(), target.path, true);
    const UniqueFd directory =
        place.is_directory() ? open_directory(place, target.path) : std::move(place.parent);
    std::uint64_t capabilities = capabilities_to_write();
    if (!target.keep_owners) { // nor does what a container could give itself come with it
        capabilities &= ~capability_set({CAP_MKNOD, CAP_SETFCAP});
    }
    const auto confined = confine({.write = {directory.get()}, .capabilities = capabilities});
    const auto choose = [&](bool is_directory) -> TreeTarget {
        const std::string found = path_of(confined.front()) + "/.";
        if (place.is_directory()) {
            if (target.name.empty()) {
                return {.directory = found};
            }
            return {.directory = found, .top = is_directory && target.contents ? "" : target.name};
        }
        if (target.name.empty() || (target.path.ends_with('/') && !(is_directory && !place.info))) {
            throw Error("cannot copy")
                .at(target.path)
                .because(place.info ? "it is no directory" : "there is no such directory");
        }
        if (place.info && is_directory) {
            throw Error("cannot copy a directory onto what is none").at(target.path);
        }
        return {.directory = found, .top = place.name};
    };
    unpack_tree({.archive = "/proc/self/fd/0",
                 .keep_owners = target.keep_owners,
                 .rootless = rootless || has_user_namespace(view)},
                choose);
}

namespace {

/// A file of an account database, made where there is none; an invalid fd for what is no file,
/// which is not opened: some devices act on that.
UniqueFd open_accounts(int root, const std::string& path) {
    constexpr int flags = O_RDWR | O_APPEND | O_CLOEXEC;
    constexpr std::uint64_t inside = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const UniqueFd found(sys::openat2(root, path.c_str(), O_PATH | O_CLOEXEC, 0, inside));
    if (!found.valid() && errno == ENOENT) {
        return UniqueFd(sys::openat2(root, path.c_str(), flags | O_CREAT | O_EXCL, 0644, inside));
    }
    struct stat info{};
    const bool is_file = found.valid() && ::fstat(found.get(), &info) == 0 && S_ISREG(info.st_mode);
    return UniqueFd(is_file ? ::open(path_of(found).c_str(), flags) : -1);
}

} // namespace

void add_lines(const std::vector<std::pair<std::string, std::string>>& lines,
               const View& view,
               bool rootless) {
    const UniqueFd root = require_view(view, {}, rootless);
    for (const auto& [path, line] : lines) {
        if (line.empty()) {
            continue;
        }
        const UniqueFd file = open_accounts(root.get(), path);
        struct stat info{};
        if (!file.valid() || ::fstat(file.get(), &info) < 0) {
            continue; // no directory for it, or what the image has there is no file
        }
        char last = '\n';
        const bool is_whole =
            info.st_size == 0 ||
            (::pread(file.get(), &last, 1, info.st_size - 1) == 1 && last == '\n');
        const std::string text = (is_whole ? "" : "\n") + line + "\n";
        if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
            throw Error("cannot add the account").at(path).because(errno);
        }
    }
}

void fill(const std::string& directory,
          const std::string& path,
          const std::vector<std::string>& layers,
          bool rootless) {
    const UniqueFd root = mount_layers({.layers = layers, .user_xattrs = rootless});
    const UniqueFd source(sys::openat2(root.get(),
                                       path.c_str(),
                                       O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                       0,
                                       RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
    if (!source.valid()) {
        return; // nothing is there, or no directory
    }
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
        throw Error("cannot fill the volume").because(errno);
    }
    UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    sys::Child packer = sys::fork_child(0, [&] {
        reader.reset();
        (void)confine({.read = {source.get()}, .capabilities = capabilities_to_read()});
        pack_node(source.get(), ".", writer.get(), {.meaning = Meaning::tree});
    });
    writer.reset();
    Work unpacker = begin([&]() -> std::string {
        prepare_confinement();
        const UniqueFd volume = open_place(directory);
        const auto place =
            confine({.write = {volume.get()}, .capabilities = capabilities_to_write()});
        unpack_tree({.archive = path_of(reader), .rootless = rootless}, [&](bool) -> TreeTarget {
            return {.directory = path_of(place.front()) + "/."};
        });
        return {};
    });
    reader.reset();
    (void)end(unpacker, path);
    if (packer.wait() != 0) {
        throw Error("cannot fill the volume").at(path).because("not all of it can be read");
    }
}

} // namespace sctr::storage
