// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/strings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>
#include <numeric>
#include <set>
#include <span>
#include <sstream>
#include <utility>

namespace sctr {
namespace {

constexpr unsigned max_cpu = 8191; // CONFIG_NR_CPUS goes no higher.
constexpr int max_signal = 64;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view blanks = " \t\n";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

template <typename Number> std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const auto* end = text.data() + text.size();
    const auto [stop, failure] = std::from_chars(text.data(), end, value);
    if (failure != std::errc{} || stop != end || text.empty()) {
        return std::nullopt;
    }
    return value;
}

/// A decimal number that is not rounded before it is scaled.
struct Decimal {
    std::uint64_t whole = 0;
    long double fraction = 0;
};

/// Takes digits, or digits.digits, from the front of the text.
std::optional<Decimal> take_decimal(std::string_view& text) {
    const auto take_digits = [&text] {
        const auto count =
            static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
        const auto digits = text.substr(0, count);
        text.remove_prefix(count);
        return digits;
    };
    const auto whole = parse_uint(take_digits());
    if (!whole) {
        return std::nullopt;
    }
    Decimal result{.whole = *whole};
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        const auto digits = take_digits();
        if (digits.empty()) {
            return std::nullopt;
        }
        long double weight = 1;
        for (const char digit : digits) {
            weight /= 10;
            result.fraction += static_cast<long double>(digit - '0') * weight;
        }
    }
    return result;
}

/// number * unit, rounded to the nearest whole; nothing above the limit.
std::optional<std::uint64_t> scale(Decimal number, std::uint64_t unit, std::uint64_t limit) {
    const auto extra =
        static_cast<std::uint64_t>(std::llround(number.fraction * static_cast<long double>(unit)));
    if (extra > limit || number.whole > (limit - extra) / unit) {
        return std::nullopt;
    }
    return number.whole * unit + extra;
}

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

std::optional<std::uint64_t> factor_of(std::string_view name, std::span<const Unit> units) {
    const auto* const unit = std::ranges::find(units, name, &Unit::name).base();
    return unit == units.data() + units.size() ? std::nullopt : std::optional(unit->factor);
}

/// The offset of a real-time signal in "+3" or "-3"; 0 for "".
std::optional<int> signal_offset(std::string_view text, char sign) {
    if (text.empty()) {
        return 0;
    }
    if (text.front() != sign) {
        return std::nullopt;
    }
    const auto offset = parse_uint(text.substr(1));
    if (!offset || *offset > static_cast<unsigned>(SIGRTMAX - SIGRTMIN)) {
        return std::nullopt;
    }
    return static_cast<int>(*offset);
}

} // namespace

