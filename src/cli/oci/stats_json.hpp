// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <nlohmann/json.hpp>

#include "container/cgroup_stats.hpp"

namespace sctr::cli::engine {

/// Statistics as `runc events` prints them: the names and units of cgroup v1, which its readers
/// know (nanoseconds; swap together with memory; no limit is 2^64-1). Numbers that cgroup v2 has no
/// word for are 0 or absent, as in runc.
nlohmann::ordered_json stats_json(const container::CgroupStats& stats);

} // namespace sctr::cli::engine
