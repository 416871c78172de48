// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/rules.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/strings.hpp"

namespace sctr::oci {
namespace {

/// Throws when two ranges of ids share one. The member is where the ranges start.
void require_disjoint(const Place& place,
                      std::vector<IdMapping> mappings,
                      std::uint32_t IdMapping::* start) {
    std::ranges::sort(mappings, {}, start);
    for (std::size_t i = 1; i < mappings.size(); ++i) {
        const auto& before = mappings[i - 1];
        const auto first = mappings[i].*start;
        require(first - before.*start >= before.size,
                place,
                "two mappings contain the " +
                    std::string(start == &IdMapping::host_id ? "host" : "container") + " id " +
                    std::to_string(first) + "; every id may be mapped once");
    }
}

} // namespace

void reject(const Place& place, const std::string& why) {
    throw Error("invalid config").at(place.pointer()).because(why);
}

void require(bool holds, const Place& place, const std::string& why) {
    if (!holds) {
        reject(place, why);
    }
}

void require_one_of(const Place& place, const std::string& value, Words valid) {
    if (std::ranges::find(valid, value) != valid.end()) {
        return;
    }
    const std::vector<std::string> words(valid.begin(), valid.end());
    reject(place, "\"" + value + "\" is not valid; valid: " + join(words, ", "));
}

void require_each_of(const Place& place, const std::vector<std::string>& values, Words valid) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        require_one_of(Place(place, i), values[i], valid);
    }
}

void require_range(const Place& place,
                   std::int64_t value,
                   std::int64_t lowest,
                   std::int64_t highest) {
    if (value < lowest || value > highest) {
        reject(place,
               std::to_string(value) + " is out of range; valid: " + std::to_string(lowest) +
                   " to " + std::to_string(highest));
    }
}

void require_absolute(const Place& place, const std::string& path) {
    if (!path.starts_with('/')) {
        reject(place, "\"" + path + "\" is not an absolute path");
    }
}

void require_absolute(const Place& place, const std::vector<std::string>& paths) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
        require_absolute(Place(place, i), paths[i]);
    }
}

void require_cpu_list(const Place& place, const std::string& list) {
    if (!list.empty() && !parse_cpu_list(list)) {
        reject(place, "\"" + list + "\" is not a list of numbers and ranges such as 0-3,7");
    }
}

void check_id_mappings(const Place& place, const std::vector<IdMapping>& mappings) {
    constexpr std::size_t most = 340; // UID_GID_MAP_MAX_EXTENTS of the kernel
    // The kernel keeps 4294967295 for "no id".
    constexpr std::uint64_t end = 4294967295;
    require(mappings.size() <= most,
            place,
            std::to_string(mappings.size()) + " mappings; the kernel takes at most " +
                std::to_string(most));
    for (std::size_t i = 0; i < mappings.size(); ++i) {
        const Place mapping(place, i);
        const std::uint64_t size = mappings[i].size;
        require(size > 0, Place(mapping, "size"), "0 ids; a mapping has at least one");
        require(mappings[i].container_id + size <= end && mappings[i].host_id + size <= end,
                mapping,
                "ends above the highest id, 4294967294");
    }
    require_disjoint(place, mappings, &IdMapping::container_id);
    require_disjoint(place, mappings, &IdMapping::host_id);
}

const Namespace* find_namespace(const Linux& linux, NamespaceType type) {
    const auto found = std::ranges::find(linux.namespaces, type, &Namespace::type);
    return found == linux.namespaces.end() ? nullptr : &*found;
}

} // namespace sctr::oci
