// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/gather.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* zones = "/usr/share/zoneinfo/";

/// As localtime(5) has them: no way leads out of the directory.
bool is_zone_name(const std::string& text) {
    const auto parts = split(text, '/');
    return std::ranges::none_of(
        parts, [](const std::string& part) { return part.empty() || part.starts_with('.'); });
}

/// Whether the file is one of tzfile(5): other files lie beside them.
bool is_zone_file(const std::string& path) {
    std::error_code none;
    std::array<char, 4> magic{};
    return fs::is_regular_file(path, none) && std::ifstream(path).read(magic.data(), 4) &&
           std::string_view(magic.data(), magic.size()) == "TZif";
}

} // namespace

std::string find_time_zone(const std::string& zone) {
    const bool is_local = zone == "local";
    if (!is_local && !is_zone_name(zone)) {
        throw bad_value("--tz", zone, "", "a name below /usr/share/zoneinfo, or local");
    }
    std::error_code none;
    fs::path file = fs::canonical(is_local ? "/etc/localtime" : zones + zone, none);
    if (is_local && none == std::errc::no_such_file_or_directory) {
        file = fs::canonical(zones + std::string("UTC"), none); // localtime(5)
    }
    if (none || !is_zone_file(file)) {
        Error error = bad_value("--tz",
                                zone,
                                is_local ? "/etc/localtime of this host is no time zone"
                                         : "this host knows no such time zone",
                                "a name below /usr/share/zoneinfo, or local");
        if (!fs::exists(zones, none)) {
            error.mend("install tzdata");
        }
        throw error;
    }
    return file;
}

} // namespace sctr::cli
