// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/values.hpp"

#include <array>
#include <string>
#include <vector>

#include "base/strings.hpp"

namespace sctr::cli {

Error bad_value(std::string_view flag,
                std::string_view value,
                std::string_view why,
                std::string_view form) {
    Error error("bad value '" + std::string(value) + "'");
    error.at(flag);
    if (!why.empty()) {
        error.because(why);
    }
    error.mend("give " + std::string(form));
    return error;
}

std::int64_t
parse_in_range(std::string_view flag, std::string_view value, std::int64_t low, std::int64_t high) {
    const auto range = "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
    const auto number = parse_int(value);
    if (!number) {
        throw bad_value(flag, value, "not a number", range);
    }
    if (*number < low || *number > high) {
        throw bad_value(flag, value, "out of range", range);
    }
    return *number;
}

std::int64_t parse_bytes(std::string_view flag, std::string_view value, std::string_view form) {
    const auto bytes = parse_size(value);
    if (!bytes) {
        throw bad_value(flag, value, "not a size", form);
    }
    if (*bytes <= 0) {
        throw bad_value(flag, value, "out of range", form);
    }
    return *bytes;
}

bool parse_bool(std::string_view flag, std::string_view value) {
    constexpr std::array<std::string_view, 3> yes = {"true", "1", "yes"};
    constexpr std::array<std::string_view, 3> no = {"false", "0", "no"};
    for (const auto word : yes) {
        if (value == word) {
            return true;
        }
    }
    for (const auto word : no) {
        if (value == word) {
            return false;
        }
    }
    throw bad_value(flag, value, "neither true nor false", "true or false");
}

std::string absolute_path(std::string_view path, std::string_view base) {
    std::string whole;
    if (!path.starts_with('/')) {
        whole = std::string(base) + '/';
    }
    whole += path;
    std::string result;
    for (const std::string& part : split(whole, '/')) {
        if (!part.empty() && part != ".") {
            result += '/' + part;
        }
    }
    return result.empty() ? "/" : result;
}

std::string container_path(std::string_view flag, std::string_view path) {
    if (!path.starts_with('/')) {
        throw bad_value(flag, path, "not absolute", "a path in the container that begins with /");
    }
    std::vector<std::string> parts;
    for (const std::string& part : split(path, '/')) {
        if (part.empty() || part == ".") {
            continue;
        }
        if (part != "..") {
            parts.push_back(part);
        } else if (!parts.empty()) {
            parts.pop_back();
        }
    }
    return "/" + join(parts, "/");
}

} // namespace sctr::cli
