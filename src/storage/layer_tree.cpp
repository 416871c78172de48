// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/layer_tree.hpp"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <string_view>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/syscalls.hpp"

namespace sctr::storage {

namespace {

constexpr const char* cannot_unpack = "cannot unpack the layer";
constexpr std::string_view opaque_marker = ".wh..wh..opq";
constexpr std::string_view aufs_prefix = ".wh..wh.";

[[noreturn]] void fail(const std::string& path) {
    const int error_number = errno;
    throw Error(cannot_unpack).at("/" + path).because(error_number);
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw Error(cannot_unpack).at("/" + escape_controls(path)).because(why);
}

std::pair<std::string, std::string> split_path(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? std::pair{std::string(), path}
                                      : std::pair{path.substr(0, slash), path.substr(slash + 1)};
}

bool is_whiteout(const struct stat& info) {
    return S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

/// What a layer must not say: overlayfs would obey, labels are the host's own, and what is trusted
/// only CAP_SYS_ADMIN can read.
bool is_foreign_xattr(std::string_view name) {
    return name.starts_with("trusted.") || name.starts_with("user.overlay.") ||
           (name.starts_with("security.") && name != "security.capability");
}

std::string link_of(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

std::string name_of(int directory, const std::string& path) {
    std::array<char, PATH_MAX> name{};
    const ssize_t size = ::readlink(link_of(directory).c_str(), name.data(), name.size());
    if (size < 0) {
        fail(path);
    }
    return {name.data(), static_cast<std::size_t>(size)};
}

} // namespace

LayerTree::LayerTree(const std::string& root, const TreeOptions& options)
    : root_(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
      rootless_(options.rootless), is_layer_(options.meaning == Meaning::layer) {
    if (!root_.valid()) {
        throw Error(cannot_unpack).at(root).because(errno);
    }
    implied_.insert("");
    root_name_ = name_of(root_.get(), root);
    root_name_ = root_name_ == "/" ? "" : root_name_;
}

/// Without links on the way.
std::string LayerTree::place_of(int directory) const {
    const std::string name = name_of(directory, "");
    return name.size() > root_name_.size() ? name.substr(root_name_.size() + 1) : "";
}

std::uint64_t LayerTree::inside() const {
    return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (is_layer_ ? RESOLVE_NO_XDEV : 0);
}

int LayerTree::open_directory(const std::string& path) {
    if (path.empty()) {
        return root_.get();
    }
    if (current_.valid() && current_path_ == path) {
        return current_.get();
    }
    constexpr std::uint64_t flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    UniqueFd opened(sys::openat2(root_.get(), path.c_str(), flags, 0, inside()));
    if (!opened.valid() && errno == ENOENT) {
        make_directories(path);
        opened = UniqueFd(sys::openat2(root_.get(), path.c_str(), flags, 0, inside()));
    }
    if (!opened.valid()) {
        fail(path);
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
        if (is_layer_ && ::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
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
        refuse(path, "a symbolic link that leads nowhere, or a file, where a directory must be");
    }
    fail(path);
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
        fail(path);
    }
    if (!is_layer_) {
        refuse(path, "a directory is there, and what comes is none");
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

void LayerTree::set_xattrs(int file, const LayerMember& member) const {
    for (const auto& [name, value] : member.xattrs) {
        if (is_foreign_xattr(name)) {
            continue;
        }
        if (::setxattr(link_of(file).c_str(), name.c_str(), value.data(), value.size(), 0) == 0) {
            continue;
        }
        const bool is_refused = errno == EPERM && (rootless_ || !S_ISREG(member.mode));
        // Without its capabilities a program would silently do something else.
        if (name == "security.capability" || (errno != ENOTSUP && !is_refused)) {
            throw Error(cannot_unpack)
                .at("/" + member.path + " (xattr " + escape_controls(name) + ")")
                .because(errno);
        }
    }
}

void LayerTree::set_opaque(int directory, const std::string& path) {
    if (!rootless_) {
        opaque_.insert(place_of(directory));
    } else if (::fsetxattr(directory, "user.overlay.opaque", "y", 1, 0) < 0) {
        fail(path);
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
        refuse(member.path, "a whiteout of nothing");
    }
    if (::mknodat(place.directory, hidden.c_str(), S_IFCHR, makedev(0, 0)) == 0) {
        return;
    }
    if (errno != EEXIST) {
        fail(member.path);
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
        if (exists && !S_ISDIR(info.st_mode) && !is_layer_) {
            refuse(member.path, "a directory comes, and what is there is none");
        }
        if (exists && !S_ISDIR(info.st_mode)) {
            displace(place, member.path);
        }
        if ((!exists || !S_ISDIR(info.st_mode)) &&
            ::mkdirat(place.directory, place.name.c_str(), 0700) < 0) {
            fail(member.path);
        }
        const UniqueFd made(::openat(
            place.directory, place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!made.valid()) {
            fail(member.path);
        }
        if (is_layer_ && exists && is_whiteout(info)) {
            set_opaque(made.get(), member.path);
        }
        if (::fchown(made.get(), member.uid, member.gid) < 0 ||
            ::fchmod(made.get(), member.mode & 07777U) < 0) {
            fail(member.path);
        }
        set_xattrs(made.get(), member);
        return;
    }
    if (::fchown(root_.get(), member.uid, member.gid) < 0 ||
        ::fchmod(root_.get(), member.mode & 07777U) < 0) {
        fail(member.path);
    }
    set_xattrs(root_.get(), member);
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
                                       inside()));
    struct stat info{};
    if (!source.valid() || ::fstatat(source.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
        refuse(member.path,
               "a hard link to /" + escape_controls(member.link) +
                   ", which the layer "
                   "does not have");
    }
    if (S_ISDIR(info.st_mode) || is_whiteout(info)) {
        refuse(member.path, "a hard link to what is no file");
    }
    const Place place = open_place(member.path);
    for (int tries = 0; tries < 2; ++tries) {
        if (::linkat(source.get(), name.c_str(), place.directory, place.name.c_str(), 0) == 0) {
            if (S_ISREG(info.st_mode)) {
                set_metadata(member, place, S_IFREG); // the last word about it, as in podman
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
    fail(member.path);
}

/// By fd: a container that runs could put a link to a file of the host's in its place.
void LayerTree::set_metadata(const LayerMember& member, const Place& place, mode_t type) const {
    const UniqueFd node(
        ::openat(place.directory, place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info{};
    if (!node.valid() || ::fstat(node.get(), &info) < 0) {
        fail(member.path);
    }
    if ((info.st_mode & S_IFMT) != type) {
        refuse(member.path, "something else has taken its place");
    }
    if (::fchownat(node.get(), "", member.uid, member.gid, AT_EMPTY_PATH) < 0) {
        fail(member.path);
    }
    // fchmod(2) takes no O_PATH.
    if (type != S_IFLNK && ::chmod(link_of(node.get()).c_str(), member.mode & 07777U) < 0) {
        fail(member.path);
    }
    set_xattrs(node.get(), member);
    const std::array<struct timespec, 2> times{member.mtime, member.mtime};
    if (::utimensat(node.get(), "", times.data(), AT_EMPTY_PATH) < 0) {
        fail(member.path);
    }
}

void LayerTree::add_node(const LayerMember& member) {
    const Place place = open_place(member.path);
    const char* name = place.name.c_str();
    for (int tries = 0; tries < 2; ++tries) {
        const int made = S_ISLNK(member.mode)
                             ? ::symlinkat(member.link.c_str(), place.directory, name)
                             : ::mknodat(place.directory, name, member.mode, member.device);
        if (made == 0) {
            set_metadata(member, place, member.mode & S_IFMT);
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
    fail(member.path);
}

void LayerTree::add(const LayerMember& member) {
    const auto slash = member.path.rfind('/');
    const std::string_view name =
        std::string_view(member.path).substr(slash == std::string::npos ? 0 : slash + 1);
    if (is_layer_ && name.starts_with(whiteout_prefix)) {
        add_whiteout(member, open_place(member.path));
    } else if (member.is_hard_link) {
        add_hard_link(member);
    } else if (S_ISDIR(member.mode)) {
        add_directory(member);
    } else if (member.path.empty()) {
        refuse(member.path, "the root of the layer is no directory");
    } else {
        add_node(member);
    }
}

UniqueFd LayerTree::create_file(const LayerMember& member) {
    if (member.path.empty()) {
        refuse(member.path, "the root of the layer is no directory");
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
    fail(member.path);
}

void LayerTree::finish_file(int file, const LayerMember& member) {
    const std::array<struct timespec, 2> times{member.mtime, member.mtime};
    if (::fchown(file, member.uid, member.gid) < 0 || ::fchmod(file, member.mode & 07777U) < 0) {
        fail(member.path);
    }
    set_xattrs(file, member);
    if (::futimens(file, times.data()) < 0) {
        fail(member.path);
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
            fail(path);
        }
    }
}

} // namespace sctr::storage
