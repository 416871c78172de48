// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/facts.hpp"
#include "plan/cgroup_files.hpp"
#include "plan/init_plan.hpp"
#include "plan/request.hpp"
#include "plan/seccomp.hpp"
#include "plan/unit.hpp"

namespace sctr::plan {

/// How the ids of a mount's files are shown. Source: config.md, Mounts, idmap and ridmap.
struct IdMap {
    bool recursive = false;
    std::string uid_map; ///< lines of a user namespace; empty: that of the container
    std::string gid_map;
};

/// A tree that the host side opens and hands to sctr-init, which may not reach it: in a user
/// namespace it is root over the container only.
struct HostTree {
    std::string where; ///< for messages
    std::string source;
    bool recursive = false;
    bool attach = false;    ///< put back on its own path, as the root of the container
    bool no_follow = false; ///< of a symlink, the link itself
    std::optional<IdMap> id_map = {};
    std::optional<DeviceStep> device = {};   ///< a node to make
    std::optional<OverlayStep> overlay = {}; ///< to mount, its directories' ids mapped
};

/// Everything that starting a container will do, decided beforehand.
struct LaunchPlan {
    UnitPlan unit;
    CgroupPlan cgroup;             ///< in place of the unit
    std::uint64_t clone_flags = 0; ///< of clone3: the pid and user namespaces, if new
    std::string uid_map; ///< lines for /proc/PID/uid_map; empty: no user namespace of its own
    std::string gid_map;
    int shared_memory_of = 0; ///< pid: its /dev/shm is what the bind at /dev/shm shows; 0: none
    InitPlan init;
    ContainerNetwork network; ///< what its network namespace is connected to
    /// In the order in which sctr-init takes them: the rootfs, the mounts, the devices, of those
    /// that are `from_host`.
    std::vector<HostTree> host_trees;
};

/// compile_seccomp as it is when nothing is known of earlier starts.
inline SeccompStep compile_seccomp_list(const oci::Seccomp& seccomp) {
    return compile_seccomp(seccomp, FilterLayout::list);
}

/// Decides how to start what was asked for. Pure, if `compile` is. Throws Error with the JSON
/// pointer or flag of what cannot be done on a host with these facts.
LaunchPlan make(const Request& request,
                const host::Facts& facts,
                const SeccompCompiler& compile = compile_seccomp_list);

/// The plan as JSON text for people (`--dry-run`): unit, properties, namespaces, mounts in order.
std::string describe(const LaunchPlan& plan);

} // namespace sctr::plan
