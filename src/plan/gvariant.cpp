// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/gvariant.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "plan/property_text.hpp"

namespace sctr::plan {

namespace {

enum class Kind : std::uint8_t { boolean, number, string, array, tuple };

/// A value as it is written: what type it has beyond that is said by `type`, or not at all.
struct Literal {
    Kind kind{};
    std::string type; ///< "uint64", or what follows "@"
    std::string text; ///< of a boolean, a number or a string
    std::vector<Literal> items;
};

struct Malformed {
    std::string why;
};

class Parser {
  public:
    explicit Parser(std::string_view text) : rest_(text) {}

    Literal whole() {
        Literal literal = value();
        skip_space();
        if (!rest_.empty()) {
            throw Malformed{"something follows the value: '" + std::string(rest_) + "'"};
        }
        return literal;
    }

  private:
    void skip_space() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) {
            rest_.remove_prefix(1);
        }
    }

    bool take(char letter) {
        skip_space();
        if (!rest_.starts_with(letter)) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }

    std::string_view word() {
        constexpr std::string_view ends = " \t,[](){}<>'\"";
        const std::string_view found = rest_.substr(0, rest_.find_first_of(ends));
        rest_.remove_prefix(found.size());
        return found;
    }

    std::string string(char quote) {
        std::string text;
        for (;;) {
            if (rest_.empty()) {
                throw Malformed{"a string has no end"};
            }
            char letter = rest_.front();
            rest_.remove_prefix(1);
            if (letter == quote) {
                return text;
            }
            if (letter == '\\' && !rest_.empty()) {
                letter = rest_.front() == 'n' ? '\n' : rest_.front() == 't' ? '\t' : rest_.front();
                rest_.remove_prefix(1);
            }
            text += letter;
        }
    }

    Literal list(Kind kind, char end) {
        constexpr int deepest = 8;
        if (++depth_ > deepest) {
            throw Malformed{"it is nested too deeply"};
        }
        Literal literal{.kind = kind, .type = {}, .text = {}, .items = {}};
        while (!take(end)) {
            literal.items.push_back(value());
            if (!take(',') && !rest_.starts_with(end)) {
                throw Malformed{std::string("a '") + end + "' is missing"};
            }
        }
        --depth_;
        return literal;
    }

    Literal value() {
        skip_space();
        if (take('\'')) {
            return {.kind = Kind::string, .type = {}, .text = string('\''), .items = {}};
        }
        if (take('"')) {
            return {.kind = Kind::string, .type = {}, .text = string('"'), .items = {}};
        }
        if (take('[')) {
            return list(Kind::array, ']');
        }
        if (take('(')) {
            return list(Kind::tuple, ')');
        }
        const std::string found(word());
        if (found == "true" || found == "false") {
            return {.kind = Kind::boolean, .type = {}, .text = found, .items = {}};
        }
        if (found.starts_with('@') || is_type(found)) {
            Literal literal = value();
            literal.type = found.starts_with('@') ? found.substr(1) : found;
            return literal;
        }
        if (!found.empty() && (found.front() == '-' || found.front() == '+' ||
                               (found.front() >= '0' && found.front() <= '9'))) {
            return {.kind = Kind::number, .type = {}, .text = found, .items = {}};
        }
        throw Malformed{found.empty() ? "a value is missing"
                                      : "'" + found + "' is no value (quote a string)"};
    }

    static bool is_type(std::string_view word) {
        constexpr std::array<std::string_view, 12> types{"boolean",
                                                         "byte",
                                                         "int16",
                                                         "uint16",
                                                         "int32",
                                                         "uint32",
                                                         "int64",
                                                         "uint64",
                                                         "double",
                                                         "string",
                                                         "objectpath",
                                                         "signature"};
        return std::ranges::find(types, word) != types.end();
    }

    std::string_view rest_;
    int depth_ = 0;
};

std::uint64_t unsigned_number(const Literal& literal) {
    const auto number = parse_uint(literal.text);
    if (!number) {
        throw Malformed{"'" + literal.text + "' is not a number from 0 to 2^64-1"};
    }
    return *number;
}

PropertyValue number_value(const Literal& literal) {
    if (literal.type == "uint64" || literal.type == "t") {
        return unsigned_number(literal);
    }
    if (literal.type == "uint32" || literal.type == "u") {
        const std::uint64_t number = unsigned_number(literal);
        if (number > std::numeric_limits<std::uint32_t>::max()) {
            throw Malformed{literal.text + " is too large for uint32"};
        }
        return static_cast<std::uint32_t>(number);
    }
    if (literal.type.empty() || literal.type == "int32" || literal.type == "i") {
        const auto number = parse_int(literal.text);
        if (!number || *number > std::numeric_limits<std::int32_t>::max() ||
            *number < std::numeric_limits<std::int32_t>::min()) {
            throw Malformed{"'" + literal.text +
                            "' is not a 32 bit number (write its type: uint64 " + literal.text +
                            ")"};
        }
        return static_cast<std::int32_t>(*number);
    }
    throw Malformed{"no property of a scope has the type " + literal.type};
}

