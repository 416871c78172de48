// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <string>

#include "base/unique_fd.hpp"
#include "oci/spec.hpp"
#include "plan/cgroup_files.hpp"

/// A container without a unit, in a cgroup below that of the service that starts it. systemd has
/// delegated that tree (Delegate=), so whoever is in it makes cgroups, sets limits, freezes and
/// kills there. Source: systemd, docs/CGROUP_DELEGATION.md.
namespace sctr::container::nested {

/// True when a cgroup of the host ("/system.slice/web.service") is that of a unit whose tree
/// systemd has delegated, and this process is in it.
bool is_ours(const std::string& unit_cgroup);

/// Makes the cgroup with its limits, for the process that is to be born in it. A limit whose
/// controller the service does not have is passed over, as systemd does. Throws Error, and leaves
/// nothing then.
UniqueFd make(const plan::CgroupPlan& plan);

/// Moves a process of the same service into the cgroup. Throws Error.
void enter(const std::string& cgroup, pid_t pid);

/// Changes limits, and on request the devices that are allowed. Throws Error.
void update(const plan::CgroupPlan& plan, bool with_devices);

/// Waits until every process stands still, or goes on. Throws Error.
void freeze(const std::string& cgroup);
void thaw(const std::string& cgroup);

/// Kills what is in the cgroup and removes it and those below. Throws Error when it cannot.
void remove(const std::string& cgroup);

} // namespace sctr::container::nested
