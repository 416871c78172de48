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

} // namespace sctr::plan
