// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/revival.hpp"

#include <algorithm>
#include <cstdint>

namespace sctr::network {

std::optional<Clock::time_point> next_revival(const std::vector<Clock::time_point>& starts,
                                              Clock::time_point now) {
    constexpr auto rest = std::chrono::seconds(1);
    const auto recent = std::ranges::count_if(
        starts, [now](Clock::time_point start) { return now - start < revival_window; });
    if (recent >= static_cast<std::ptrdiff_t>(most_revivals)) {
        return std::nullopt;
    }
    return recent == 0 ? now : std::max(now, starts.back() + rest);
}

int ms_until(const std::optional<Clock::time_point>& when) {
    if (!when) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*when - Clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

} // namespace sctr::network
