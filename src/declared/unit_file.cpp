// SPDX-License-Identifier: LGPL-2.1-or-later
#include "declared/unit_file.hpp"

#include <algorithm>
#include <array>

#include "base/strings.hpp"

namespace sctr::declared {

namespace {

constexpr std::string_view blanks = " \t\r";
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

bool is_comment(std::string_view line) {
    return line.starts_with('#') || line.starts_with(';');
}

/// One that is itself not escaped.
bool ends_in_backslash(std::string_view line) {
    const auto last = line.find_last_not_of('\\');
    const std::size_t count = line.size() - (last == std::string_view::npos ? 0 : last + 1);
    return count % 2 == 1;
}

/// Reads a file line by line.
class Parser {
  public:
    Parser(const std::string& file, std::vector<Problem>& problems)
        : file_(file), problems_(problems) {}

    std::vector<Entry> parse(std::string_view text) {
        if (text.starts_with(byte_order_mark)) {
            text.remove_prefix(byte_order_mark.size());
        }
        for (const std::string& raw : split(text, '\n')) {
            ++line_;
            add(trimmed(raw));
        }
        if (!pending_.empty()) {
            finish();
        }
        return std::move(entries_);
    }

  private:
    void add(std::string_view line) {
        if (is_comment(line)) {
            return; // between the lines of one assignment, too
        }
        if (pending_.empty()) {
            if (line.empty()) {
                return;
            }
            begin_ = line_;
        }
        const bool continues = ends_in_backslash(line);
        if (continues) {
            line.remove_suffix(1);
        }
        pending_ += line;
        if (continues) {
            pending_ += ' ';
        } else {
            finish();
        }
    }

    void finish() {
        const std::string whole = std::move(pending_);
        pending_.clear();
        const std::string_view line = trimmed(whole);
        if (line.find('\0') != std::string_view::npos || valid_utf8(line) != line) {
            problem("the line is not UTF-8");
        } else if (ends_in_backslash(line)) {
            problem("the line ends in a backslash and nothing follows");
        } else if (line.starts_with('[')) {
            begin_section(line);
        } else {
            assign(line);
        }
    }

    void begin_section(std::string_view line) {
        if (!line.ends_with(']') || line.size() < 3) {
            problem("a section is written [Name]");
            return;
        }
        section_ = line.substr(1, line.size() - 2);
    }

    void assign(std::string_view line) {
        const auto equals = line.find('=');
        if (equals == std::string_view::npos || equals == 0) {
            problem("a line is Key=value, [Section] or a comment");
            return;
        }
        if (section_.empty()) {
            problem("there is no section before it");
            return;
        }
        entries_.push_back({.section = section_,
                            .key = std::string(trimmed(line.substr(0, equals))),
                            .value = std::string(trimmed(line.substr(equals + 1))),
                            .place = {file_, begin_}});
    }

    void problem(std::string text) {
        problems_.push_back({.place = {file_, begin_}, .text = std::move(text)});
    }

