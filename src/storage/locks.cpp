// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/process.hpp"
#include "linux/procfs.hpp"
#include "storage/files.hpp"
#include "storage/store.hpp"

/// The locks of the store: docs/storage.md says in which order they are taken.
namespace sctr::storage {

namespace {

constexpr const char* cannot_use = "cannot use the store of images";

bool lock_file(int file, int operation) {
    int result = 0;
    do {
        result = ::flock(file, operation);
    } while (result < 0 && errno == EINTR);
    return result == 0;
}

/// The program and its first word alone: the others may be secrets.
std::string name_of(const std::string& pid) {
    const auto words = split(sys::read_small_file("/proc/" + pid + "/cmdline").value_or(""), '\0');
    std::string name = words.front().substr(words.front().rfind('/') + 1);
    if (words.size() > 1 && !words[1].empty()) {
        name += " " + words[1];
    }
    return escape_controls(name) + " (pid " + pid + ")";
}

/// Who has a lock on the file, as far as this process may see it. Source: proc_locks(5).
std::string holders_of(int file) {
    struct stat info{};
    if (::fstat(file, &info) < 0) {
        return {};
    }
    char place[64];
    std::snprintf(place,
                  sizeof place,
                  "%02x:%02x:%llu",
                  ::major(info.st_dev),
                  ::minor(info.st_dev),
                  static_cast<unsigned long long>(info.st_ino));
    std::string holders;
    for (const std::string& line : split(sys::read_small_file("/proc/locks").value_or(""), '\n')) {
        std::vector<std::string> fields = split(line, ' ');
        std::erase(fields, "");
        // 1: FLOCK ADVISORY READ 123 fe:00:456 0 EOF; who waits has an arrow before FLOCK.
        if (fields.size() >= 6 && fields[1] == "FLOCK" && fields[5] == place && fields[4] != "0") {
            holders += (holders.empty() ? "" : ", ") + name_of(fields[4]);
        }
    }
    return holders;
}

} // namespace

UniqueFd Store::lock(Sharing sharing, bool wait) const {
    const std::string path = root_ + "/lock";
    UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    const int operation = (sharing == Sharing::shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB);
    if (file.valid() && lock_file(file.get(), operation)) {
        return file;
    }
    if (file.valid() && errno == EWOULDBLOCK) {
        return {};
    }
    throw Error(cannot_use).at(path).because(errno);
}

UniqueFd Store::lock_within(std::chrono::milliseconds deadline) const {
    const std::string path = root_ + "/lock";
    UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.valid()) {
        throw Error(cannot_use).at(path).because(errno);
    }
    // A lock is that of the open file, which the child shares.
    sys::Child waiting = sys::fork_child(0, [&] {
        if (!lock_file(file.get(), LOCK_EX)) {
            ::_exit(1);
        }
    });
    struct pollfd ended{.fd = waiting.pidfd(), .events = POLLIN, .revents = 0};
    if (::poll(&ended, 1, static_cast<int>(deadline.count())) == 1 && waiting.wait() == 0) {
        return file;
    }
    const std::string holders = holders_of(file.get());
    throw Error("the store is in use")
        .because(holders.empty() ? "images are being pulled or loaded" : "by " + holders)
        .mend("try again when that is done");
}

Store::MakeLock::MakeLock(const Store& store, const std::string& name)
    : path_(store.temporary(name + ".lock")) {
    for (;;) {
        file_ = UniqueFd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file_.valid() || !lock_file(file_.get(), LOCK_EX)) {
            throw Error(cannot_use).at(path_).because(errno);
        }
        if (is_same_file(file_.get(), path_)) {
            return; // else who held it has removed it
        }
    }
}

Store::MakeLock::~MakeLock() {
    if (file_.valid()) {
        ::unlink(path_.c_str());
    }
}

} // namespace sctr::storage
