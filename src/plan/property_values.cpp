// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/property_values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/strings.hpp"
#include "plan/property_list.hpp"

namespace sctr::plan::property_values {

namespace {

UnitProperty property(const KnownProperty& known, PropertyValue value) {
    return {std::string(known.dbus_name), std::move(value)};
}

/// Reads the number at the front of `text` and removes it; fractions are allowed.
std::optional<double> take_number(std::string_view& text) {
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || number < 0) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

/// A size with a suffix of the powers of `base`.
std::optional<std::uint64_t> parse_scaled(std::string_view text, std::uint64_t base) {
    if (const auto whole = parse_uint(text)) {
        return whole;
    }
    const auto number = take_number(text);
    const auto power = std::string_view("BKMGTPE").find(text);
    if (!number || text.size() != 1 || power == std::string_view::npos) {
        return std::nullopt;
    }
    const double value = *number * std::pow(static_cast<double>(base), static_cast<double>(power));
    constexpr double beyond = 18446744073709551616.0;
    return value < beyond ? std::optional(static_cast<std::uint64_t>(value)) : std::nullopt;
}

struct TimeUnit {
    std::string_view names; ///< joined by '|'
    std::uint64_t microseconds;
};

constexpr std::uint64_t second = 1'000'000;

constexpr std::array time_units{
    TimeUnit{"|s|sec|second|seconds", second},
    TimeUnit{"us|usec|µs", 1},
    TimeUnit{"ms|msec", 1000},
    TimeUnit{"m|min|minute|minutes", 60 * second},
    TimeUnit{"h|hr|hour|hours", 3600 * second},
    TimeUnit{"d|day|days", 86400 * second},
    TimeUnit{"w|week|weeks", std::uint64_t{7} * 86400 * second},
};

bool is_one_of(std::string_view name, std::string_view names) {
    return std::ranges::contains(split(names, '|'), name);
}

/// systemd.time(7), Parsing time spans.
std::optional<std::uint64_t> parse_time_span(std::string_view text) {
    constexpr std::string_view blanks = " \t";
    if (text == "infinity") {
        return infinity;
    }
    double total = 0;
    bool is_empty = true;
    while (true) {
        text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
        if (text.empty()) {
            break;
        }
        const auto number = take_number(text);
        text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
        const std::string_view name = text.substr(0, text.find_first_of("0123456789. \t"));
        text.remove_prefix(name.size());
        const auto* unit = std::ranges::find_if(
            time_units, [&](const TimeUnit& each) { return is_one_of(name, each.names); });
        if (!number || unit == time_units.end()) {
            return std::nullopt;
        }
        total += *number * static_cast<double>(unit->microseconds);
        is_empty = false;
    }
    constexpr double longest = 9007199254740992.0; // what a double counts exactly, 285 years
    if (is_empty || total > longest) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(std::llround(total));
}

/// "12.34%" as 1234 hundredths of a percent.
std::optional<std::uint64_t> parse_percent(std::string_view text) {
    const auto number = take_number(text);
    constexpr double most = 1e9;
    if (!number || text != "%" || *number > most) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(std::llround(*number * 100));
}

constexpr std::uint64_t whole = 10000; // hundredths of a percent

/// The part of 2^32-1 that systemd's D-Bus interface takes for a percentage.
std::uint32_t scale_of(std::uint64_t hundredths) {
    return static_cast<std::uint32_t>((hundredths * UINT32_MAX + whole / 2) / whole);
}

/// A limit that may be relative: "NAMEScale" on D-Bus.
std::optional<UnitProperty> relative_limit(const KnownProperty& known, std::string_view value) {
    const auto percent = parse_percent(value);
    if (!percent || *percent > whole) {
        return std::nullopt;
    }
    return UnitProperty{std::string(known.dbus_name) + "Scale", scale_of(*percent)};
}

/// "DEVICE VALUE"; the list is emptied by an empty value.
UnitProperty device_limit(const KnownProperty& known,
                          std::string_view value,
                          std::optional<std::uint64_t> (*parse)(std::string_view),
                          std::string_view valid) {
    if (value.empty()) {
        return property(known, DeviceLimits{});
    }
    const auto [path, rest] = split_once(value, ' ');
    const auto limit = rest ? parse(*rest) : std::nullopt;
    if (!path.starts_with('/') || !limit) {
        throw bad_value(known, value, valid);
    }
    return property(known, DeviceLimits{{path, *limit}});
}

std::optional<std::uint64_t> parse_weight(std::string_view text) {
    const auto number = parse_uint(text);
    return number && *number >= 1 && *number <= weight_max ? number : std::nullopt;
}

std::optional<bool> parse_boolean(std::string_view text) {
    if (is_one_of(text, "1|yes|y|true|t|on")) {
        return true;
    }
    if (is_one_of(text, "0|no|n|false|f|off")) {
        return false;
    }
    return std::nullopt;
}

} // namespace

Error bad_value(const KnownProperty& known, std::string_view value, std::string_view valid) {
    Error error("bad value '" + std::string(value) + "'");
    error.at(known.name).mend("write " + std::string(valid));
    return error;
}

UnitProperty boolean(const KnownProperty& known, std::string_view value) {
    const auto flag = parse_boolean(value);
    if (!flag) {
        throw bad_value(known, value, "yes or no");
    }
    return property(known, *flag);
}

UnitProperty text(const KnownProperty& known, std::string_view value) {
    return property(known, std::string(value));
}

UnitProperty word(const KnownProperty& known, std::string_view value) {
    if (!is_one_of(value, known.words)) {
        throw bad_value(known, value, "one of " + join(split(known.words, '|'), ", "));
    }
    return property(known, std::string(value));
}

UnitProperty word_list(const KnownProperty& known, std::string_view value) {
    return property(known, words_of(value));
}

UnitProperty unit_list(const KnownProperty& known, std::string_view value) {
    const auto units = words_of(value);
    if (units.empty() || !std::ranges::all_of(units, [](const std::string& unit) {
            const auto dot = unit.rfind('.');
            return dot != std::string::npos && dot > 0 && dot + 1 < unit.size();
        })) {
        throw bad_value(known, value, "names of units such as network.target");
    }
    return property(known, units);
}

UnitProperty slice(const KnownProperty& known, std::string_view value) {
    constexpr std::string_view suffix = ".slice";
    if (!value.ends_with(suffix) || value.size() == suffix.size()) {
        throw bad_value(known, value, "the name of a slice such as machine.slice");
    }
    return property(known, std::string(value));
}

UnitProperty signal(const KnownProperty& known, std::string_view value) {
    const auto number = parse_signal(value);
    if (!number) {
        throw bad_value(known, value, "a signal such as SIGTERM");
    }
    return property(known, std::int32_t{*number});
}

UnitProperty time_span(const KnownProperty& known, std::string_view value) {
    const auto span = parse_time_span(value);
    if (!span) {
        throw bad_value(known, value, "a time such as 90, 1min 30s or infinity");
    }
    return property(known, *span);
}

UnitProperty weight(const KnownProperty& known, std::string_view value) {
    const auto number = parse_weight(value);
    if (!number) {
        throw bad_value(known, value, "a weight from 1 to 10000");
    }
    return property(known, *number);
}

UnitProperty cpu_weight(const KnownProperty& known, std::string_view value) {
    if (value == "idle") {
        return property(known, std::uint64_t{0});
    }
    const auto number = parse_weight(value);
    if (!number) {
        throw bad_value(known, value, "a weight from 1 to 10000, or idle");
    }
    return property(known, *number);
}

UnitProperty cpu_quota(const KnownProperty& known, std::string_view value) {
    const auto percent = parse_percent(value);
    if (!percent || *percent == 0) {
        throw bad_value(known, value, "a percentage of one CPU such as 20% or 150%");
    }
    return property(known, *percent * second / whole);
}

UnitProperty numbers(const KnownProperty& known, std::string_view value) {
    if (value.empty()) {
        return property(known, std::vector<std::uint8_t>{});
    }
    const auto list = parse_cpu_list(join(words_of(value), ","));
    if (!list) {
        throw bad_value(known, value, "numbers such as 0-3,7");
    }
    return property(known, number_mask(*list));
}

UnitProperty memory(const KnownProperty& known, std::string_view value) {
    if (auto relative = relative_limit(known, value)) {
        return *relative;
    }
    const auto bytes = value == "infinity" ? std::optional(infinity) : parse_scaled(value, 1024);
    if (!bytes) {
        throw bad_value(known, value, "bytes such as 512M, a percentage such as 25%, or infinity");
    }
    return property(known, *bytes);
}

UnitProperty tasks(const KnownProperty& known, std::string_view value) {
    if (auto relative = relative_limit(known, value)) {
        return *relative;
    }
    const auto number = value == "infinity" ? std::optional(infinity) : parse_uint(value);
    if (!number || *number == 0) {
        throw bad_value(known, value, "a number from 1, a percentage such as 25%, or infinity");
    }
    return property(known, *number);
}

UnitProperty percentage(const KnownProperty& known, std::string_view value) {
    const auto percent = parse_percent(value);
    if (!percent || *percent > whole) {
        throw bad_value(known, value, "a percentage from 0% to 100%");
    }
    return property(known, scale_of(*percent));
}

UnitProperty device_rate(const KnownProperty& known, std::string_view value) {
    const auto parse = [](std::string_view rate) -> std::optional<std::uint64_t> {
        return rate == "infinity" ? std::optional(infinity) : parse_scaled(rate, 1000);
    };
    return device_limit(known, value, parse, "a path and a rate such as \"/dev/sda 5M\"");
}

UnitProperty device_weight(const KnownProperty& known, std::string_view value) {
    return device_limit(
        known, value, parse_weight, "a path and a weight from 1 to 10000 such as \"/dev/sda 200\"");
}

UnitProperty device_latency(const KnownProperty& known, std::string_view value) {
    return device_limit(
        known, value, parse_time_span, "a path and a time such as \"/dev/sda 25ms\"");
}

UnitProperty device_access(const KnownProperty& known, std::string_view value) {
    if (value.empty()) {
        return property(known, StringPairs{});
    }
    const auto [path, rest] = split_once(value, ' ');
    const std::string access = rest.value_or("rwm");
    const bool is_path =
        path.starts_with("/dev/") || path.starts_with("char-") || path.starts_with("block-");
    if (!is_path || access.empty() || access.find_first_not_of("rwm") != std::string::npos) {
        throw bad_value(known, value, "a device and r, w, m such as \"/dev/null rw\"");
    }
    return property(known, StringPairs{{path, access}});
}

UnitProperty delegate(const KnownProperty& known, std::string_view value) {
    if (const auto flag = parse_boolean(value)) {
        return property(known, *flag);
    }
    return {"DelegateControllers", words_of(value)};
}

UnitProperty bpf_program(const KnownProperty& known, std::string_view value) {
    if (value.empty()) {
        return property(known, StringPairs{});
    }
    const auto [type, path] = split_once(value, ':');
    if (type.empty() || !path || !path->starts_with('/')) {
        throw bad_value(known, value, "a type and a path such as egress:/sys/fs/bpf/program");
    }
    return property(known, StringPairs{{type, *path}});
}

} // namespace sctr::plan::property_values
