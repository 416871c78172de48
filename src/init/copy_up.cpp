// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/copy_up.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <vector>

#include "base/unique_fd.hpp"
#include "init/control.hpp"

namespace sctr::init {

namespace {

constexpr const char* failure = "cannot copy into the new tmpfs";
constexpr std::size_t shown = 80; ///< bytes of a path that is too long

/// An entry of a directory that is being copied; both directories are held open.
struct Entry {
    int from;
    int to;
    const char* name;
    const struct stat& info;
    const std::string& where;
};

void copy_attributes(int from, int to) noexcept {
    std::vector<char> names(XATTR_LIST_MAX);
    const ssize_t size = ::flistxattr(from, names.data(), names.size());
    std::vector<char> value(size > 0 ? XATTR_SIZE_MAX : 0);
    for (ssize_t at = 0; at < size;) {
        const char* name = names.data() + at;
        at += static_cast<ssize_t>(std::strlen(name)) + 1;
        const ssize_t length = ::fgetxattr(from, name, value.data(), value.size());
        if (length >= 0) {
            // Not every file system, nor every user namespace, has every attribute.
            (void)::fsetxattr(to, name, value.data(), static_cast<std::size_t>(length), 0);
        }
    }
}

/// Owner before mode, since a change of owner takes the set-id bits; times at last.
void copy_metadata(int from, int to, const struct stat& info, const std::string& where) noexcept {
    require(::fchown(to, info.st_uid, info.st_gid) == 0, failure, where);
    require(::fchmod(to, info.st_mode & 07777U) == 0, failure, where);
    copy_attributes(from, to);
    const struct timespec times[] = {info.st_atim, info.st_mtim};
    require(::futimens(to, times) == 0, failure, where);
}

void copy_file(const Entry& entry) noexcept {
    // Not blocking, should a fifo have taken its place since.
    const UniqueFd from(
        ::openat(entry.from, entry.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat info{};
    require(from.valid() && ::fstat(from.get(), &info) == 0, failure, entry.where);
    if (!S_ISREG(info.st_mode)) {
        fail({.what = failure, .where = entry.where, .why = "it changes while it is copied"}, 0);
    }
    const UniqueFd to(
        ::openat(entry.to, entry.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    require(to.valid(), failure, entry.where);
    ssize_t copied = 0;
    do {
        constexpr std::size_t piece = std::size_t{1} << 30U;
        copied = ::sendfile(to.get(), from.get(), nullptr, piece);
    } while (copied > 0);
    require(copied == 0, failure, entry.where);
    copy_metadata(from.get(), to.get(), info, entry.where);
}

/// Not inlined: its buffer would be on the stack once a level.
[[gnu::noinline]] void copy_link(const Entry& entry) noexcept {
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(entry.from, entry.name, target, sizeof target - 1);
    require(size >= 0, failure, entry.where);
    target[size] = 0;
    const struct timespec times[] = {entry.info.st_atim, entry.info.st_mtim};
    require(
        ::symlinkat(target, entry.to, entry.name) == 0 &&
            ::fchownat(
                entry.to, entry.name, entry.info.st_uid, entry.info.st_gid, AT_SYMLINK_NOFOLLOW) ==
                0 &&
            ::utimensat(entry.to, entry.name, times, AT_SYMLINK_NOFOLLOW) == 0,
        failure,
        entry.where);
}

void copy_node(const Entry& entry) noexcept {
    if (::mknodat(entry.to, entry.name, entry.info.st_mode, entry.info.st_rdev) < 0) {
        const bool is_device = S_ISCHR(entry.info.st_mode) || S_ISBLK(entry.info.st_mode);
        require(is_device && errno == EPERM, failure, entry.where);
        return;
    }
    const struct timespec times[] = {entry.info.st_atim, entry.info.st_mtim};
    require(::fchownat(
                entry.to, entry.name, entry.info.st_uid, entry.info.st_gid, AT_SYMLINK_NOFOLLOW) ==
                    0 &&
                ::fchmodat(entry.to, entry.name, entry.info.st_mode & 07777U, 0) == 0 &&
                ::utimensat(entry.to, entry.name, times, AT_SYMLINK_NOFOLLOW) == 0,
            failure,
            entry.where);
}

UniqueFd open_directory(int parent, const char* name) noexcept {
    return UniqueFd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

void copy_directory(const Entry& entry) noexcept {
    const UniqueFd from = open_directory(entry.from, entry.name);
    require(from.valid() && ::mkdirat(entry.to, entry.name, 0700) == 0, failure, entry.where);
    const UniqueFd to = open_directory(entry.to, entry.name);
    require(to.valid(), failure, entry.where);
    copy_up(from.get(), to.get(), entry.where);
}

void copy_entry(const Entry& entry) noexcept {
    switch (entry.info.st_mode & S_IFMT) {
    case S_IFDIR:
        copy_directory(entry);
        break;
    case S_IFREG:
        copy_file(entry);
        break;
    case S_IFLNK:
        copy_link(entry);
        break;
    default:
        copy_node(entry);
    }
}

} // namespace

void copy_up(int from, int to, const std::string& where) noexcept {
    if (where.size() >= PATH_MAX) { // what a payload has made has no other end
        fail({.what = failure,
              .where = where.substr(0, shown),
              .why = "directories in directories without end"},
             0);
    }
    struct stat own{};
    // A file description of its own: the stream closes it, and `from` may be an O_PATH one.
    const int listed = ::openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* stream = listed < 0 ? nullptr : ::fdopendir(listed);
    require(stream != nullptr && ::fstat(from, &own) == 0, failure, where);
    errno = 0;
    while (const struct dirent* item = ::readdir(stream)) {
        const std::string name = item->d_name;
        if (name != "." && name != "..") {
            struct stat info{};
            const std::string path = where + "/" + name;
            require(::fstatat(from, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0, failure, path);
            copy_entry({from, to, name.c_str(), info, path});
        }
        errno = 0;
    }
    require(errno == 0, failure, where);
    copy_metadata(listed, to, own, where);
    ::closedir(stream);
}

} // namespace sctr::init
