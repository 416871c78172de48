// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/cgroups_path.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "plan/unit.hpp"

namespace sctr::plan {

namespace {

constexpr std::string_view scope_suffix = ".scope";
constexpr std::string_view slice_suffix = ".slice";

Error bad_path(std::string_view text, std::string_view why) {
    Error error("cannot use the cgroups path '" + std::string(text) + "'");
    error.at("/linux/cgroupsPath").because(why).mend("write SLICE:PREFIX:NAME");
    return error;
}

bool is_plain(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == ':' || letter == '-' || letter == '_' ||
           letter == '.' || letter == '\\' || letter == '@';
}

bool is_unit(std::string_view name) {
    return name.ends_with(scope_suffix) || name.ends_with(slice_suffix) ||
           name.ends_with(".service");
}

std::string escape(std::string_view name) {
    constexpr std::array<char, 16> digits{
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
    std::string escaped;
    for (const char letter : name) {
        if (is_plain(letter)) {
            escaped += letter;
        } else {
            const auto byte = static_cast<unsigned char>(letter);
            escaped += {'\\', 'x', digits.at(byte / 16U), digits.at(byte % 16U)};
        }
    }
    return escaped;
}

std::string scope_of(std::string_view text, std::string_view name) {
    constexpr std::size_t longest = 255;
    if (name.ends_with(slice_suffix)) {
        throw bad_path(text, "it names a slice, and a container is a scope in one");
    }
    std::string unit = escape(name);
    if (!name.ends_with(scope_suffix)) {
        unit += scope_suffix;
    }
    if (unit.size() > longest) {
        throw bad_path(text, "the scope's name has more than 255 characters");
    }
    return unit;
}

ScopePlace read_path(std::string_view text, const std::string& default_slice) {
    ScopePlace place{.slice = default_slice, .unit = {}};
    std::string name;
    for (const std::string& part : split(text, '/')) {
        if (part.empty()) {
            continue;
        }
        if (part.ends_with(slice_suffix)) {
            place.slice = part;
        }
        name = part;
    }
    if (name.empty()) {
        throw bad_path(text, "it has no name");
    }
    place.unit = scope_of(text, name);
    return place;
}

} // namespace

ScopePlace
read_cgroups_path(std::string_view text, const std::string& id, const std::string& default_slice) {
    if (text.empty()) {
        return {.slice = default_slice, .unit = scope_of(text, "sctr-" + id)};
    }
    const std::vector<std::string> parts = split(text, ':');
    if (parts.size() == 1) {
        return read_path(text, default_slice);
    }
    if (parts.size() > 3) {
        throw bad_path(text, "it has more than three parts");
    }
    if (parts.back().empty()) {
        throw bad_path(text, "it has no name");
    }
    ScopePlace place{.slice = parts.front(), .unit = {}};
    if (place.slice.empty()) {
        place.slice = default_slice;
    } else if (!place.slice.ends_with(slice_suffix) || place.slice.find('/') != std::string::npos) {
        throw bad_path(text, "its first part is not the name of a slice (a-b.slice)");
    }
    const bool has_prefix = parts.size() == 3 && !parts[1].empty();
    place.unit = scope_of(text, has_prefix ? parts[1] + "-" + parts.back() : parts.back());
    return place;
}

std::optional<std::string> cgroup_of_unit_above(std::string_view path) {
    if (!path.starts_with('/') || path.ends_with('/')) {
        return std::nullopt;
    }
    std::vector<std::string> parts = split(path.substr(1), '/');
    if (std::ranges::any_of(parts, [](const std::string& part) {
            return part.empty() || part == "." || part == "..";
        })) {
        return std::nullopt;
    }
    parts.pop_back();
    while (!parts.empty() && !is_unit(parts.back())) {
        parts.pop_back();
    }
    if (parts.empty() || parts.back().ends_with(slice_suffix)) {
        return std::nullopt;
    }
    return "/" + join(parts, "/");
}

std::string unit_of_cgroup(std::string_view cgroup) {
    std::string_view name = cgroup.substr(cgroup.rfind('/') + 1);
    if (name.starts_with('_')) {
        name.remove_prefix(1);
    }
    return std::string(name);
}

} // namespace sctr::plan
