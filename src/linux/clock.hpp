// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>

namespace sctr::sys {

/// Microseconds since 1970, CLOCK_REALTIME.
inline std::int64_t now_usec() {
    using namespace std::chrono;
    return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

/// Microseconds since boot, CLOCK_BOOTTIME: what the start times of processes count (see
/// process_start_time), and nobody sets.
inline std::int64_t since_boot_usec() {
    struct timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

} // namespace sctr::sys