std::string to_lower(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return lower;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (;;) {
        const auto end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

std::pair<std::string, std::optional<std::string>> split_once(std::string_view text,
                                                              char separator) {
    const auto end = text.find(separator);
    if (end == std::string_view::npos) {
        return {std::string(text), std::nullopt};
    }
    return {std::string(text.substr(0, end)), std::string(text.substr(end + 1))};
}

namespace {

/// The length of the UTF-8 character at the start of a text; 0 when there is none.
std::size_t character_length(std::string_view text) {
    const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
    const unsigned lead = byte(0);
    if (lead < 0x80) {
        return 1;
    }
    const std::size_t length = lead < 0xc2   ? 0
                               : lead < 0xe0 ? 2
                               : lead < 0xf0 ? 3
                               : lead < 0xf5 ? 4
                                             : 0;
    if (length == 0 || text.size() < length) {
        return 0;
    }
    for (std::size_t index = 1; index < length; ++index) {
        if ((byte(index) & 0xc0U) != 0x80U) {
            return 0;
        }
    }
    const unsigned second = byte(1);
    const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    const bool surrogate = lead == 0xed && second >= 0xa0;
    const bool too_high = lead == 0xf4 && second >= 0x90;
    return overlong || surrogate || too_high ? 0 : length;
}

} // namespace

std::string valid_utf8(std::string_view text) {
    constexpr std::string_view replacement = "\xef\xbf\xbd";
    std::string valid;
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        valid += length == 0 ? replacement : text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return valid;
}

namespace {

/// Bytes of the control character that the text begins with, C1 in UTF-8 as well (U+009B is to a
/// terminal what ESC [ is); 0: it begins with none.
std::size_t control_size(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (byte(0) < 0x20 || byte(0) == 0x7f) {
        return 1;
    }
    return text.size() > 1 && byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0 ? 2 : 0;
}

} // namespace

std::string escape_controls(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string escaped;
    while (!text.empty()) {
        const std::size_t size = control_size(text);
        if (size == 0) {
            escaped += text.front();
        } else if (text.front() == '\n') {
            escaped += "\\n";
        } else if (text.front() == '\t') {
            escaped += "\\t";
        } else {
            for (const char character : text.substr(0, size)) {
                const auto byte = static_cast<unsigned char>(character);
                escaped += "\\x";
                escaped += digits[byte >> 4U];
                escaped += digits[byte & 15U];
            }
        }
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return escaped;
}

std::string escape_json_controls(std::string_view json) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string escaped;
    escaped.reserve(json.size());
    while (!json.empty()) {
        const std::size_t size = control_size(json);
        const auto last = static_cast<unsigned char>(json[std::max<std::size_t>(size, 1) - 1]);
        if (size == 0 || last < 0x20) { // the latter is white space between values
            escaped += json.front();
        } else {
            escaped += "\\u00";
            escaped += digits[last >> 4U];
            escaped += digits[last & 15U];
        }
        json.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return escaped;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string text;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i > 0) {
            text += separator;
        }
        text += parts[i];
    }
    return text;
}

std::optional<std::int64_t> parse_int(std::string_view text) {
    return parse_number<std::int64_t>(text);
}

std::optional<std::uint64_t> parse_uint(std::string_view text) {
    return parse_number<std::uint64_t>(text);
}

std::optional<std::int64_t> parse_size(std::string_view text) {
    constexpr std::array units = {
        Unit{"", 1},
        Unit{"b", 1},
        Unit{"k", 1ULL << 10},
        Unit{"m", 1ULL << 20},
        Unit{"g", 1ULL << 30},
        Unit{"t", 1ULL << 40},
    };
    if (text == "-1" || text == "unlimited") {
        return -1;
    }
    const auto number = take_decimal(text);
    auto suffix = to_lower(text);
    // "k", "kb", "ki" and "kib" are one and the same; "ib" is nothing.
    if (suffix.size() > 1 && suffix.front() != 'b' && suffix.ends_with('b')) {
        suffix.pop_back();
    }
    if (suffix.size() > 1 && suffix.front() != 'b' && suffix.ends_with('i')) {
        suffix.pop_back();
    }
    const auto factor = factor_of(suffix, units);
    if (!number || !factor) {
        return std::nullopt;
    }
    constexpr auto limit = std::numeric_limits<std::int64_t>::max();
    const auto bytes = scale(*number, *factor, static_cast<std::uint64_t>(limit));
    return bytes ? std::optional(static_cast<std::int64_t>(*bytes)) : std::nullopt;
}

std::optional<std::uint64_t> parse_duration_usec(std::string_view text) {
    constexpr std::uint64_t second = 1'000'000;
    constexpr auto limit = std::numeric_limits<std::uint64_t>::max();
    constexpr std::array units = {
        Unit{"us", 1},
        Unit{"ms", 1000},
        Unit{"s", second},
        Unit{"m", 60 * second},
        Unit{"h", 3600 * second},
        Unit{"d", 86400 * second},
    };
    std::uint64_t total = 0;
    for (bool first = true; first || !text.empty(); first = false) {
        const auto number = take_decimal(text);
        const auto unit_end =
            static_cast<std::size_t>(std::ranges::find_if(text, is_digit) - text.begin());
        const auto unit = text.substr(0, unit_end);
        text.remove_prefix(unit_end);
        const bool bare = unit.empty() && first;
        const auto factor = bare ? std::optional(second) : factor_of(unit, units);
        const auto usec = number && factor ? scale(*number, *factor, limit - total) : std::nullopt;
        if (!usec) {
            return std::nullopt;
        }
        total += *usec;
    }
    return total;
}

std::optional<int> parse_signal(std::string_view text) {
    struct Alias {
        std::string_view name;
        int signal;
    };

    constexpr std::array aliases = {
        Alias{"io", SIGIO},
        Alias{"poll", SIGPOLL},
        Alias{"iot", SIGABRT},
        Alias{"cld", SIGCHLD},
        Alias{"unused", SIGSYS},
    };
    if (const auto number = parse_uint(text)) {
        return *number >= 1 && *number <= max_signal ? std::optional(static_cast<int>(*number))
                                                     : std::nullopt;
    }
    auto name = to_lower(text);
    if (name.starts_with("sig")) {
        name.erase(0, 3);
    }
    if (name.starts_with("rtmin")) {
        const auto offset = signal_offset(std::string_view(name).substr(5), '+');
        return offset ? std::optional(SIGRTMIN + *offset) : std::nullopt;
    }
    if (name.starts_with("rtmax")) {
        const auto offset = signal_offset(std::string_view(name).substr(5), '-');
        return offset ? std::optional(SIGRTMAX - *offset) : std::nullopt;
    }
    for (const auto& alias : aliases) {
        if (name == alias.name) {
            return alias.signal;
        }
    }
    for (int signal = 1; signal < SIGRTMIN; ++signal) {
        const char* known = ::sigabbrev_np(signal);
        if (known != nullptr && name == to_lower(known)) {
            return signal;
        }
    }
    return std::nullopt;
}

std::string signal_name(int signal) {
    if (signal >= SIGRTMIN && signal <= SIGRTMAX) {
        const int offset = signal - SIGRTMIN;
        return offset == 0 ? "SIGRTMIN" : "SIGRTMIN+" + std::to_string(offset);
    }
    const char* known = ::sigabbrev_np(signal);
    return known != nullptr ? std::string("SIG") + known : std::to_string(signal);
}

std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text) {
    std::set<unsigned> numbers;
    for (const auto& part : split(text, ',')) {
        const auto range = trim(part);
        // The kernel and runc skip empty elements too.
        if (range.empty()) {
            continue;
        }
        const auto [first_text, last_text] = split_once(range, '-');
        const auto first = parse_uint(first_text);
        const auto last = last_text ? parse_uint(*last_text) : first;
        if (!first || !last || *first > *last || *last > max_cpu) {
            return std::nullopt;
        }
        for (auto number = *first; number <= *last; ++number) {
            numbers.insert(static_cast<unsigned>(number));
        }
    }
    if (numbers.empty()) {
        return std::nullopt;
    }
    return std::vector<unsigned>(numbers.begin(), numbers.end());
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

std::vector<std::string> words_of(std::string_view text) {
    std::istringstream stream{std::string(text)};
    std::vector<std::string> words;
    for (std::string word; stream >> word;) {
        words.push_back(word);
    }
    return words;
}

} // namespace sctr
