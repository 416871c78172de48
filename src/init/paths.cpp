// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/paths.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "linux/syscalls.hpp"

namespace sctr::init {

namespace {

std::uint64_t resolve_flags(Symlinks symlinks) noexcept {
    // The container's own magic links (/proc/self/fd) would lead to objects outside the root.
    return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS |
           (symlinks == Symlinks::refuse ? RESOLVE_NO_SYMLINKS : 0U);
}

} // namespace

UniqueFd open_path(int root, const std::string& path, Symlinks symlinks) noexcept {
    return UniqueFd(
        sys::openat2(root, path.c_str(), O_PATH | O_CLOEXEC, 0, resolve_flags(symlinks)));
}

UniqueFd open_symlink(int root, const std::string& path) noexcept {
    UniqueFd found(sys::openat2(
        root, path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, resolve_flags(Symlinks::follow)));
    struct stat info{};
    const bool is_link = found.valid() && ::fstat(found.get(), &info) == 0 && S_ISLNK(info.st_mode);
    return is_link ? std::move(found) : UniqueFd();
}

namespace {

/// The target of a symlink; an empty text and errno for what is none.
std::string link_target(int directory, const std::string& name) noexcept {
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(directory, name.c_str(), target, sizeof target);
    return size < 0 ? std::string() : std::string(target, static_cast<std::size_t>(size));
}

UniqueFd make_last(int directory, const std::string& name, mode_t type) noexcept {
    if (type == S_IFDIR) {
        if (::mkdirat(directory, name.c_str(), 0755) < 0) {
            return {};
        }
    } else {
        constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        if (!UniqueFd(::openat(directory, name.c_str(), flags, 0644)).valid()) {
            return {};
        }
    }
    return UniqueFd(sys::openat2(directory,
                                 name.c_str(),
                                 O_PATH | O_NOFOLLOW | O_CLOEXEC,
                                 0,
                                 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
}

/// Walks `rest` from the root, makes what is missing, and its last part as `type`. Images have
/// links to what only a mount brings (/etc/resolv.conf, /var/run): their targets are made too.
UniqueFd make_path(int root, std::string rest, Symlinks symlinks, mode_t type) noexcept {
    constexpr int most_links = 40; // as the kernel: path_resolution(7)
    int links = 0;
    std::string done; // resolved anew at each step, since ".." and links mean the root's
    UniqueFd current = open_path(root, "/");
    while (current.valid() && !rest.empty()) {
        const std::size_t end = std::min(rest.find('/'), rest.size());
        const std::string name = rest.substr(0, end);
        const bool last = end == rest.size();
        rest.erase(0, end + 1);
        if (name.empty()) {
            continue;
        }
        UniqueFd next = open_path(root, done + "/" + name, symlinks);
        if (!next.valid() && errno == ENOENT) {
            next = make_last(current.get(), name, last ? type : S_IFDIR);
        }
        if (!next.valid() && errno == EEXIST && symlinks == Symlinks::follow) {
            const std::string target = link_target(current.get(), name);
            if (target.empty() || ++links > most_links) {
                errno = target.empty() ? EEXIST : ELOOP;
                return {};
            }
            rest = last ? target : target + "/" + rest;
            if (target.starts_with('/')) {
                done.clear();
                current = open_path(root, "/");
            }
            continue;
        }
        done += "/" + name;
        current = std::move(next);
    }
    return current;
}

} // namespace

UniqueFd make_directory(int root, const std::string& path, Symlinks symlinks) noexcept {
    UniqueFd whole = open_path(root, path, symlinks);
    if (whole.valid() || errno != ENOENT) {
        return whole;
    }
    return make_path(root, path, symlinks, S_IFDIR);
}

UniqueFd make_file(int root, const std::string& path, Symlinks symlinks) noexcept {
    UniqueFd file = open_path(root, path, symlinks);
    if (file.valid() || errno != ENOENT) {
        return file;
    }
    if (path.ends_with('/')) {
        return {}; // a directory's name
    }
    return make_path(root, path, symlinks, S_IFREG);
}

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

} // namespace sctr::init
