// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/own_ids.hpp"

#include <algorithm>
#include <limits>

#include "base/strings.hpp"

namespace sctr::plan {

std::vector<oci::IdMapping>
own_id_map(const std::string& ranges, const IdOwner& owner, std::uint32_t own_id) {
    constexpr std::uint64_t ids = std::numeric_limits<std::uint32_t>::max(); // the last is no id
    std::vector<oci::IdMapping> map{{.container_id = 0, .host_id = own_id, .size = 1}};
    std::uint64_t next = 1;
    for (const std::string& line : split(ranges, '\n')) {
        const auto fields = split(line, ':');
        if (fields.size() != 3 ||
            (fields[0] != owner.name && fields[0] != std::to_string(owner.uid))) {
            continue;
        }
        const auto first = parse_uint(fields[1]);
        const auto count = parse_uint(fields[2]);
        if (!first || !count || *first >= ids || *count == 0) {
            continue;
        }
        const std::uint64_t size = std::min({*count, ids - *first, ids - next});
        map.push_back({.container_id = static_cast<std::uint32_t>(next),
                       .host_id = static_cast<std::uint32_t>(*first),
                       .size = static_cast<std::uint32_t>(size)});
        next += size;
    }
    return map;
}

std::vector<oci::IdMapping> keep_id_map(const std::vector<oci::IdMapping>& own, std::uint32_t id) {
    std::vector<oci::IdMapping> map;
    std::uint64_t next = 0;
    const auto place_himself = [&] {
        map.push_back({.container_id = id, .host_id = own.front().host_id, .size = 1});
        ++next;
    };
    for (std::size_t i = 1; i < own.size(); ++i) {
        std::uint64_t host_id = own[i].host_id;
        for (std::uint64_t rest = own[i].size; rest > 0;) {
            if (next == id) {
                place_himself();
            }
            const std::uint64_t size = next < id ? std::min(rest, id - next) : rest;
            map.push_back({.container_id = static_cast<std::uint32_t>(next),
                           .host_id = static_cast<std::uint32_t>(host_id),
                           .size = static_cast<std::uint32_t>(size)});
            next += size;
            host_id += size;
            rest -= size;
        }
    }
    if (next <= id) {
        place_himself();
    }
    return map;
}

std::optional<std::uint32_t> container_id(const std::vector<oci::IdMapping>& map,
                                          std::uint32_t host_id) {
    for (const oci::IdMapping& range : map) {
        if (host_id >= range.host_id && host_id - range.host_id < range.size) {
            return range.container_id + (host_id - range.host_id);
        }
    }
    return std::nullopt;
}

} // namespace sctr::plan
