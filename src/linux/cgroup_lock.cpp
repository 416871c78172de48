// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/cgroup_lock.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/unique_fd.hpp"
#include "linux/syscalls.hpp"

namespace sctr::sys {

namespace {

/// cgroup.threads and not cgroup.procs: should somebody move this process at this very moment, the
/// kernel refuses to send a thread back alone.
void move_to_own_cgroup() noexcept {
    std::array<char, PATH_MAX> text{};
    const UniqueFd membership(::open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC));
    if (::read(membership.get(), text.data(), text.size() - 1) <= 0) {
        return;
    }
    // The last line is "0::/PATH\n"; those of cgroup v1 come before it.
    const char* const unified = std::strstr(text.data(), "0::/");
    const char* const end = unified != nullptr ? std::strchr(unified, '\n') : nullptr;
    if (end == nullptr) {
        return;
    }
    const char* const cgroup = unified + std::strlen("0::");
    std::array<char, PATH_MAX> path{};
    std::snprintf(path.data(),
                  path.size(),
                  "/sys/fs/cgroup%.*s/cgroup.threads",
                  static_cast<int>(end - cgroup),
                  cgroup);
    const UniqueFd threads(::open(path.data(), O_WRONLY | O_CLOEXEC));
    // A pid, and not 0: the kernel takes no lock for the process that writes.
    const int size = std::snprintf(text.data(), text.size(), "%d", ::getpid());
    (void)!::write(threads.get(), text.data(), static_cast<std::size_t>(size));
}

} // namespace

void warm_cgroup_lock() noexcept {
    struct clone_args clone{};
    clone.exit_signal = SIGCHLD;
    const pid_t child = clone3(clone);
    if (child == 0) {
        if (clone3(clone) == 0) {
            move_to_own_cgroup();
        }
        ::_exit(0);
    }
    if (child > 0) {
        ::waitpid(child, nullptr, 0);
    }
}

} // namespace sctr::sys
