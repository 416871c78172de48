// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/typed_names.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

#include "cli/flags.hpp"

namespace sctr::cli {
namespace {

bool is_of_name(char letter) {
    return letter == '-' || (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
}

/// Where the word ends that begins at `begin`.
std::size_t end_of_name(std::string_view text, std::size_t begin) {
    std::size_t end = begin;
    while (end < text.size() && is_of_name(text[end])) {
        ++end;
    }
    return end;
}

} // namespace

TypedNames::TypedNames(const CLI::App& app, const std::vector<std::string>& words) {
    for (const GivenFlag& given : given_flags(app, words)) {
        for (const std::string& name : given.option->get_lnames()) {
            if (given.option->get_lnames().size() + given.option->get_snames().size() > 1) {
                add("--" + name, given.name, given.value);
            }
        }
    }
}

void TypedNames::add(std::string_view name, std::string_view typed, std::string_view value) {
    uses_.push_back(
        {.name = std::string(name), .typed = std::string(typed), .value = std::string(value)});
}

std::string_view TypedNames::typed_for(std::string_view name, std::string_view context) const {
    std::string_view typed = name;
    bool is_mentioned = false;
    for (const Use& use : uses_) {
        if (use.name != name) {
            continue;
        }
        const bool mentions = !use.value.empty() && context.contains(use.value);
        if (mentions || !is_mentioned) {
            typed = use.typed;
            is_mentioned = mentions;
        }
    }
    return typed;
}

std::string TypedNames::in(const std::string& text, std::string_view context) const {
    std::string result;
    bool is_quoted = false;
    for (std::size_t i = 0; i < text.size();) {
        const bool begins = i == 0 || text[i - 1] == ' ' || text[i - 1] == '(';
        if (!is_quoted && begins && text.compare(i, 2, "--") == 0) {
            const std::size_t end = end_of_name(text, i);
            result += typed_for(std::string_view(text).substr(i, end - i), context);
            i = end;
            continue;
        }
        is_quoted ^= text[i] == '\'';
        result += text[i++];
    }
    return result;
}

void TypedNames::rename(Error& error) const {
    if (uses_.empty()) {
        return;
    }
    const std::string context = error.what();
    error.reword([&](const std::string& part) { return in(part, context); });
}

} // namespace sctr::cli
