// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "base/strings.hpp"
#include "cli/request_builder.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

using Variable = std::pair<std::string, std::string>;

/// NAME=VALUE sets; NAME alone takes the caller's value and is left out where the caller has none.
void apply_line(Environment& environment,
                const char* flag,
                const std::string& line,
                const RootfsFacts& facts) {
    const auto [name, value] = split_once(line, '=');
    if (name.empty() || name.find_first_of(" \t") != std::string::npos) {
        throw bad_value(flag, line, "a name is not empty and has no blanks", "NAME=VALUE or NAME");
    }
    if (value) {
        environment.set(name, *value);
    } else if (const auto own = facts.environment.find(name); own != facts.environment.end()) {
        environment.set(name, own->second);
    }
}

/// One variable a line, no quoting; blank lines and those that begin with # are skipped, as docker
/// reads such files.
void apply_file(Environment& environment, const std::string& text, const RootfsFacts& facts) {
    for (std::string line : split(text, '\n')) {
        if (line.ends_with('\r')) {
            line.pop_back();
        }
        line.erase(0, line.find_first_not_of(" \t"));
        if (!line.empty() && !line.starts_with('#')) {
            apply_line(environment, "--env-file", line, facts);
        }
    }
}

} // namespace

Environment::Environment(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        const auto [name, value] = split_once(line, '=');
        set(name, value.value_or(""));
    }
}

void Environment::set(const std::string& name, const std::string& value) {
    if (const auto found = std::ranges::find(values_, name, &Variable::first);
        found != values_.end()) {
        found->second = value;
    } else {
        values_.emplace_back(name, value);
    }
}

void Environment::unset(const std::string& name) {
    std::erase_if(values_, [&](const Variable& variable) { return variable.first == name; });
}

bool Environment::has(const std::string& name) const {
    return std::ranges::contains(values_, name, &Variable::first);
}

std::vector<std::string> Environment::lines() const {
    std::vector<std::string> result;
    result.reserve(values_.size());
    for (const auto& [name, value] : values_) {
        result.emplace_back(name).append("=").append(value);
    }
    return result;
}

void apply_environment(Environment& environment,
                       const ProcessFlags& flags,
                       const RootfsFacts& facts) {
    for (const std::string& text : facts.env_files) {
        apply_file(environment, text, facts);
    }
    for (const std::string& line : flags.env) {
        apply_line(environment, "--env", line, facts);
    }
}

} // namespace sctr::cli
