// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>

namespace sctr::sys {

/// Microseconds since 1970, CLOCK_REALTIME.
inline std::int64_t now_usec() {
    using namespace std::chrono;
    return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

} // namespace sctr::sys
