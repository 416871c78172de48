// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/log_lines.hpp"

#include <algorithm>

namespace sctr::container {

namespace {

constexpr std::size_t prefix_size = 3;

/// "<3>", as sd-daemon(3) has it.
bool has_prefix(std::string_view line) {
    return line.size() >= prefix_size && line[0] == '<' && line[1] >= '0' && line[1] <= '7' &&
           line[2] == '>';
}

} // namespace

void LogLines::add(std::string_view bytes) {
    bytes_.erase(0, begin_);
    scanned_ -= begin_;
    begin_ = 0;
    bytes_ += bytes;
}

std::optional<LogLine> LogLines::next(bool at_end) {
    const auto newline = bytes_.find('\n', scanned_);
    scanned_ = std::min(newline, bytes_.size());
    const std::size_t size = scanned_ - begin_;
    if (size > longest_) {
        return take(longest_, false);
    }
    if (newline != std::string::npos) {
        LogLine line = take(size, true);
        scanned_ = ++begin_;
        return line;
    }
    if (at_end && size > 0) {
        return take(size, false);
    }
    return std::nullopt;
}

LogLine LogLines::take(std::size_t size, bool ends) {
    LogLine line{.text = bytes_.substr(begin_, size), .prefix = "", .priority = 0, .ends = ends};
    if (!continues_) {
        current_ = priority_;
        if (has_prefix(line.text)) {
            current_ = line.text[1] - '0';
            line.prefix = line.text.substr(0, prefix_size);
            line.text.erase(0, prefix_size);
        }
    }
    line.priority = current_;
    continues_ = !ends;
    begin_ += size;
    return line;
}

} // namespace sctr::container
