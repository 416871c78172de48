// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace sctr::network {

using Clock = std::chrono::steady_clock;

/// Within this time a program that ends too often is given up.
inline constexpr auto revival_window = std::chrono::seconds(10);
/// ... after so many starts.
inline constexpr std::size_t most_revivals = 3;

/// When a program that should never end is to be started again; `starts` are those after earlier
/// ends. At once, but not twice within a second; never where there were too many within the window.
/// Pure.
std::optional<Clock::time_point> next_revival(const std::vector<Clock::time_point>& starts,
                                              Clock::time_point now);

/// For poll(2): -1 for never.
int ms_until(const std::optional<Clock::time_point>& when);

} // namespace sctr::network
