// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/id_map.hpp"

#include <algorithm>
#include <limits>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "plan/namespaces.hpp"

namespace sctr::plan {

namespace {

using Mappings = std::vector<oci::IdMapping>;

constexpr const char* form = "as idmap=uids=FILE-SHOWN-SIZE#FILE-SHOWN-SIZE;gids=...";

std::uint32_t parse_id(const std::string& text, const std::string& pointer) {
    const auto id = parse_uint(text);
    if (!id || *id > std::numeric_limits<std::uint32_t>::max()) {
        throw Error("'" + text + "' is not an id").at(pointer).mend(form);
    }
    return static_cast<std::uint32_t>(*id);
}

oci::IdMapping
parse_mapping(std::string text, const Mappings& containers, const std::string& pointer) {
    const bool relative = text.starts_with('@');
    text.erase(0, relative ? 1 : 0);
    const auto parts = split(text, '-');
    if (parts.size() != 3) {
        throw Error("'" + text + "' is not an id mapping").at(pointer).mend(form);
    }
    oci::IdMapping mapping{.container_id = parse_id(parts[0], pointer),
                           .host_id = parse_id(parts[1], pointer),
                           .size = parse_id(parts[2], pointer)};
    if (relative) {
        const auto host = host_id(containers, mapping.host_id);
        if (!host) {
            throw Error("id " + parts[1] + " has no mapping in the container's user namespace")
                .at(pointer);
        }
        mapping.host_id = *host;
    }
    return mapping;
}

/// "uids=...;gids=..." into lines; what is not named is the container's.
void parse_option_value(const std::string& value,
                        const oci::Spec& spec,
                        const std::string& pointer,
                        IdMap& map) {
    Mappings uids;
    Mappings gids;
    for (const std::string& part : split(value, ';')) {
        const auto [key, ranges] = split_once(part, '=');
        if ((key != "uids" && key != "gids") || !ranges) {
            throw Error("unknown id mapping '" + part + "'").at(pointer).mend(form);
        }
        const bool is_uids = key == "uids";
        for (const std::string& range : split(*ranges, '#')) {
            (is_uids ? uids : gids)
                .push_back(parse_mapping(
                    range, is_uids ? spec.linux.uid_mappings : spec.linux.gid_mappings, pointer));
        }
    }
    map.uid_map = map_lines(uids.empty() ? spec.linux.uid_mappings : uids);
    map.gid_map = map_lines(gids.empty() ? spec.linux.gid_mappings : gids);
    if (map.uid_map.empty() || map.gid_map.empty()) {
        throw Error("an id-mapped mount needs uids and gids")
            .at(pointer)
            .because("the container has no user namespace whose mappings could stand in");
    }
}

bool has_user_namespace(const oci::Spec& spec) {
    return std::ranges::contains(
        spec.linux.namespaces, oci::NamespaceType::user, &oci::Namespace::type);
}

} // namespace

bool is_id_map_option(const std::string& option) {
    const auto name = option.substr(0, option.find('='));
    return name == "idmap" || name == "ridmap";
}

std::optional<IdMap>
id_map_of(const oci::Mount& mount, const oci::Spec& spec, const std::string& pointer) {
    const auto last = std::ranges::find_last_if(mount.options, is_id_map_option);
    if (last.empty() && mount.uid_mappings.empty()) {
        return {};
    }
    IdMap map;
    const auto [name, value] = split_once(last.empty() ? "idmap" : last.front(), '=');
    map.recursive = name == "ridmap";
    if (value) {
        parse_option_value(*value, spec, pointer, map);
    } else if (!mount.uid_mappings.empty()) {
        map.uid_map = map_lines(mount.uid_mappings);
        map.gid_map = map_lines(mount.gid_mappings);
    } else if (!has_user_namespace(spec)) {
        throw Error("an id-mapped mount needs mappings")
            .at(pointer)
            .because("the container has no user namespace whose mappings could stand in")
            .mend("name them: uidMappings and gidMappings, or --uidmap and --gidmap for the whole "
                  "container");
    }
    return map;
}

std::optional<std::uint32_t> host_id(const std::vector<oci::IdMapping>& mappings,
                                     std::uint32_t id) {
    for (const oci::IdMapping& mapping : mappings) {
        if (id >= mapping.container_id && id - mapping.container_id < mapping.size) {
            return mapping.host_id + (id - mapping.container_id);
        }
    }
    return {};
}

} // namespace sctr::plan
