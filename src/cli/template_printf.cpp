// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/template_printf.hpp"

#include <format>
#include <optional>

#include "base/strings.hpp"

namespace sctr::cli::go_template {
namespace {

/// One "%-10.3s".
struct Directive {
    bool left = false;
    bool zeros = false;
    std::size_t width = 0;
    std::optional<std::size_t> precision;
    char verb = 0;
};

std::size_t read_number(std::string_view& format) {
    constexpr std::size_t largest = 1000; // a screen has no more columns
    std::size_t number = 0;
    while (!format.empty() && format.front() >= '0' && format.front() <= '9') {
        number = number * 10 + static_cast<std::size_t>(format.front() - '0');
        if (number > largest) {
            throw Refusal{"a width is at most 1000"};
        }
        format.remove_prefix(1);
    }
    return number;
}

/// What stands behind a '%', taken off the format.
Directive read_directive(std::string_view& format) {
    Directive directive;
    while (!format.empty() && (format.front() == '-' || format.front() == '0')) {
        (format.front() == '-' ? directive.left : directive.zeros) = true;
        format.remove_prefix(1);
    }
    directive.width = read_number(format);
    if (format.starts_with('.')) {
        format.remove_prefix(1);
        directive.precision = read_number(format);
    }
    if (format.empty()) {
        throw Refusal{"the format ends in a '%'"};
    }
    directive.verb = format.front();
    format.remove_prefix(1);
    return directive;
}

[[noreturn]] void refuse(const Directive& directive, const Json& value) {
    throw Refusal{std::string("%") + directive.verb + " is not for " + kind_of(value)};
}

std::string in_sixteens(const Directive& directive, const Json& value) {
    if (value.is_number_integer()) {
        return std::format("{:x}", value.get<std::int64_t>());
    }
    if (!value.is_string()) {
        refuse(directive, value);
    }
    std::string digits;
    for (const char letter : value.get_ref<const std::string&>()) {
        digits += std::format("{:02x}", static_cast<unsigned>(static_cast<unsigned char>(letter)));
    }
    return digits;
}

/// The first letters, of UTF-8.
std::string cut(const std::string& text, const std::optional<std::size_t>& most) {
    if (!most) {
        return text;
    }
    std::size_t letters = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool begins = (static_cast<unsigned char>(text[i]) & 0xc0U) != 0x80U;
        if (begins && letters++ == *most) {
            return text.substr(0, i);
        }
    }
    return text;
}

std::string body_of(const Directive& directive, const Json& value) {
    switch (directive.verb) {
    case 's':
        return cut(text_of(value), directive.precision);
    case 'v':
        return text_of(value);
    case 'q':
        return quote(cut(text_of(value), directive.precision));
    case 'd':
        return value.is_number_integer() ? value.dump() : (refuse(directive, value), "");
    case 'f':
        return value.is_number()
                   ? std::format("{:.{}f}", value.get<double>(), directive.precision.value_or(6))
                   : (refuse(directive, value), "");
    case 't':
        return value.is_boolean() ? text_of(value) : (refuse(directive, value), "");
    case 'x':
        return in_sixteens(directive, value);
    default:
        throw Refusal{std::string("there is no %") + directive.verb +
                      "; there are %s, %v, %q, %d, %x, %f, %t and %%"};
    }
}

std::size_t letters_in(std::string_view text) {
    std::size_t count = 0;
    for (const char letter : text) {
        count += (static_cast<unsigned char>(letter) & 0xc0U) != 0x80U ? 1 : 0;
    }
    return count;
}

std::string padded(const Directive& directive, std::string body, bool is_number) {
    const std::size_t size = letters_in(body);
    if (size >= directive.width) {
        return body;
    }
    const std::size_t missing = directive.width - size;
    if (directive.left) {
        return body + std::string(missing, ' ');
    }
    if (directive.zeros && is_number) {
        return body.insert(body.starts_with('-') ? 1 : 0, missing, '0');
    }
    return std::string(missing, ' ') + body;
}

} // namespace

std::string quote(std::string_view text) {
    std::string escaped;
    for (const char letter : text) {
        escaped +=
            letter == '"' || letter == '\\' ? std::string{'\\', letter} : std::string{letter};
    }
    return '"' + escape_controls(escaped) + '"';
}

std::string format_values(std::string_view format, Arguments values) {
    std::string text;
    std::size_t used = 0;
    while (!format.empty()) {
        const std::size_t plain = std::min(format.find('%'), format.size());
        text += format.substr(0, plain);
        format.remove_prefix(plain);
        if (format.empty()) {
            break;
        }
        format.remove_prefix(1);
        if (format.starts_with('%')) {
            text += '%';
            format.remove_prefix(1);
            continue;
        }
        const Directive directive = read_directive(format);
        if (used == values.size()) {
            throw Refusal{"the format wants more than the " + std::to_string(used) +
                          " values that there are"};
        }
        const Json& value = *values[used++];
        text += padded(directive, body_of(directive, value), value.is_number());
    }
    if (used < values.size()) {
        throw Refusal{"the format wants " + std::to_string(used) + " values, and there are " +
                      std::to_string(values.size())};
    }
    return text;
}

} // namespace sctr::cli::go_template
