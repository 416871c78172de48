// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/paths.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

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

UniqueFd make_directory(int root, const std::string& path, Symlinks symlinks) noexcept {
    UniqueFd whole = open_path(root, path, symlinks);
    if (whole.valid() || errno != ENOENT) {
        return whole;
    }
    UniqueFd current = open_path(root, "/");
    std::size_t begin = 0;
    while (current.valid() && begin < path.size()) {
        std::size_t end = path.find('/', begin);
        end = end == std::string::npos ? path.size() : end;
        const std::string prefix = path.substr(0, end);
        if (end > begin) {
            UniqueFd next = open_path(root, prefix, symlinks);
            if (!next.valid() && errno == ENOENT) {
                // ".." cannot be made; and it was resolved inside the root when it existed.
                const std::string name = path.substr(begin, end - begin);
                if (::mkdirat(current.get(), name.c_str(), 0755) < 0 && errno != EEXIST) {
                    return {};
                }
                next = UniqueFd(::openat(
                    current.get(), name.c_str(), O_PATH | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW));
            }
            current = std::move(next);
        }
        begin = end + 1;
    }
    return current;
}

UniqueFd make_file(int root, const std::string& path, Symlinks symlinks) noexcept {
    UniqueFd file = open_path(root, path, symlinks);
    if (file.valid() || errno != ENOENT) {
        return file;
    }
    const UniqueFd parent = make_directory(root, parent_of(path), symlinks);
    if (!parent.valid()) {
        return {};
    }
    const UniqueFd made(::openat(parent.get(),
                                 name_of(path).c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                 0644));
    if (!made.valid()) {
        return {};
    }
    return UniqueFd(::openat(parent.get(), name_of(path).c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

} // namespace sctr::init
