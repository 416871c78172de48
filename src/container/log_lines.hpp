// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sctr::container {

/// A line of output, or a piece of one that is too long.
struct LogLine {
    std::string text;   ///< without its prefix and its newline
    std::string prefix; ///< "<3>", where the line begins so
    int priority = 6;   ///< what the prefix says, or the stream's
    bool ends = true;   ///< a newline followed

    bool operator==(const LogLine&) const = default;
};

/// Cuts a stream of bytes into lines. A piece of a line is given where it gets longer than
/// `longest`, and at the end. Pure.
class LogLines {
  public:
    static constexpr std::size_t longest = std::size_t{1} << 20;

    explicit LogLines(int priority, std::size_t longest_piece = longest)
        : priority_(priority), current_(priority), longest_(longest_piece) {}

    void add(std::string_view bytes);

    /// The next line or piece; nothing when more bytes are needed. With `at_end` what is left is
    /// a piece.
    std::optional<LogLine> next(bool at_end = false);

  private:
    LogLine take(std::size_t size, bool ends);

    std::string bytes_;
    std::size_t begin_ = 0;   ///< of what has not been given
    std::size_t scanned_ = 0; ///< up to where there is no newline
    int priority_;            ///< of lines that do not say theirs
    int current_;             ///< of the line that is being cut
    bool continues_ = false;
    std::size_t longest_;
};

} // namespace sctr::container
