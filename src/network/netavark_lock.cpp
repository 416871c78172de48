// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/netavark_lock.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "linux/procfs.hpp"
#include "linux/syscalls.hpp"
#include "network/name_server.hpp"

namespace sctr::network {

namespace {

constexpr const char* netavark_lock_file = "netavark.lock";

std::filesystem::path pid_namespace_of(const std::string& process) {
    std::error_code none;
    return std::filesystem::read_symlink("/proc/" + process + "/ns/pid", none);
}

/// Whoever wrote the environment chose its size: what we start has a small one.
bool has_mark(pid_t pid, const std::string& mark) {
    constexpr std::size_t most = 65536;
    const std::string path = "/proc/" + std::to_string(pid) + "/environ";
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text(most + 2, '\0');
    std::size_t size = 1; // each entry is between two NULs
    for (ssize_t count = 1; file.valid() && count > 0 && size <= most;) {
        count = ::read(file.get(), text.data() + size, most + 1 - size);
        size += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    return text.find('\0' + mark + '\0') != std::string::npos;
}

/// It has a session of its own from when it has read its files, and leads none before that: then
/// it may die of being told to read them again.
bool answers(pid_t pid) {
    return name_server_pid() == pid && ::getsid(pid) == pid;
}

using Clock = std::chrono::steady_clock;

/// Returns whether there were any. All are told before the first is waited for.
bool end_those_with(const std::string& mark, Clock::time_point deadline) {
    std::vector<UniqueFd> found;
    const auto own_namespace = pid_namespace_of("self"); // where all is that was run with the lock
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", none)) {
        const std::string name = entry.path().filename();
        const auto number = parse_uint(name);
        const auto pid = static_cast<pid_t>(number.value_or(0));
        if (pid == 0 || pid == ::getpid() || pid_namespace_of(name) != own_namespace) {
            continue;
        }
        UniqueFd process(sys::pidfd_open(pid));
        if (process.valid() && has_mark(pid, mark) && !answers(pid)) {
            sys::pidfd_send_signal(process.get(), SIGKILL);
            found.push_back(std::move(process));
        }
    }
    for (const UniqueFd& process : found) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        struct pollfd end{process.get(), POLLIN, 0};
        ::poll(&end, 1, std::max(0, static_cast<int>(left)));
    }
    return !found.empty();
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
    // What the kernel does not let end must not keep us.
    const Clock::time_point deadline = Clock::now() + std::chrono::seconds(5);
    // Twice: one that begins a program has no environment just then, and one that was not yet ended
    // may have made another, which the walk had passed.
    constexpr unsigned clean_walks = 2;
    for (unsigned clean = 0; clean < clean_walks && Clock::now() < deadline;) {
        clean = end_those_with(mark, deadline) ? 0 : clean + 1;
    }
    forget_dead_name_server();
}

} // namespace sctr::network
