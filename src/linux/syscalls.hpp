// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

/// System calls that glibc 2.41 has no wrapper for. They return -1 and set errno, allocate nothing
/// and throw nothing, so that sctr-init can use them too.
namespace sctr::sys {

/// openat2(2). `resolve` is of RESOLVE_*.
inline int openat2(int directory,
                   const char* path,
                   std::uint64_t flags,
                   std::uint64_t mode,
                   std::uint64_t resolve) noexcept {
    struct open_how how{};
    how.flags = flags;
    how.mode = mode;
    how.resolve = resolve;
    // EAGAIN: somebody renamed or mounted while ".." was resolved inside the root; openat2(2).
    constexpr int tries = 128;
    int fd = -1;
    for (int i = 0; i < tries; ++i) {
        fd = static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof how));
        if (fd >= 0 || errno != EAGAIN) {
            break;
        }
    }
    return fd;
}

/// clone3(2) without a new stack: behaves as fork(2) does.
inline pid_t clone3(struct clone_args& arguments) noexcept {
    return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

// glibc's <sys/pidfd.h> declares these without C linkage (fixed in 2.42).
inline int pidfd_open(pid_t pid) noexcept {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U));
}

inline int pidfd_send_signal(int pidfd, int signal) noexcept {
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0U));
}

inline int pivot_root(const char* new_root, const char* put_old) noexcept {
    return static_cast<int>(::syscall(SYS_pivot_root, new_root, put_old));
}

} // namespace sctr::sys
