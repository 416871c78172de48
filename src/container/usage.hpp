// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "container/cgroup_stats.hpp"
#include "container/record.hpp"
#include "network/traffic.hpp"

namespace sctr::container {

/// What a container has used up to one moment.
struct Usage {
    std::string id;
    std::string unit;
    std::set<std::string> controllers; ///< that count for its cgroup: "memory", "pids", ...
    CgroupStats stats;
    /// What its unit has counted, or else what its own network namespace has.
    std::optional<network::Traffic> traffic{};
    bool is_unit_traffic = false;
    std::chrono::steady_clock::time_point taken;
};

/// The part of a cgroup path up to and with the cgroup of `unit`: an init system in a container
/// moves itself below it. Empty when the path does not lead through such a cgroup.
[[nodiscard]] std::string cgroup_of_unit(std::string_view path, std::string_view unit);

/// The cgroup of a container, "/sctr.slice/..."; empty when it has ended or has none of its own.
[[nodiscard]] std::string own_cgroup(const Record& record);

/// The pids in a cgroup ("/sctr.slice/...") and below it, in order.
[[nodiscard]] std::vector<pid_t> processes_of_cgroup(const std::string& cgroup);

/// What the cgroup of a unit has used; nothing when it is gone.
[[nodiscard]] std::optional<Usage>
usage_of_cgroup(const std::string& id, const std::string& unit, const std::string& cgroup);

/// Nothing when the container has ended, or has no cgroup of its own.
[[nodiscard]] std::optional<Usage> usage_of(const Record& record);

} // namespace sctr::container
