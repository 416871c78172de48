// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "oci/spec.hpp"

namespace sctr::plan {

/// Whose ids a plain user has besides his own: a line of /etc/subuid or /etc/subgid may name him
/// either way.
struct IdOwner {
    std::string name;
    std::uint32_t uid = 0;
};

/// How a plain user's containers map ids when he says nothing: root is he himself (`own_id`), and
/// from 1 on it is the ranges that `ranges`, the text of /etc/subuid or /etc/subgid, gives him, as
/// with podman. What is malformed there is passed over. Source: subuid(5).
std::vector<oci::IdMapping>
own_id_map(const std::string& ranges, const IdOwner& owner, std::uint32_t own_id);

/// Who a plain user is in a container in which he is not root (--userns keep-id).
struct KeptIds {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;

    bool operator==(const KeptIds&) const = default;
};

/// The ids of `own`, as own_id_map gives them, in another order: `id` of the container is the user
/// himself, and all others are his subordinate ids from the first on, as with podman.
/// Source: podman-run(1), --userns keep-id.
std::vector<oci::IdMapping> keep_id_map(const std::vector<oci::IdMapping>& own, std::uint32_t id);

/// What the container calls an id of the host; nothing when it is not mapped.
std::optional<std::uint32_t> container_id(const std::vector<oci::IdMapping>& map,
                                          std::uint32_t host_id);

} // namespace sctr::plan
