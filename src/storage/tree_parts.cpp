// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/tree_parts.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <string_view>

#include "base/error.hpp"
#include "base/strings.hpp"

namespace sctr::storage {

namespace {

/// What a layer must not say: overlayfs would obey, labels are the host's own, and what is trusted
/// only CAP_SYS_ADMIN can read.
bool is_foreign_xattr(std::string_view name) {
    return name.starts_with("trusted.") || name.starts_with("user.overlay.") ||
           (name.starts_with("security.") && name != "security.capability");
}

std::string link_of(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

std::string name_of(int directory) {
    std::array<char, PATH_MAX> name{};
    const ssize_t size = ::readlink(link_of(directory).c_str(), name.data(), name.size());
    if (size < 0) {
        fail_at("");
    }
    return {name.data(), static_cast<std::size_t>(size)};
}

} // namespace

void fail_at(const std::string& path) {
    const int error_number = errno;
    throw Error(cannot_unpack).at("/" + escape_controls(path)).because(error_number);
}

void refuse_at(const std::string& path, const std::string& why) {
    throw Error(cannot_unpack).at("/" + escape_controls(path)).because(why);
}

std::pair<std::string, std::string> split_path(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? std::pair{std::string(), path}
                                      : std::pair{path.substr(0, slash), path.substr(slash + 1)};
}

std::string place_below(const std::string& root_name, int directory) {
    const std::string name = name_of(directory);
    return name.size() > root_name.size() ? name.substr(root_name.size() + 1) : "";
}

std::string name_of_root(int root) {
    std::string name = name_of(root);
    return name == "/" ? "" : name;
}

void give_xattrs(int file, const LayerMember& member, bool rootless) {
    for (const auto& [name, value] : member.xattrs) {
        if (is_foreign_xattr(name)) {
            continue;
        }
        if (::setxattr(link_of(file).c_str(), name.c_str(), value.data(), value.size(), 0) == 0) {
            continue;
        }
        const bool is_refused = errno == EPERM && (rootless || !S_ISREG(member.mode));
        // Without its capabilities a program would silently do something else.
        if (name == "security.capability" || (errno != ENOTSUP && !is_refused)) {
            const int error_number = errno;
            Error error(cannot_unpack);
            error.at("/" + escape_controls(member.path)).because(error_number);
            throw error.because("xattr " + escape_controls(name) + ": " + error.why());
        }
    }
}

void give_looks(int node, const LayerMember& member, mode_t type, bool rootless) {
    struct stat info{};
    if (::fstat(node, &info) < 0) {
        fail_at(member.path);
    }
    if ((info.st_mode & S_IFMT) != type) {
        refuse_at(member.path, "something else has taken its place");
    }
    if (::fchownat(node, "", member.uid, member.gid, AT_EMPTY_PATH) < 0) {
        fail_at(member.path);
    }
    // fchmod(2) takes no O_PATH.
    if (type != S_IFLNK && ::chmod(link_of(node).c_str(), member.mode & 07777U) < 0) {
        fail_at(member.path);
    }
    give_xattrs(node, member, rootless);
    const std::array<struct timespec, 2> times{member.mtime, member.mtime};
    if (::utimensat(node, "", times.data(), AT_EMPTY_PATH) < 0) {
        fail_at(member.path);
    }
}

void give_looks_at(
    int directory, const std::string& name, const LayerMember& member, mode_t type, bool rootless) {
    const UniqueFd node(::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!node.valid()) {
        fail_at(member.path);
    }
    give_looks(node.get(), member, type, rootless);
}

} // namespace sctr::storage