    const std::string& file_;
    std::vector<Problem>& problems_;
    std::vector<Entry> entries_;
    std::string section_;
    std::string pending_;
    int line_ = 0;
    int begin_ = 0; ///< where the assignment begins
};

/// Takes the code point of an escape with so many digits; nothing when it is none.
std::optional<std::uint32_t>
take_number(std::string_view& text, std::size_t digits, unsigned base) {
    if (text.size() < digits) {
        return std::nullopt;
    }
    std::uint32_t number = 0;
    for (const char letter : text.substr(0, digits)) {
        constexpr std::string_view values = "0123456789abcdef";
        const char lower = letter >= 'A' && letter <= 'F' ? static_cast<char>(letter + 32) : letter;
        const auto value = values.find(lower);
        if (value >= base) { // npos, too
            return std::nullopt;
        }
        number = number * base + static_cast<std::uint32_t>(value);
    }
    text.remove_prefix(digits);
    return number;
}

void append_utf8(std::string& word, std::uint32_t code) {
    const auto add = [&](std::uint32_t byte) { word += static_cast<char>(byte); };
    if (code < 0x80) {
        add(code);
    } else if (code < 0x800) {
        add(0xc0U | code >> 6U);
        add(0x80U | (code & 0x3fU));
    } else if (code < 0x10000) {
        add(0xe0U | code >> 12U);
        add(0x80U | (code >> 6U & 0x3fU));
        add(0x80U | (code & 0x3fU));
    } else {
        add(0xf0U | code >> 18U);
        add(0x80U | (code >> 12U & 0x3fU));
        add(0x80U | (code >> 6U & 0x3fU));
        add(0x80U | (code & 0x3fU));
    }
}

struct Escape {
    char letter;
    char meaning;
};

constexpr std::array<Escape, 11> escapes = {{{'a', '\a'},
                                             {'b', '\b'},
                                             {'f', '\f'},
                                             {'n', '\n'},
                                             {'r', '\r'},
                                             {'t', '\t'},
                                             {'v', '\v'},
                                             {'s', ' '},
                                             {'\\', '\\'},
                                             {'"', '"'},
                                             {'\'', '\''}}};

struct NumberEscape {
    std::string_view begin;
    std::size_t digits;
    unsigned base;
    bool is_byte;
};

constexpr std::array<NumberEscape, 4> number_escapes = {
    {{"x", 2, 16, true}, {"u", 4, 16, false}, {"U", 8, 16, false}, {"", 3, 8, true}}};

/// Takes what follows a backslash. What is no escape stays as it is written, as in systemd.
void take_escape(std::string_view& text, std::string& word) {
    const auto* const simple = std::ranges::find(escapes, text.front(), &Escape::letter);
    if (simple != escapes.end()) {
        word += simple->meaning;
        text.remove_prefix(1);
        return;
    }
    for (const NumberEscape& each : number_escapes) {
        std::string_view rest = text;
        if (!rest.starts_with(each.begin)) {
            continue;
        }
        rest.remove_prefix(each.begin.size());
        const auto number = take_number(rest, each.digits, each.base);
        const std::uint32_t most = each.is_byte ? 0xff : 0x10ffff;
        if (number && *number > 0 && *number <= most) { // a word holds no NUL
            if (each.is_byte) {
                word += static_cast<char>(*number);
            } else {
                append_utf8(word, *number);
            }
            text = rest;
            return;
        }
    }
    word += '\\';
}

/// Takes one word; nothing where a quote is not closed.
std::optional<std::string> take_word(std::string_view& text) {
    std::string word;
    char quote = 0;
    while (!text.empty()) {
        const char letter = text.front();
        if (quote == 0 && blanks.contains(letter)) {
            break;
        }
        text.remove_prefix(1);
        if (letter == '\\' && !text.empty()) {
            take_escape(text, word);
        } else if (quote == 0 && (letter == '"' || letter == '\'')) {
            quote = letter;
        } else if (letter == quote && quote != 0) {
            quote = 0;
        } else {
            word += letter;
        }
    }
    return quote == 0 ? std::optional(word) : std::nullopt;
}

bool is_plain(unsigned char letter) {
    constexpr std::string_view signs = "_./:=,@%+-${}[]^~!?*&|()<>#";
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter >= 0x80 ||
           signs.contains(static_cast<char>(letter));
}

} // namespace

std::string to_string(const Problem& problem) {
    std::string text = problem.place.file + ":";
    if (problem.place.line > 0) {
        text += std::to_string(problem.place.line) + ":";
    }
    return text + " " + problem.text;
}

std::vector<Entry>
parse_unit_file(std::string_view text, const std::string& file, std::vector<Problem>& problems) {
    return Parser(file, problems).parse(text);
}

std::optional<std::vector<std::string>> split_words(std::string_view value) {
    std::vector<std::string> words;
    for (;;) {
        const auto begin = value.find_first_not_of(blanks);
        if (begin == std::string_view::npos) {
            return words;
        }
        value.remove_prefix(begin);
        auto word = take_word(value);
        if (!word) {
            return std::nullopt;
        }
        words.push_back(std::move(*word));
    }
}

std::string quote_word(std::string_view word) {
    const bool plain = !word.empty() && std::ranges::all_of(word, is_plain);
    if (plain && valid_utf8(word) == word) {
        return std::string(word);
    }
    const bool is_text = valid_utf8(word) == word;
    constexpr std::string_view digits = "0123456789abcdef";
    std::string quoted = "\"";
    for (const char letter : word) {
        const auto byte = static_cast<unsigned char>(letter);
        if (letter == '"' || letter == '\\') {
            quoted += '\\';
            quoted += letter;
        } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !is_text)) {
            quoted += "\\x";
            quoted += digits[byte >> 4U];
            quoted += digits[byte & 15U];
        } else {
            quoted += letter;
        }
    }
    return quoted + '"';
}

std::optional<bool> parse_boolean(std::string_view value) {
    const std::string lower = to_lower(value);
    for (const char* yes : {"1", "yes", "y", "true", "t", "on"}) {
        if (lower == yes) {
            return true;
        }
    }
    for (const char* no : {"0", "no", "n", "false", "f", "off"}) {
        if (lower == no) {
            return false;
        }
    }
    return std::nullopt;
}

} // namespace sctr::declared
