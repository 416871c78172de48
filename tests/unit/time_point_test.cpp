// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/time_point.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "base/error.hpp"

namespace sctr::cli {
namespace {

constexpr std::int64_t second = 1'000'000;
/// 2026-11-22T10:30:15.5Z, a Sunday.
constexpr std::int64_t now = 1'795'343'415'500'000;
/// 2026-11-22T00:00:00Z
constexpr std::int64_t today = 1'795'305'600'000'000;

struct Case {
    const char* text;
    std::int64_t usec;
};

class InZone : public testing::Test {
  protected:
    static void use(const char* zone) {
        ::setenv("TZ", zone, 1);
        ::tzset();
    }

    void TearDown() override { use("UTC"); }
};

using TimePoint = InZone;

TEST_F(TimePoint, IsReadInEveryForm) {
    use("UTC");
    for (const auto& [text, usec] : {
             Case{"2026-11-22T10:30:15.5Z", now},
             Case{"2026-11-22t10:30:15.5z", now},
             Case{"2026-11-22T11:30:15.5+01:00", now},
             Case{"2026-11-22T09:00:15.5-0130", now},
             Case{"2026-11-22 10:30:15.5 UTC", now},
             Case{"2026-11-22 10:30:15.500000999", now},
             Case{"2026-11-22T10:30:15", now - second / 2},
             Case{"2026-11-22 10:30", now - 15'500'000},
             Case{"2026-11-22", today},
             Case{"2024-02-29", 1'709'164'800 * second},
             Case{"10:30:15.5", now},
             Case{"10:30", now - 15'500'000},
             Case{"1795343415.5", now},
             Case{"@1795343415.5", now},
             Case{"0", 0},
             Case{"10", 10 * second},
             Case{"now", now},
             Case{"today", today},
             Case{"yesterday", today - 86400 * second},
             Case{"tomorrow", today + 86400 * second},
             Case{"10m", now - 600 * second},
             Case{"-10m", now - 600 * second},
             Case{"+10m", now + 600 * second},
             Case{"10min ago", now - 600 * second},
             Case{"2 hours ago", now - 7200 * second},
             Case{"1h30m", now - 5400 * second},
             Case{"1h 30min 5s", now - 5405 * second},
             Case{"1.5h", now - 5400 * second},
             Case{"0.25s", now - second / 4},
             Case{"250ms", now - second / 4},
             Case{"1.5ms", now - 1500},
             Case{"3us", now - 3},
             Case{"1 day ago", now - 86400 * second},
             Case{"2w", now - 14 * 86400 * second},
             Case{"1000y", 0}, // nothing was before
         }) {
        EXPECT_EQ(parse_time_point("--since", text, now), usec) << text;
    }
}

TEST_F(TimePoint, IsLocalWithoutAZone) {
    use("Europe/Berlin");
    if (std::string(tzname[0]) != "CET") {
        GTEST_SKIP() << "no time zones on this host";
    }
    for (const auto& [text, usec] : {
             Case{"2026-11-22 11:30:15.5", now},
             Case{"2026-11-22T10:30:15.5Z", now},
             Case{"11:30:15.5", now},
             Case{"today", today - 3600 * second},
             Case{"2026-07-01 02:00", 1'782'864'000 * second}, // in summer time
         }) {
        EXPECT_EQ(parse_time_point("--since", text, now), usec) << text;
    }
}

TEST_F(TimePoint, IsRefusedWhereItIsNone) {
    use("UTC");
    for (const char* text : {"",
                             "soon",
                             "10 parsecs",
                             "m",
                             "10m 5",
                             "+2 hours ago",
                             "--5m",
                             "2026-13-01",
                             "2026-02-30",
                             "2026-11-31 10:00",
                             "2026-1-1",
                             "1969-12-31",
                             "2026-11-22X10:00",
                             "2026-11-22T",
                             "2026-11-22T24:00",
                             "2026-11-22T10:60",
                             "2026-11-22T10:00:61",
                             "2026-11-22T10:00:00.",
                             "2026-11-22T10:00:00+1",
                             "2026-11-22T10:00:00 CET",
                             "2026-11-22Z",
                             "10:00Z",
                             "1795343415.",
                             "-1795343415",
                             "99999999999999999999",
                             "999999999999999999y"}) {
        EXPECT_THROW(parse_time_point("--since", text, now), Error) << text;
    }
}

TEST_F(TimePoint, IsWrittenToTheMicrosecond) {
    EXPECT_EQ(precise_timestamp(now), "2026-11-22T10:30:15.500000Z");
    EXPECT_EQ(precise_timestamp(1), "1970-01-01T00:00:00.000001Z");
}

} // namespace
} // namespace sctr::cli
