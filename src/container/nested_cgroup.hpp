// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/scope_exit.hpp"
#include "base/unique_fd.hpp"
#include "oci/spec.hpp"
#include "plan/cgroup_files.hpp"

/// A container without a unit, in a cgroup below that of the service that starts it. systemd has
/// delegated that tree (Delegate=), so whoever is in it makes cgroups, sets limits, freezes and
/// kills there. Source: systemd, docs/CGROUP_DELEGATION.md.
namespace sctr::container::nested {

/// True when a cgroup of the host ("/system.slice/web.service") is that of a unit whose tree
/// systemd has delegated to the account that this process runs as, and this process is in it.
bool is_ours(const std::string& unit_cgroup);

struct Cgroup {
    UniqueFd directory;
    std::uint64_t id = 0; ///< its inode, which no later cgroup has
};

/// Makes the cgroup with its limits, for the process that is to be born in it, and says how to take
/// it back, with those above it that were not there. A limit whose controller the service does not
/// have is passed over, as systemd does. Throws Error, also when there is a cgroup of that path
/// with processes in it.
Cgroup make(const plan::CgroupPlan& plan, UndoList& undo);

/// Moves a process of the same service into the cgroup. Throws Error.
void enter(const std::string& cgroup, pid_t pid);

/// Changes limits, and on request the devices that are allowed. Throws Error.
void update(const plan::CgroupPlan& plan, bool with_devices);

/// Waits until every process stands still, or goes on. Throws Error.
void freeze(const std::string& cgroup);
void thaw(const std::string& cgroup);

/// Kills what is in the cgroup and removes it and those below, if it is still the one with that
/// inode (0: any). Throws Error when it cannot.
void remove(const std::string& cgroup, std::uint64_t id);

} // namespace sctr::container::nested
