// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/store_filter.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <array>

namespace sctr::cli {
namespace {

constexpr std::string_view yes_or_no = " true false ";

/// Without the zone, a second sorts before its own fractions.
std::string_view sortable(std::string_view time) {
    time.remove_suffix(time.ends_with('Z') ? 1 : 0);
    return time;
}

bool has_reference(const ImageRow& row, const std::string& value) {
    return std::ranges::any_of(
        row.names, [&](const std::string& name) { return fits_reference(name, value); });
}

constexpr std::array image_keys = {
    FilterKey<ImageRow>{"reference", has_reference, ""},
    FilterKey<ImageRow>{"dangling",
                        [](const ImageRow& row, const std::string& value) {
                            return row.names.empty() == (value == "true");
                        },
                        yes_or_no},
    FilterKey<ImageRow>{"label",
                        [](const ImageRow& row, const std::string& value) {
                            return has_such_label(row.image.config.labels, value);
                        },
                        ""},
    FilterKey<ImageRow>{"label!",
                        [](const ImageRow& row, const std::string& value) {
                            return !has_such_label(row.image.config.labels, value);
                        },
                        ""},
    FilterKey<ImageRow>{"before",
                        [](const ImageRow& row, const std::string& value) {
                            return sortable(row.image.created) < sortable(value);
                        },
                        ""},
    FilterKey<ImageRow>{"since",
                        [](const ImageRow& row, const std::string& value) {
                            return sortable(row.image.created) > sortable(value);
                        },
                        ""},
};

constexpr std::array volume_keys = {
    FilterKey<VolumeRow>{"name",
                         [](const VolumeRow& row, const std::string& value) {
                             return row.volume.name.contains(value);
                         },
                         ""},
    FilterKey<VolumeRow>{"label",
                         [](const VolumeRow& row, const std::string& value) {
                             return has_such_label(row.volume.labels, value);
                         },
                         ""},
    FilterKey<VolumeRow>{"label!",
                         [](const VolumeRow& row, const std::string& value) {
                             return !has_such_label(row.volume.labels, value);
                         },
                         ""},
    FilterKey<VolumeRow>{"dangling",
                         [](const VolumeRow& row, const std::string& value) {
                             return row.is_mounted == (value == "false");
                         },
                         yes_or_no},
    // There is no other, but scripts ask.
    FilterKey<VolumeRow>{
        "driver", [](const VolumeRow&, const std::string& value) { return value == "local"; }, ""},
};

} // namespace

bool fits_reference(const std::string& full_name, const std::string& pattern) {
    const auto last = full_name.rfind('/') + 1; // of npos: 0
    const std::string bare = full_name.substr(0, full_name.find_first_of("@:", last));
    for (const std::string& name : {full_name, bare}) {
        for (std::size_t start = 0; start != std::string::npos;) {
            if (::fnmatch(pattern.c_str(), name.c_str() + start, FNM_PATHNAME) == 0) {
                return true;
            }
            const auto slash = name.find('/', start);
            start = slash == std::string::npos ? slash : slash + 1;
        }
    }
    return false;
}

Filter<ImageRow> image_filter(const std::vector<std::string>& texts) {
    return {texts, image_keys};
}

Filter<VolumeRow> volume_filter(const std::vector<std::string>& texts) {
    return {texts, volume_keys};
}

} // namespace sctr::cli
