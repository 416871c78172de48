// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sctr {

/// Splits at every separator; "a,,b" gives three parts, "" gives one empty part.
std::vector<std::string> split(std::string_view text, char separator);

/// Splits at the first separator; the second half is empty optional when there is none.
std::pair<std::string, std::optional<std::string>> split_once(std::string_view text,
                                                              char separator);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// The text with U+FFFD in the place of each byte that is not part of valid UTF-8 (RFC 3629).
std::string valid_utf8(std::string_view text);

/// With the letters of ASCII in lower case, whatever the locale.
std::string to_lower(std::string_view text);

/// The text on one line: control characters are written as C escapes ("\n", "\x1b").
std::string escape_controls(std::string_view text);

/// A JSON text that means the same and does nothing to a terminal: JSON itself escapes U+0000 to
/// U+001F alone, not DEL and C1 (U+009B is there what ESC [ is). Source: RFC 8259, 7.
std::string escape_json_controls(std::string_view json);

/// The whole text as a decimal number; nothing when it is not one or out of range.
std::optional<std::int64_t> parse_int(std::string_view text);
std::optional<std::uint64_t> parse_uint(std::string_view text);

/// Parses a size in bytes with an optional binary suffix b, k, m, g, t (case ignored, "ki" and
/// "kib" too), as docker and podman read them. "-1" and "unlimited" give -1. Nothing if invalid or
/// above 2^63-1. Fractions are allowed ("1.5g").
std::optional<std::int64_t> parse_size(std::string_view text);

/// Parses a time span in seconds ("90", "1.5") or with units us, ms, s, m, h, d ("1m30s") into
/// microseconds; nothing if invalid or out of range.
std::optional<std::uint64_t> parse_duration_usec(std::string_view text);

/// Parses a signal by number (1 to 64) or name ("TERM", "SIGTERM", "RTMIN+3", "RTMAX-1", case
/// ignored); nothing if unknown.
std::optional<int> parse_signal(std::string_view text);

/// The name of a signal with its SIG prefix ("SIGTERM", "SIGRTMIN+3"); its number if it has none.
std::string signal_name(int signal);

/// Parses "0-3,7" into ascending CPU or node numbers; nothing if invalid, empty or above 8191.
std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text);

/// How many letters must be changed, added or left out to make one of the other (Levenshtein).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The words between blanks, tabs and line ends.
std::vector<std::string> words_of(std::string_view text);

} // namespace sctr
