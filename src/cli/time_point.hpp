// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Moments in time as people write them. Local time is that of TZ.
namespace sctr::cli {

/// Reads the value of --since and --until, into microseconds since 1970: RFC 3339, a date, a time
/// of today (both local without a zone), a unix time, "now", "today", "yesterday", "tomorrow", or
/// a span before now ("10m", "1h30m", "2 hours ago", "-5min"; "+5min": after it).
/// Throws Error that names `flag`. Source: systemd.time(7), docker logs, RFC 3339.
std::int64_t parse_time_point(std::string_view flag, std::string_view text, std::int64_t now_usec);

/// RFC 3339 in UTC with microseconds: "2026-11-22T10:00:00.000001Z".
std::string precise_timestamp(std::int64_t usec);

} // namespace sctr::cli
