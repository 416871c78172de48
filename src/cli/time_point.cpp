// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/time_point.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <limits>
#include <optional>

#include "base/strings.hpp"
#include "cli/values.hpp"

namespace sctr::cli {

namespace {

constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;
/// Far enough for everybody, and nothing overflows.
constexpr std::int64_t last_second = 253'402'300'799; // the year 9999

struct Unit {
    std::string_view name;
    std::int64_t usec;
};

/// Source: systemd.time(7), Parsing Time Spans.
constexpr std::array units = std::to_array<Unit>({
    {"us", 1},
    {"usec", 1},
    {"ms", 1000},
    {"msec", 1000},
    {"s", second},
    {"sec", second},
    {"second", second},
    {"seconds", second},
    {"m", minute},
    {"min", minute},
    {"minute", minute},
    {"minutes", minute},
    {"h", hour},
    {"hr", hour},
    {"hour", hour},
    {"hours", hour},
    {"d", day},
    {"day", day},
    {"days", day},
    {"w", 7 * day},
    {"week", 7 * day},
    {"weeks", 7 * day},
    {"M", 30 * day},
    {"month", 30 * day},
    {"months", 30 * day},
    {"y", 365 * day},
    {"year", 365 * day},
    {"years", 365 * day},
});

constexpr std::string_view digits = "0123456789";

/// Takes what consists of `letters` from the beginning of `text`.
std::string_view take_while(std::string_view& text, std::string_view letters) {
    const auto size = std::min(text.find_first_not_of(letters), text.size());
    const auto taken = text.substr(0, size);
    text.remove_prefix(size);
    return taken;
}

bool take(std::string_view& text, char letter) {
    if (!text.starts_with(letter)) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

/// Takes a number of exactly `size` digits that is at most `most`.
std::optional<int> take_number(std::string_view& text, std::size_t size, int most) {
    std::string_view rest = text.substr(0, size);
    const auto taken = take_while(rest, digits);
    const auto value = parse_int(taken);
    if (taken.size() != size || !value || *value > most) {
        return std::nullopt;
    }
    text.remove_prefix(size);
    return static_cast<int>(*value);
}

/// Takes ".123" into microseconds; further digits are cut off. Zero where there is none.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
    if (!take(text, '.')) {
        return 0;
    }
    std::string fraction(take_while(text, digits));
    if (fraction.empty()) {
        return std::nullopt;
    }
    constexpr std::size_t usec_digits = 6;
    fraction.resize(usec_digits, '0');
    return parse_int(fraction);
}

std::optional<std::int64_t> parse_unix_time(std::string_view text) {
    take(text, '@');
    const bool negative = take(text, '-');
    const auto seconds = parse_int(take_while(text, digits));
    const auto fraction = take_fraction(text);
    if (negative || !seconds || !fraction || !text.empty() || *seconds > last_second) {
        return std::nullopt;
    }
    return *seconds * second + *fraction;
}

/// One or more numbers with units.
std::optional<std::int64_t> parse_span(std::string_view text) {
    std::int64_t sum = 0;
    bool any = false;
    for (take_while(text, " "); !text.empty(); take_while(text, " ")) {
        const auto number = parse_int(take_while(text, digits));
        const auto fraction = take_fraction(text);
        take_while(text, " ");
        const auto name = text.substr(0, text.find_first_of("0123456789 ."));
        text.remove_prefix(name.size());
        const auto* const unit = std::ranges::find(units, name, &Unit::name);
        if (!number || !fraction || unit == units.end() ||
            *number > last_second * second / unit->usec) {
            return std::nullopt;
        }
        sum += *number * unit->usec + *fraction * (unit->usec / second) +
               *fraction * (unit->usec % second) / second;
        any = true;
    }
    return any && sum <= last_second * second ? std::optional(sum) : std::nullopt;
}

struct tm local_time(std::int64_t usec) {
    const std::time_t seconds = usec / second;
    struct tm fields{};
    ::localtime_r(&seconds, &fields);
    return fields;
}

/// The beginning of a day that is `days` after today.
std::int64_t midnight(std::int64_t now_usec, int days) {
    struct tm fields = local_time(now_usec);
    fields.tm_hour = fields.tm_min = fields.tm_sec = 0;
    fields.tm_mday += days;
    fields.tm_isdst = -1;
    return static_cast<std::int64_t>(::mktime(&fields)) * second;
}

bool take_date(std::string_view& text, struct tm& fields) {
    constexpr int first_year = 1900;
    const auto year = take_number(text, 4, 9999);
    const bool dash = take(text, '-');
    const auto month = take_number(text, 2, 12);
    const bool another = take(text, '-');
    const auto of_month = take_number(text, 2, 31);
    if (!year || *year < 1970 || !dash || !month || *month == 0 || !another || !of_month ||
        *of_month == 0) {
        return false;
    }
    fields.tm_year = *year - first_year;
    fields.tm_mon = *month - 1;
    fields.tm_mday = *of_month;
    return true;
}

bool take_clock(std::string_view& text, struct tm& fields) {
    const auto hours = take_number(text, 2, 23);
    const bool colon = take(text, ':');
    const auto minutes = take_number(text, 2, 59);
    if (!hours || !colon || !minutes) {
        return false;
    }
    fields.tm_hour = *hours;
    fields.tm_min = *minutes;
    fields.tm_sec = 0;
    if (take(text, ':')) {
        const auto seconds = take_number(text, 2, 59);
        fields.tm_sec = seconds.value_or(0);
        return seconds.has_value();
    }
    return true;
}

/// Takes "Z" or "+01:30", as seconds east of UTC.
std::optional<int> take_zone(std::string_view& text) {
    if (take(text, 'Z') || take(text, 'z')) {
        return 0;
    }
    const bool west = text.starts_with('-');
    if (!west && !text.starts_with('+')) {
        return std::nullopt;
    }
    text.remove_prefix(1);
    const auto hours = take_number(text, 2, 23);
    take(text, ':');
    const auto minutes = take_number(text, 2, 59);
    if (!hours || !minutes) {
        return std::nullopt;
    }
    const int east = (*hours * 60 + *minutes) * 60;
    return west ? -east : east;
}

/// A date, a time, or both with or without a zone.
std::optional<std::int64_t> parse_calendar(std::string_view text, std::int64_t now_usec) {
    struct tm fields = local_time(now_usec);
    std::string_view rest = text;
    const bool has_date = take_date(rest, fields);
    bool has_clock = false;
    if (has_date) {
        fields.tm_hour = fields.tm_min = fields.tm_sec = 0;
        has_clock = take(rest, 'T') || take(rest, 't') || take(rest, ' ');
    } else {
        rest = text;
        has_clock = true;
    }
    if (has_clock && !take_clock(rest, fields)) {
        return std::nullopt;
    }
    const auto fraction = take_fraction(rest);
    const int day_of_month = fields.tm_mday;
    fields.tm_isdst = -1;
    std::int64_t seconds = 0;
    if (rest.empty()) {
        seconds = ::mktime(&fields);
    } else {
        take_while(rest, " ");
        const auto zone = rest == "UTC" ? std::optional((rest = "", 0)) : take_zone(rest);
        if (!zone || !rest.empty() || !has_date || !has_clock) {
            return std::nullopt;
        }
        seconds = ::timegm(&fields) - *zone;
    }
    const bool exists = fields.tm_mday == day_of_month; // 30 February does not
    return fraction && exists && seconds >= 0 ? std::optional(seconds * second + *fraction)
                                              : std::nullopt;
}

std::optional<std::int64_t> parse_word(std::string_view text, std::int64_t now_usec) {
    if (text == "now") {
        return now_usec;
    }
    if (text == "today") {
        return midnight(now_usec, 0);
    }
    if (text == "yesterday") {
        return midnight(now_usec, -1);
    }
    if (text == "tomorrow") {
        return midnight(now_usec, 1);
    }
    return std::nullopt;
}

std::optional<std::int64_t> parse_relative(std::string_view text, std::int64_t now_usec) {
    constexpr std::string_view ago = " ago";
    const bool ahead = take(text, '+');
    if (text.ends_with(ago)) {
        if (ahead) {
            return std::nullopt;
        }
        text.remove_suffix(ago.size());
    } else if (!ahead) {
        take(text, '-');
    }
    const auto span = parse_span(text);
    if (!span) {
        return std::nullopt;
    }
    return std::max<std::int64_t>(0, now_usec + (ahead ? *span : -*span));
}

} // namespace

std::int64_t parse_time_point(std::string_view flag, std::string_view text, std::int64_t now_usec) {
    for (const auto& found : {parse_word(text, now_usec),
                              parse_unix_time(text),
                              parse_calendar(text, now_usec),
                              parse_relative(text, now_usec)}) {
        if (found) {
            return *found;
        }
    }
    throw bad_value(flag,
                    text,
                    "not a time",
                    "2026-11-22T10:00:00Z, '2026-11-22 10:00', 10:00, 10m, '2 hours ago', "
                    "yesterday or seconds since 1970");
}

std::string precise_timestamp(std::int64_t usec) {
    const std::time_t seconds = usec / second;
    struct tm fields{};
    ::gmtime_r(&seconds, &fields);
    std::array<char, sizeof "2026-01-01T00:00:00.000000Z" + 16> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &fields);
    std::snprintf(
        text.data() + size, text.size() - size, ".%06dZ", static_cast<int>(usec % second));
    return text.data();
}

} // namespace sctr::cli
