// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "oci/spec.hpp"
#include "plan/launch_plan.hpp"

namespace sctr::plan {

/// The option idmap or ridmap, alone or with "=MAPS" as crun and podman have it.
bool is_id_map_option(const std::string& option);

/// How the ids of a mount's files are to be shown; nothing when they are to stay as they are.
///
/// Mappings are the mount's own, those in the option ("idmap=uids=FILE-SHOWN-SIZE#...;gids=...",
/// "@" before FILE: SHOWN is an id in the container), or else the container's. `pointer` is the
/// mount's, for the Error that says what is wrong with them.
/// Source: config.md, Mounts; crun(1), idmap mount options.
std::optional<IdMap>
id_map_of(const oci::Mount& mount, const oci::Spec& spec, const std::string& pointer);

/// The id on the host that stands for `id` of the container; nothing when it is not mapped.
std::optional<std::uint32_t> host_id(const std::vector<oci::IdMapping>& mappings, std::uint32_t id);

} // namespace sctr::plan
