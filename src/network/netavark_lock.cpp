// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/netavark_lock.hpp"

#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <utility>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/procfs.hpp"
#include "linux/syscalls.hpp"
#include "network/name_server.hpp"

namespace sctr::network {

namespace {

constexpr const char* netavark_lock_file = "netavark.lock";

bool has_mark(pid_t pid, const std::string& mark) {
    const auto text = sys::read_small_file("/proc/" + std::to_string(pid) + "/environ");
    return text && std::ranges::contains(split(*text, '\0'), mark);
}

/// It has a session of its own from when it has read its files, and leads none before that: then
/// it may die of being told to read them again.
bool answers(pid_t pid) {
    return name_server_pid() == pid && ::getsid(pid) == pid;
}

/// Returns how many there were.
unsigned end_those_with(const std::string& mark) {
    constexpr int patience_ms = 5000;
    unsigned found = 0;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", none)) {
        const auto number = parse_uint(entry.path().filename().string());
        const auto pid = static_cast<pid_t>(number.value_or(0));
        const UniqueFd process(number ? sys::pidfd_open(pid) : -1);
        if (process.valid() && has_mark(pid, mark) && !answers(pid)) {
            ++found;
            sys::pidfd_send_signal(process.get(), SIGKILL);
            struct pollfd end{process.get(), POLLIN, 0};
            ::poll(&end, 1, patience_ms);
        }
    }
    return found;
}

} // namespace

NetavarkLock::NetavarkLock(Patience patience) : file_(take_lock(netavark_lock_file, patience)) {
    if (!file_.valid()) {
        return;
    }
    struct stat info{};
    if (::fstat(file_.get(), &info) == 0 && info.st_size > 0) {
        end_what_netavark_left();
    }
    // A hole, for which a file system that is full has room, too.
    (void)!::ftruncate(file_.get(), 1);
}

NetavarkLock& NetavarkLock::operator=(NetavarkLock&& other) noexcept {
    reset();
    file_ = std::move(other.file_);
    return *this;
}

void NetavarkLock::reset() noexcept {
    if (file_.valid()) {
        (void)!::ftruncate(file_.get(), 0);
        ::flock(file_.get(), LOCK_UN);
        file_.reset();
    }
}

std::string netavark_mark() {
    struct stat info{};
    const std::string path = state_root() + "/" + netavark_lock_file;
    if (::stat(path.c_str(), &info) < 0) {
        throw Error("cannot read the state of networks").at(path).because(errno);
    }
    return "SCTR_NETAVARK=" + std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
}

void end_what_netavark_left() {
    const std::string mark = netavark_mark();
    constexpr unsigned most = 5; // what the kernel does not let end must not keep us
    for (unsigned i = 0; i < most && end_those_with(mark) > 0; ++i) {
        // One that was found may have made another one, which the walk had passed.
    }
    forget_dead_name_server();
}

} // namespace sctr::network
