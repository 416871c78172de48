// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/strings.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <limits>

namespace sctr {
namespace {

using Parts = std::vector<std::string>;

TEST(Split, KeepsEveryPart) {
    const std::vector<std::pair<const char*, Parts>> cases = {
        {"", {""}},
        {"a", {"a"}},
        {"a,b", {"a", "b"}},
        {"a,,b", {"a", "", "b"}},
        {",a", {"", "a"}},
        {"a,", {"a", ""}},
        {",", {"", ""}},
    };
    for (const auto& [text, parts] : cases) {
        EXPECT_EQ(split(text, ','), parts) << text;
        EXPECT_EQ(join(parts, ","), text);
    }
}

TEST(Join, PutsTheSeparatorBetweenPartsOnly) {
    EXPECT_EQ(join({}, ", "), "");
    EXPECT_EQ(join({"a"}, ", "), "a");
    EXPECT_EQ(join({"a", "b", "c"}, ", "), "a, b, c");
}

TEST(SplitOnce, CutsAtTheFirstSeparator) {
    struct Case {
        const char* text;
        const char* head;
        std::optional<std::string> tail;
    };

    const std::vector<Case> cases = {
        {"a=b", "a", "b"},
        {"a=b=c", "a", "b=c"},
        {"a", "a", std::nullopt},
        {"a=", "a", ""},
        {"=b", "", "b"},
        {"", "", std::nullopt},
    };
    for (const auto& [text, head, tail] : cases) {
        const auto [left, right] = split_once(text, '=');
        EXPECT_EQ(left, head) << text;
        EXPECT_EQ(right, tail) << text;
    }
}

TEST(ValidUtf8, ReplacesWhatIsNone) {
    const std::string bad = "\xef\xbf\xbd";
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", ""},
        {"plain", "plain"},
        {"\xc3\xbc \xe6\x97\xa5 \xf0\x9f\xa6\x8a", "\xc3\xbc \xe6\x97\xa5 \xf0\x9f\xa6\x8a"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"}, // the last character there is
        {"\xff", bad},
        {"a\x80z", "a" + bad + "z"},
        {"\xc3", bad}, // cut short
        {"\xc3(", bad + "("},
        {"\xc0\xaf", bad + bad},                     // overlong
        {"\xe0\x80\xaf", bad + bad + bad},           // overlong
        {"\xed\xa0\x80", bad + bad + bad},           // surrogate
        {"\xf4\x90\x80\x80", bad + bad + bad + bad}, // above U+10FFFF
    };
    for (const auto& [text, valid] : cases) {
        EXPECT_EQ(valid_utf8(text), valid);
    }
}

TEST(EscapeControls, LeavesOneLine) {
    EXPECT_EQ(escape_controls("a\nb\tc\x1b[0m\x7f \xc3\xbc\r"),
              "a\\nb\\tc\\x1b[0m\\x7f \xc3\xbc\\x0d");
    EXPECT_EQ(escape_controls(""), "");
    // C1 of UTF-8, which terminals obey, and what only looks like it.
    EXPECT_EQ(escape_controls("\xc2\x9b"
                              "2J\xc2\x80\xc2\xa0\xc2"),
              "\\xc2\\x9b"
              "2J\\xc2\\x80\xc2\xa0\xc2");
}

TEST(EscapeJsonControls, LeavesTheSameJson) {
    EXPECT_EQ(escape_json_controls("{\n  \"a\": \"\\u001b \xc2\x9b"
                                   "2J \x7f \xc3\xbc\xc2\xa0\"\n}"),
              "{\n  \"a\": \"\\u001b \\u009b"
              "2J \\u007f \xc3\xbc\xc2\xa0\"\n}");
    EXPECT_EQ(escape_json_controls(""), "");
}

TEST(ParseInt, TakesWholeNumbersInRange) {
    constexpr auto highest = std::numeric_limits<std::int64_t>::max();
    constexpr auto lowest = std::numeric_limits<std::int64_t>::min();
    const std::vector<std::pair<const char*, std::optional<std::int64_t>>> cases = {
        {"0", 0},
        {"-1", -1},
        {"007", 7},
        {"9223372036854775807", highest},
        {"-9223372036854775808", lowest},
        {"9223372036854775808", std::nullopt},
        {"", std::nullopt},
        {"-", std::nullopt},
        {"+1", std::nullopt},
        {" 1", std::nullopt},
        {"1 ", std::nullopt},
        {"0x10", std::nullopt},
        {"1.0", std::nullopt},
    };
    for (const auto& [text, value] : cases) {
        EXPECT_EQ(parse_int(text), value) << text;
    }
}

TEST(ParseUint, TakesWholeNumbersInRange) {
    const std::vector<std::pair<const char*, std::optional<std::uint64_t>>> cases = {
        {"0", 0},
        {"18446744073709551615", std::numeric_limits<std::uint64_t>::max()},
        {"18446744073709551616", std::nullopt},
        {"-1", std::nullopt},
        {"-0", std::nullopt},
        {"", std::nullopt},
        {"1a", std::nullopt},
    };
    for (const auto& [text, value] : cases) {
        EXPECT_EQ(parse_uint(text), value) << text;
    }
}

TEST(ParseSize, ReadsBinarySuffixes) {
    constexpr std::int64_t kib = 1024;
    const std::vector<std::pair<const char*, std::optional<std::int64_t>>> cases = {
        {"0", 0},
        {"-1", -1},
        {"unlimited", -1},
        {"1024", kib},
        {"10b", 10},
        {"10B", 10},
        {"1k", kib},
        {"1K", kib},
        {"1ki", kib},
        {"1KiB", kib},
        {"1kb", kib},
        {"3m", 3 * kib * kib},
        {"1.5g", 3 * kib * kib * kib / 2},
        {"0.5k", 512},
        {"0.1k", 102},
        {"2tib", 2 * kib * kib * kib * kib},
        {"9223372036854775807", std::numeric_limits<std::int64_t>::max()},
        {"9223372036854775808", std::nullopt},
        {"8388607t", 8388607 * kib * kib * kib * kib},
        {"8388608t", std::nullopt},
        {"99999999999999999999", std::nullopt},
        {"", std::nullopt},
        {"k", std::nullopt},
        {"1x", std::nullopt},
        {"1bi", std::nullopt},
        {"1bb", std::nullopt},
        {"1ib", std::nullopt},
        {"1i", std::nullopt},
        {"1kk", std::nullopt},
        {"-2", std::nullopt},
        {"-1k", std::nullopt},
        {"1.", std::nullopt},
        {".5k", std::nullopt},
        {"1.2.3k", std::nullopt},
        {"1 k", std::nullopt},
    };
    for (const auto& [text, value] : cases) {
        EXPECT_EQ(parse_size(text), value) << text;
    }
}

TEST(ParseDuration, ReadsSecondsAndUnits) {
    const std::vector<std::pair<const char*, std::optional<std::uint64_t>>> cases = {
        {"0", 0},
        {"10", 10'000'000},
        {"1.5", 1'500'000},
        {"7us", 7},
        {"30ms", 30'000},
        {"30s", 30'000'000},
        {"2m", 120'000'000},
        {"1h", 3'600'000'000},
        {"1d", 86'400'000'000},
        {"1m30s", 90'000'000},
        {"1h0.5s", 3'600'500'000},
        {"18446744073709551615us", std::numeric_limits<std::uint64_t>::max()},
        {"18446744073709551615us1us", std::nullopt},
        {"18446744073709551615s", std::nullopt},
        {"", std::nullopt},
        {"s", std::nullopt},
        {"-1s", std::nullopt},
        {"1m30", std::nullopt},
        {"1 s", std::nullopt},
        {"1S", std::nullopt},
        {"1y", std::nullopt},
    };
    for (const auto& [text, value] : cases) {
        EXPECT_EQ(parse_duration_usec(text), value) << text;
    }
}

TEST(ParseSignal, ReadsNumbersAndNames) {
    const std::vector<std::pair<const char*, std::optional<int>>> cases = {
        {"1", 1},
        {"64", 64},
        {"TERM", SIGTERM},
        {"SIGTERM", SIGTERM},
        {"sigkill", SIGKILL},
        {"Int", SIGINT},
        {"USR1", SIGUSR1},
        {"STKFLT", SIGSTKFLT},
        {"IO", SIGIO},
        {"POLL", SIGPOLL},
        {"IOT", SIGABRT},
        {"CLD", SIGCHLD},
        {"SYS", SIGSYS},
        {"RTMIN", SIGRTMIN},
        {"RTMIN+3", SIGRTMIN + 3},
        {"SIGRTMIN+3", SIGRTMIN + 3},
        {"RTMIN+30", SIGRTMAX},
        {"RTMAX", SIGRTMAX},
        {"SIGRTMAX-2", SIGRTMAX - 2},
        {"RTMAX-30", SIGRTMIN},
        {"0", std::nullopt},
        {"65", std::nullopt},
        {"-9", std::nullopt},
        {"", std::nullopt},
        {"SIG", std::nullopt},
        {"SIGSIGTERM", std::nullopt},
        {"FOO", std::nullopt},
        {"RTMIN+31", std::nullopt},
        {"RTMIN-1", std::nullopt},
        {"RTMAX+1", std::nullopt},
        {"RTMAX-31", std::nullopt},
        {"RTMIN3", std::nullopt},
        {"RTMIN+", std::nullopt},
        {"TERM ", std::nullopt},
    };
    for (const auto& [text, value] : cases) {
        EXPECT_EQ(parse_signal(text), value) << text;
    }
}

TEST(SignalName, IsReadBackAsTheSameSignal) {
    EXPECT_EQ(signal_name(SIGTERM), "SIGTERM");
    EXPECT_EQ(signal_name(SIGRTMIN), "SIGRTMIN");
    EXPECT_EQ(signal_name(SIGRTMIN + 3), "SIGRTMIN+3");
    EXPECT_EQ(signal_name(32), "32"); // glibc keeps it for itself and gives it no name
    for (int signal = 1; signal <= 64; ++signal) {
        EXPECT_EQ(parse_signal(signal_name(signal)), signal);
    }
}

TEST(ParseCpuList, GivesAscendingNumbers) {
    using Cpus = std::vector<unsigned>;
    const std::vector<std::pair<const char*, std::optional<Cpus>>> cases = {
        {"0", Cpus{0}},
        {"0-3,7", Cpus{0, 1, 2, 3, 7}},
        {"7,0-1", Cpus{0, 1, 7}},
        {"1-2,2-3", Cpus{1, 2, 3}},
        {"0, 2 ", Cpus{0, 2}},
        {"0,,2,", Cpus{0, 2}},
        {"8191", Cpus{8191}},
        {"8192", std::nullopt},
        {"0-8192", std::nullopt},
        {"3-1", std::nullopt},
        {"", std::nullopt},
        {",", std::nullopt},
        {"-1", std::nullopt},
        {"1-", std::nullopt},
        {"1-2-3", std::nullopt},
        {"a", std::nullopt},
    };
    for (const auto& [text, value] : cases) {
        EXPECT_EQ(parse_cpu_list(text), value) << text;
    }
}

} // namespace

TEST(EditDistance, CountsLetters) {
    struct Case {
        const char* a;
        const char* b;
        std::size_t distance;
    };

    for (const Case& each : {Case{"", "", 0},
                             Case{"run", "run", 0},
                             Case{"", "run", 3},
                             Case{"run", "rum", 1},
                             Case{"stop", "top", 1},
                             Case{"kitten", "sitting", 3}}) {
        EXPECT_EQ(edit_distance(each.a, each.b), each.distance) << each.a << " " << each.b;
        EXPECT_EQ(edit_distance(each.b, each.a), each.distance) << each.b << " " << each.a;
    }
}

} // namespace sctr
