// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "oci/spec.hpp"

namespace sctr::container {

/// How the containers of this caller map ids when nothing is said; empty for root, who needs none.
struct OwnIds {
    std::vector<oci::IdMapping> uids;
    std::vector<oci::IdMapping> gids;
};

/// By /etc/subuid and /etc/subgid; what cannot be read gives nothing.
OwnIds own_ids();

/// Writes the id maps (lines as of user_namespaces(7)) of a new user namespace, in which `pid` is.
/// Root writes them itself. A plain user may map his own id alone; for ranges that /etc/subuid and
/// /etc/subgid give him there are newuidmap(1) and newgidmap(1). Throws Error.
void write_id_maps(pid_t pid, const std::string& uid_map, const std::string& gid_map);

} // namespace sctr::container
