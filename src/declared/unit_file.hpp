// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Files in the format of systemd's unit files. Pure. Source: systemd.syntax(7).
namespace sctr::declared {

/// Where something is written.
struct Place {
    std::string file;
    int line = 0; ///< 0: the file as a whole

    bool operator==(const Place&) const = default;
};

/// An assignment, with its continuation lines put together.
struct Entry {
    std::string section;
    std::string key;
    std::string value;
    Place place;

    bool operator==(const Entry&) const = default;
};

/// What is wrong with a file.
struct Problem {
    Place place;
    std::string text; ///< what, why and what to use

    bool operator==(const Problem&) const = default;
};

/// "FILE:LINE: TEXT"
std::string to_string(const Problem& problem);

/// The assignments of a file in their order. What is no assignment is added to `problems`.
std::vector<Entry>
parse_unit_file(std::string_view text, const std::string& file, std::vector<Problem>& problems);

/// The words of a value, without quotes and escapes; nothing where a quote is not closed.
/// Specifiers and variables stay as they are, for systemd.
std::optional<std::vector<std::string>> split_words(std::string_view value);

/// A word as split_words() and systemd read it again.
std::string quote_word(std::string_view word);

/// "yes", "true", "1", "on", ... and their opposites; nothing for other values.
std::optional<bool> parse_boolean(std::string_view value);

} // namespace sctr::declared