bool all_of(const Literal& literal, Kind kind) {
    return std::ranges::all_of(literal.items,
                               [kind](const Literal& item) { return item.kind == kind; });
}

PropertyValue empty_array(const std::string& type) {
    if (type.empty() || type == "as") {
        return std::vector<std::string>();
    }
    if (type == "ay") {
        return std::vector<std::uint8_t>();
    }
    if (type == "a(ss)") {
        return StringPairs();
    }
    if (type == "a(st)") {
        return DeviceLimits();
    }
    throw Malformed{"no property of a scope has the type " + type};
}

std::vector<std::string> strings(const Literal& literal) {
    std::vector<std::string> texts;
    texts.reserve(literal.items.size());
    for (const Literal& item : literal.items) {
        texts.push_back(item.text);
    }
    return texts;
}

std::vector<std::uint8_t> bytes(const Literal& literal) {
    std::vector<std::uint8_t> values;
    values.reserve(literal.items.size());
    for (const Literal& item : literal.items) {
        const std::uint64_t byte = unsigned_number(item);
        if (byte > std::numeric_limits<std::uint8_t>::max()) {
            throw Malformed{item.text + " is not a byte"};
        }
        values.push_back(static_cast<std::uint8_t>(byte));
    }
    return values;
}

PropertyValue pairs(const Literal& literal) {
    StringPairs texts;
    DeviceLimits limits;
    for (const Literal& item : literal.items) {
        if (item.kind != Kind::tuple || item.items.size() != 2 ||
            item.items[0].kind != Kind::string) {
            throw Malformed{"an array is of strings, of bytes, or of pairs"};
        }
        if (item.items[1].kind == Kind::string) {
            texts.emplace_back(item.items[0].text, item.items[1].text);
        } else {
            limits.emplace_back(item.items[0].text, unsigned_number(item.items[1]));
        }
    }
    if (!texts.empty() && !limits.empty()) {
        throw Malformed{"the pairs of an array are of one type"};
    }
    return limits.empty() ? PropertyValue(texts) : PropertyValue(limits);
}

PropertyValue array_value(const Literal& literal) {
    if (literal.items.empty()) {
        return empty_array(literal.type);
    }
    if (all_of(literal, Kind::string)) {
        return strings(literal);
    }
    if (all_of(literal, Kind::number)) {
        return bytes(literal);
    }
    return pairs(literal);
}

PropertyValue to_value(const Literal& literal) {
    switch (literal.kind) {
    case Kind::boolean:
        return literal.text == "true";
    case Kind::number:
        return number_value(literal);
    case Kind::string:
        return literal.text;
    case Kind::array:
        return array_value(literal);
    case Kind::tuple:
        break;
    }
    throw Malformed{"no property of a scope is a tuple"};
}

/// A number of no said type, as the property of that name wants it; systemd takes no other.
std::optional<PropertyValue> as_systemd_wants(const std::string& name, const Literal& literal) {
    if (literal.kind != Kind::number || !literal.type.empty()) {
        return std::nullopt;
    }
    try {
        UnitProperty property = parse_property(name + "=" + literal.text);
        return property.name == name ? std::optional(std::move(property.value)) : std::nullopt;
    } catch (const Error&) {
        return std::nullopt; // systemd has more properties than people may set by flags
    }
}

std::uint64_t microseconds(const Literal& literal) {
    constexpr double usec_per_sec = 1e6;
    constexpr double limit = 9e18;
    char* end = nullptr;
    const double seconds = std::strtod(literal.text.c_str(), &end);
    const double value = seconds * usec_per_sec;
    if (literal.kind != Kind::number || *end != '\0' || !(value >= 0) || value > limit) {
        throw Malformed{"a time in seconds is a number"};
    }
    return static_cast<std::uint64_t>(std::llround(value));
}

UnitProperty read(std::string_view name, std::string_view text) {
    constexpr std::size_t shortest = 3;
    const bool is_name =
        name.size() >= shortest && std::ranges::all_of(name, [](char letter) {
            return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
        });
    if (!is_name) {
        throw Malformed{"the name of a property is three letters or more"};
    }
    const Literal literal = Parser(text).whole();
    if (name.ends_with("Sec") && !name.ends_with("USec")) {
        return {std::string(name.substr(0, name.size() - 3)) + "USec", microseconds(literal)};
    }
    if (auto value = as_systemd_wants(std::string(name), literal)) {
        return {std::string(name), std::move(*value)};
    }
    return {std::string(name), to_value(literal)};
}

} // namespace

UnitProperty
read_gvariant_property(std::string_view name, std::string_view text, std::string_view where) {
    try {
        if (text.size() > longest_property_text) {
            throw Malformed{"longer than 64 KiB"};
        }
        return read(name, text);
    } catch (const Malformed& malformed) {
        throw Error("cannot read a unit property")
            .at(where)
            .because(malformed.why)
            .mend("write it in GVariant's text format, for example uint64 90000000");
    }
}

} // namespace sctr::plan
