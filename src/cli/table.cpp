// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/table.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace sctr::cli {

Table::Table(std::vector<std::string> header) {
    lines_.push_back(std::move(header));
}

void Table::add(std::vector<std::string> line) {
    line.resize(lines_.front().size());
    for (std::string& cell : line) { // of images and units, what strangers have written
        cell = escape_controls(cell);
    }
    lines_.push_back(std::move(line));
}

std::string Table::text() const {
    std::vector<std::size_t> widths(lines_.front().size());
    for (const auto& line : lines_) {
        for (std::size_t i = 0; i < widths.size(); ++i) {
            widths[i] = std::max(widths[i], line[i].size());
        }
    }
    std::string text;
    for (const auto& line : lines_) {
        for (std::size_t i = 0; i < widths.size(); ++i) {
            text += line[i];
            text +=
                i + 1 == widths.size() ? "\n" : std::string(widths[i] - line[i].size() + 2, ' ');
        }
    }
    return text;
}

} // namespace sctr::cli
