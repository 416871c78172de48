// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/output_file.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "base/error.hpp"
#include "linux/process.hpp"
#include "linux/syscalls.hpp"

namespace sctr::cli {
namespace {

constexpr mode_t mode_of_new = 0644;
constexpr mode_t permissions = 07777;

[[noreturn]] void fail_to_write(const std::string& path) {
    const int error_number = errno;
    throw Error("cannot write").at(path).because(error_number);
}

std::string link_to(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

/// Hidden, and nobody else's.
std::string name_beside(const std::string& name) {
    std::uint32_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number) {
        throw Error("cannot make up a name").because(errno);
    }
    std::array<char, 16> ending{};
    std::snprintf(ending.data(), ending.size(), ".%08" PRIx32, number);
    return "." + name.substr(0, NAME_MAX - ending.size()) + ending.data();
}

/// Whether its path leads through what is open already (/dev/stdout, /dev/fd/4, <(...) of a shell):
/// that is meant, and not what has its name.
bool is_open_already(const std::string& path) {
    const UniqueFd found(
        sys::openat2(AT_FDCWD, path.c_str(), O_PATH | O_CLOEXEC, 0, RESOLVE_NO_MAGICLINKS));
    return !found.valid() && errno == ELOOP;
}

/// A file that can get another in its place: none that something is mounted on, that has other
/// names or an access control list, or that is no file.
bool is_replaceable(int found) {
    struct statx info{};
    return ::statx(found, "", AT_EMPTY_PATH, STATX_TYPE | STATX_NLINK, &info) == 0 &&
           S_ISREG(info.stx_mode) && (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0 &&
           info.stx_nlink == 1 &&
           ::getxattr(link_to(found).c_str(), "system.posix_acl_access", nullptr, 0) < 0;
}

/// Whether the user may write the file, and nothing beside it: else no room is found for it, which
/// must not cost the old one.
bool is_of_the_directory(int error_number) {
    return error_number == EACCES || error_number == EPERM || error_number == EROFS;
}

std::pair<std::string, std::string> directory_and_name(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) {
        return {".", path};
    }
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

UniqueFd open_directory_of(const std::string& path) {
    return UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/// What the kernel calls it; empty for what has no name any more.
std::string real_path(int found) {
    std::array<char, PATH_MAX> text{};
    const ssize_t size = ::readlink(link_to(found).c_str(), text.data(), text.size());
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : "";
}

} // namespace

OutputFile::OutputFile(const std::string& path) : path_(path) {
    // By the kernel, which follows no link of a stranger's in a directory like /tmp.
    UniqueFd found(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat link{};
    if (!found.valid() && errno == ENOENT && ::lstat(path.c_str(), &link) == 0) {
        const UniqueFd made(
            ::open(path.c_str(), O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC, mode_of_new));
        is_made_ = made.valid();
        found = UniqueFd(::open(path.c_str(), O_PATH | O_CLOEXEC)); // it leads to nothing so far
    }
    if (found.valid()) {
        open_old(found);
    } else if (errno == ENOENT) {
        const auto [directory, name] = directory_and_name(path);
        directory_ = open_directory_of(directory);
        if (!directory_.valid() || name.empty()) {
            errno = !name.empty() ? errno : path.empty() ? ENOENT : EISDIR;
            fail_to_write(path);
        }
        is_new_ = true;
        name_ = name;
        open_beside(mode_of_new);
    }
    if (!file_.valid()) {
        fail_to_write(path);
    }
    file_ = sys::raise_fd(std::move(file_));
}

/// One that is there, and may be written, or this fails as if it was written itself.
void OutputFile::open_old(const UniqueFd& found) {
    UniqueFd old(::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    struct stat info{};
    if (!old.valid() || ::fstat(old.get(), &info) < 0) {
        fail_to_write(path_);
    }
    if (is_replaceable(found.get()) && !is_open_already(path_)) {
        const auto [directory, name] = directory_and_name(real_path(found.get()));
        struct stat there{};
        directory_ = open_directory_of(directory);
        name_ = name;
        if (directory_.valid() &&
            ::fstatat(directory_.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
            there.st_ino == info.st_ino && there.st_dev == info.st_dev) {
            open_beside(S_IRUSR | S_IWUSR); // until it is the old one's
            if (!file_.valid() && !is_of_the_directory(errno)) {
                fail_to_write(path_);
            }
        }
    }
    // As the old one is; whose owner it cannot get is written itself, as always.
    if (file_.valid() && (::fchown(file_.get(), info.st_uid, info.st_gid) < 0 ||
                          ::fchmod(file_.get(), info.st_mode & permissions) < 0)) {
        const int error_number = errno;
        file_.reset();
        if (!beside_.empty()) {
            ::unlinkat(directory_.get(), beside_.c_str(), 0);
            beside_.clear();
        }
        if (error_number != EPERM && error_number != EINVAL) {
            errno = error_number;
            fail_to_write(path_);
        }
    }
    if (file_.valid()) {
        return;
    }
    directory_.reset();
    file_ = std::move(old);
    if (S_ISREG(info.st_mode) && !is_open_already(path_) && ::ftruncate(file_.get(), 0) < 0) {
        fail_to_write(path_);
    }
}

/// Without a name where the file system can do that, so that nothing stays of it. file_ is invalid,
/// with errno, when the directory takes none.
void OutputFile::open_beside(mode_t mode) {
    file_ = UniqueFd(::openat(directory_.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode));
    if (file_.valid() || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) {
        return;
    }
    const std::string name = name_beside(name_);
    file_ = UniqueFd(::openat(directory_.get(),
                              name.c_str(),
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                              mode));
    if (file_.valid()) {
        beside_ = name;
    }
}

bool OutputFile::link(const std::string& name) {
    return ::linkat(AT_FDCWD,
                    link_to(file_.get()).c_str(),
                    directory_.get(),
                    name.c_str(),
                    AT_SYMLINK_FOLLOW) == 0;
}

void OutputFile::finish() {
    is_finished_ = !directory_.valid() || (beside_.empty() && is_new_ && link(name_));
    if (is_finished_) {
        return;
    }
    if (!is_new_ && ::fsync(file_.get()) < 0) { // else the old one may go for what never arrives
        fail_to_write(path_);
    }
    if (beside_.empty()) { // there is an old one, for which a link cannot be put
        const std::string name = name_beside(name_);
        if (!link(name)) {
            fail_to_write(path_);
        }
        beside_ = name;
    }
    if (::renameat(directory_.get(), beside_.c_str(), directory_.get(), name_.c_str()) < 0) {
        fail_to_write(path_);
    }
    is_finished_ = true;
}

OutputFile::~OutputFile() {
    if (is_finished_) {
        return;
    }
    if (!beside_.empty()) {
        ::unlinkat(directory_.get(), beside_.c_str(), 0);
    }
    if (is_made_) {
        ::unlinkat(directory_.get(), name_.c_str(), 0);
    }
}

void write_output(storage::LayerWork work,
                  const std::optional<std::string>& path,
                  const char* question) {
    const bool is_standard = !path || *path == "-";
    if (is_standard && ::isatty(STDOUT_FILENO) == 1) {
        throw Error(question).mend("give -o, or a pipe");
    }
    const std::string place = is_standard ? "standard output" : *path;
    std::optional<OutputFile> file;
    UniqueFd standard;
    if (is_standard) {
        standard = UniqueFd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10));
        if (!standard.valid()) {
            fail_to_write(place);
        }
    } else {
        file.emplace(*path);
    }
    work.output = file ? file->fd() : standard.get();
    try {
        (void)storage::LayerProgram(work).finish();
    } catch (const Error& error) {
        throw Error("cannot write").at(place).because(error.what());
    }
    if (file) {
        file->finish();
    }
}

} // namespace sctr::cli
