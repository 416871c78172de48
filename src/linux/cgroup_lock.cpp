// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/cgroup_lock.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/unique_fd.hpp"

namespace sctr::sys {

namespace {

/// cgroup.threads and not cgroup.procs: should somebody move this process at this very moment, the
/// kernel refuses to send a thread back alone.
void* move_to_own_cgroup(void*) {
    std::array<char, PATH_MAX> text{};
    const UniqueFd membership(::open("/proc/thread-self/cgroup", O_RDONLY | O_CLOEXEC));
    if (::read(membership.get(), text.data(), text.size() - 1) <= 0) {
        return nullptr;
    }
    // The last line is "0::/PATH\n"; those of cgroup v1 come before it.
    const char* const unified = std::strstr(text.data(), "0::/");
    const char* const end = unified != nullptr ? std::strchr(unified, '\n') : nullptr;
    if (end == nullptr) {
        return nullptr;
    }
    const char* const cgroup = unified + std::strlen("0::");
    std::array<char, PATH_MAX> path{};
    std::snprintf(path.data(),
                  path.size(),
                  "/sys/fs/cgroup%.*s/cgroup.threads",
                  static_cast<int>(end - cgroup),
                  cgroup);
    const UniqueFd threads(::open(path.data(), O_WRONLY | O_CLOEXEC));
    // Where it is refused, the start takes as long as it would have.
    const int size = std::snprintf(text.data(), text.size(), "%d", ::gettid());
    (void)!::write(threads.get(), text.data(), static_cast<std::size_t>(size));
    return nullptr;
}

} // namespace

void warm_cgroup_lock() noexcept {
    constexpr std::size_t stack_size = 64UL * 1024;
    sigset_t every;
    ::sigfillset(&every);
    pthread_attr_t attributes;
    if (::pthread_attr_init(&attributes) != 0) {
        return;
    }
    // Signals are the main thread's.
    if (::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
        ::pthread_attr_setstacksize(&attributes, stack_size) == 0 &&
        ::pthread_attr_setsigmask_np(&attributes, &every) == 0) {
        pthread_t thread{};
        (void)::pthread_create(&thread, &attributes, move_to_own_cgroup, nullptr);
    }
    ::pthread_attr_destroy(&attributes);
}

} // namespace sctr::sys
