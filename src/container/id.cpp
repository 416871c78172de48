// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/id.hpp"

#include <algorithm>
#include <string_view>

#include "base/error.hpp"

namespace sctr::container {

namespace {

bool is_plain(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9');
}

/// A part of a path and of a unit's name.
bool is_made_of(std::string_view id, std::string_view signs) {
    constexpr std::size_t longest = 128;
    return !id.empty() && id.size() <= longest && std::ranges::all_of(id, [&](char letter) {
        return is_plain(letter) || signs.find(letter) != std::string_view::npos;
    });
}

} // namespace

void check_id(const std::string& id) {
    if (!is_made_of(id, "_.-") || !is_plain(id.front())) {
        throw Error("invalid container name")
            .at("'" + id + "'")
            .because(
                "a name is a letter or digit, then letters, digits, '_', '.' or '-', 128 at most");
    }
}

bool is_id(const std::string& text) {
    return is_made_of(text, "_.-+") && text.front() != '.' && text.front() != '-';
}

void check_engine_id(const std::string& id) {
    if (!is_id(id)) {
        throw Error("invalid container id")
            .at("'" + id + "'")
            .because(
                "an id is letters, digits, '_', '+', '.' and '-', 128 at most, and begins with "
                "none of the last two");
    }
}

} // namespace sctr::container
