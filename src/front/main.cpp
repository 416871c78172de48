// SPDX-License-Identifier: LGPL-2.1-or-later

/// What users call `sctr` and `sctr-oci`: a static program that has the kernel begin a start's
/// grace period (linux/cgroup_lock.hpp) and becomes the real program of that name.
///
/// It is there for speed alone. The dynamic linker takes a millisecond, in which it makes the
/// kernel begin a grace period of its own, for memory; who asks before has one to wait for instead
/// of one and a half (docs/performance.md).

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "linux/cgroup_lock.hpp"

namespace {

constexpr std::array<const char*, 4> starting_verbs{"run", "create", "restore", "supervise"};

/// Whether the command line starts a container. Flags are not read here: a value that is called as
/// a verb costs a needless child, and nothing else.
bool starts_container(const char* const* arguments) noexcept {
    for (; *arguments != nullptr; ++arguments) {
        for (const char* verb : starting_verbs) {
            if (std::strcmp(*arguments, verb) == 0) {
                return true;
            }
        }
        // What follows is the command line of somebody else.
        if (std::strcmp(*arguments, "exec") == 0) {
            return false;
        }
    }
    return false;
}

} // namespace

int main(int /*count*/, char** arguments) {
    if (arguments[0] != nullptr && starts_container(arguments + 1)) {
        sctr::sys::warm_cgroup_lock();
    }
    ::execv(SCTR_REAL_PROGRAM, arguments);
    const char* const reason = std::strerror(errno); // NOLINT: one thread
    std::fprintf(
        stderr, "sctr: cannot run %s: %s; install sctr again\n", SCTR_REAL_PROGRAM, reason);
    return SCTR_FAILURE;
}
