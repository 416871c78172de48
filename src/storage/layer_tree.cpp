// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/layer_tree.hpp"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/syscalls.hpp"
#include "storage/meaning.hpp"
#include "storage/tree_parts.hpp"

namespace sctr::storage {

namespace {

constexpr std::string_view opaque_marker = ".wh..wh..opq";
constexpr std::string_view aufs_prefix = ".wh..wh.";
constexpr std::uint64_t inside_layer = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;

bool is_whiteout(const struct stat& info) {
    return S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

} // namespace

LayerTree::LayerTree(const std::string& root, bool rootless)
    : root_(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
      rootless_(rootless) {
    if (!root_.valid()) {
        throw Error("cannot unpack the layer").at(root).because(errno);
    }
    implied_.insert("");
    root_name_ = name_of_root(root_.get());
}

/// Without links on the way.
std::string LayerTree::place_of(int directory) const {
    return place_below(root_name_, directory);
}

int LayerTree::open_directory(const std::string& path) {
    if (path.empty()) {
        return root_.get();
    }
    if (current_.valid() && current_path_ == path) {
        return current_.get();
    }
    constexpr std::uint64_t flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    UniqueFd opened(sys::openat2(root_.get(), path.c_str(), flags, 0, inside_layer));
    if (!opened.valid() && errno == ENOENT) {
        make_directories(path);
        opened = UniqueFd(sys::openat2(root_.get(), path.c_str(), flags, 0, inside_layer));
    }
    if (!opened.valid()) {
        fail_at(path);
    }
    current_ = std::move(opened);
    current_path_ = path;
    return current_.get();
}

void LayerTree::make_directories(const std::string& path) {
    const auto [parent, name] = split_path(path);
    const int directory = open_directory(parent);
    if (::mkdirat(directory, name.c_str(), 0755) == 0) {
        implied_.insert(path);
        return;
    }
    if (errno == EEXIST) {
        struct stat info{};
        if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            is_whiteout(info)) {
            displace({.directory = directory, .name = name}, path);
            if (::mkdirat(directory, name.c_str(), 0755) == 0) {
                const UniqueFd made(::openat(
                    directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
                set_opaque(made.get(), path);
                implied_.insert(path);
                return;
            }
        }
        refuse_at(path, "a symbolic link that leads nowhere, or a file, where a directory must be");
    }
    fail_at(path);
}

LayerTree::Place LayerTree::open_place(const std::string& path) {
    auto [parent, name] = split_path(path);
    return {.directory = open_directory(parent), .name = std::move(name)};
}

void LayerTree::displace(const Place& place, const std::string& path) {
    if (::unlinkat(place.directory, place.name.c_str(), 0) == 0 || errno == ENOENT) {
        return;
    }
    if (errno != EISDIR) {
        fail_at(path);
    }
    const std::string parent = place_of(place.directory);
    remove_tree(place.directory, place.name);
    const std::string gone = (parent.empty() ? "" : parent + "/") + place.name;
    std::erase_if(opaque_, [&](const std::string& directory) {
        return directory == gone || directory.starts_with(gone + "/");
    });
    if (current_path_.starts_with(path)) {
        current_.reset(); // it may have been below, and is gone
        current_path_.clear();
    }
}

void LayerTree::set_opaque(int directory, const std::string& path) {
    if (!rootless_) {
        opaque_.insert(place_of(directory));
    } else if (::fsetxattr(directory, "user.overlay.opaque", "y", 1, 0) < 0) {
        fail_at(path);
    }
}

void LayerTree::add_whiteout(const LayerMember& member, const Place& place) {
    if (place.name == opaque_marker) {
        set_opaque(place.directory, member.path);
        return;
    }
    if (place.name.starts_with(aufs_prefix)) {
        return; // aufs kept records of its own there
    }
    const std::string hidden = place.name.substr(whiteout_prefix.size());
    if (hidden.empty() || hidden == "." || hidden == "..") {
        refuse_at(member.path, "a whiteout of nothing");
    }
    if (::mknodat(place.directory, hidden.c_str(), S_IFCHR, makedev(0, 0)) == 0) {
        return;
    }
    if (errno != EEXIST) {
        fail_at(member.path);
    }
    // A whiteout speaks of the layers below; what this one has under the name stays.
    const UniqueFd there(
        ::openat(place.directory, hidden.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (there.valid()) {
        set_opaque(there.get(), member.path);
    }
}

void LayerTree::add_directory(const LayerMember& member) {
    implied_.erase(member.path);
    directory_times_[member.path] = member.mtime;
    if (!member.path.empty()) {
        const Place place = open_place(member.path);
        struct stat info{};
        const bool exists =
            ::fstatat(place.directory, place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
        if (exists && !S_ISDIR(info.st_mode)) {
            displace(place, member.path);
        }
        if ((!exists || !S_ISDIR(info.st_mode)) &&
            ::mkdirat(place.directory, place.name.c_str(), 0700) < 0) {
            fail_at(member.path);
        }
        const UniqueFd made(::openat(
            place.directory, place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!made.valid()) {
            fail_at(member.path);
        }
        if (exists && is_whiteout(info)) {
            set_opaque(made.get(), member.path);
        }
        if (::fchown(made.get(), member.uid, member.gid) < 0 ||
            ::fchmod(made.get(), member.mode & 07777U) < 0) {
            fail_at(member.path);
        }
        give_xattrs(made.get(), member, rootless_);
        return;
    }
    if (::fchown(root_.get(), member.uid, member.gid) < 0 ||
        ::fchmod(root_.get(), member.mode & 07777U) < 0) {
        fail_at(member.path);
    }
    give_xattrs(root_.get(), member, rootless_);
}

void LayerTree::add_hard_link(const LayerMember& member) {
    if (member.link == member.path) {
        return;
    }
    auto [parent, name] = split_path(member.link);
    const UniqueFd source(sys::openat2(root_.get(),
                                       parent.empty() ? "." : parent.c_str(),
                                       O_PATH | O_DIRECTORY | O_CLOEXEC,
                                       0,
                                       inside_layer));
    struct stat info{};
    if (!source.valid() || ::fstatat(source.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
        refuse_at(member.path,
                  "a hard link to /" + escape_controls(member.link) +
                      ", which the layer "
                      "does not have");
    }
    if (S_ISDIR(info.st_mode) || is_whiteout(info)) {
        refuse_at(member.path, "a hard link to what is no file");
    }
    const Place place = open_place(member.path);
    for (int tries = 0; tries < 2; ++tries) {
        if (::linkat(source.get(), name.c_str(), place.directory, place.name.c_str(), 0) == 0) {
            if (S_ISREG(info.st_mode)) {
                // The last word about it, as in podman.
                give_looks_at(place.directory, place.name, member, S_IFREG, rootless_);
            }
            return;
        }
        if (errno != EEXIST) {
            break;
        }
        struct stat there{};
        if (::fstatat(place.directory, place.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
            there.st_ino == info.st_ino) {
            return; // a link to itself by way of a symbolic link
        }
        displace(place, member.path);
    }
    fail_at(member.path);
}

void LayerTree::add_node(const LayerMember& member) {
    const Place place = open_place(member.path);
    const char* name = place.name.c_str();
    for (int tries = 0; tries < 2; ++tries) {
        const int made = S_ISLNK(member.mode)
                             ? ::symlinkat(member.link.c_str(), place.directory, name)
                             : ::mknodat(place.directory, name, member.mode, member.device);
        if (made == 0) {
            give_looks_at(place.directory, place.name, member, member.mode & S_IFMT, rootless_);
            return;
        }
        if (errno == EPERM && rootless_ && (S_ISCHR(member.mode) || S_ISBLK(member.mode))) {
            return;
        }
        if (errno != EEXIST) {
            break;
        }
        displace(place, member.path);
    }
    fail_at(member.path);
}

void LayerTree::add(const LayerMember& member) {
    const auto slash = member.path.rfind('/');
    const std::string_view name =
        std::string_view(member.path).substr(slash == std::string::npos ? 0 : slash + 1);
    if (name.starts_with(whiteout_prefix)) {
        add_whiteout(member, open_place(member.path));
    } else if (member.is_hard_link) {
        add_hard_link(member);
    } else if (S_ISDIR(member.mode)) {
        add_directory(member);
    } else if (member.path.empty()) {
        refuse_at(member.path, "the root of the layer is no directory");
    } else {
        add_node(member);
    }
}

UniqueFd LayerTree::create_file(const LayerMember& member) {
    if (member.path.empty()) {
        refuse_at(member.path, "the root of the layer is no directory");
    }
    const Place place = open_place(member.path);
    for (int tries = 0; tries < 2; ++tries) {
        UniqueFd file(::openat(place.directory,
                               place.name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                               0600));
        if (file.valid()) {
            return file;
        }
        if (errno != EEXIST) {
            break;
        }
        displace(place, member.path);
    }
    fail_at(member.path);
}

void LayerTree::finish_file(int file, const LayerMember& member) {
    const std::array<struct timespec, 2> times{member.mtime, member.mtime};
    if (::fchown(file, member.uid, member.gid) < 0 || ::fchmod(file, member.mode & 07777U) < 0) {
        fail_at(member.path);
    }
    give_xattrs(file, member, rootless_);
    if (::futimens(file, times.data()) < 0) {
        fail_at(member.path);
    }
}

void LayerTree::finish() {
    current_.reset();
    current_path_.clear();
    for (const auto& [path, time] : directory_times_) {
        const UniqueFd directory(sys::openat2(root_.get(),
                                              path.empty() ? "." : path.c_str(),
                                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                                              0,
                                              RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
        const std::array<struct timespec, 2> times{time, time};
        if (directory.valid() && ::futimens(directory.get(), times.data()) < 0) {
            fail_at(path);
        }
    }
}

} // namespace sctr::storage
