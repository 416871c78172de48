// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/containerfile.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace sctr::oci {

namespace {

using Words = std::vector<std::string>;

/// A line that ends in a backslash goes on in the next.
std::vector<Words> lines_of(std::string_view text) {
    std::vector<Words> lines;
    bool goes_on = false;
    for (std::string line : split(text, '\n')) {
        std::ranges::replace_if(
            line, [](char letter) { return letter == '\t' || letter == '\r'; }, ' ');
        const auto end = line.find_last_not_of(' ');
        line.resize(end == std::string::npos ? 0 : end + 1);
        const bool continued = goes_on;
        goes_on = line.ends_with('\\');
        if (goes_on) {
            line.pop_back();
        }
        Words words = split(line, ' ');
        std::erase(words, "");
        if (continued && !lines.empty()) {
            lines.back().insert(lines.back().end(), words.begin(), words.end());
        } else {
            lines.push_back(std::move(words));
        }
    }
    return lines;
}

/// The value of the flag "--from=" or, in FROM, the first word that is no flag.
std::string source_of(const Words& words) {
    constexpr std::string_view from = "--from=";
    const bool is_from = to_lower(words.front()) == "from";
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (!is_from && words[i].starts_with(from)) {
            return words[i].substr(from.size());
        }
        if (is_from && !words[i].starts_with("--")) {
            return words[i];
        }
    }
    return {};
}

} // namespace

std::vector<std::string> bases_of(std::string_view text) {
    std::vector<std::string> stages = {"scratch"};
    std::vector<std::string> bases;
    for (const Words& words : lines_of(text)) {
        const std::string verb = words.empty() ? "" : to_lower(words.front());
        if (verb != "from" && verb != "copy") {
            continue;
        }
        const std::string source = source_of(words);
        const bool is_image = !source.empty() && !source.contains('$') && !parse_uint(source) &&
                              !std::ranges::contains(stages, to_lower(source));
        if (is_image && !std::ranges::contains(bases, source)) {
            bases.push_back(source);
        }
        if (verb == "from" && words.size() > 2 && to_lower(words[words.size() - 2]) == "as") {
            stages.push_back(to_lower(words.back()));
        }
    }
    return bases;
}

} // namespace sctr::oci
