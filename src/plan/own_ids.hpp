// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
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

} // namespace sctr::plan
