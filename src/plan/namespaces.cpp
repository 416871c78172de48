// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/namespaces.hpp"

#include <sched.h>

#include "base/error.hpp"

namespace sctr::plan {

std::string map_lines(const std::vector<oci::IdMapping>& mappings) {
    std::string lines;
    for (const oci::IdMapping& mapping : mappings) {
        lines += std::to_string(mapping.container_id) + " " + std::to_string(mapping.host_id) +
                 " " + std::to_string(mapping.size) + "\n";
    }
    return lines;
}

namespace {

void plan_new_user_namespace(const oci::Spec& spec, LaunchPlan& plan) {
    plan.clone_flags |= CLONE_NEWUSER;
    plan.uid_map = map_lines(spec.linux.uid_mappings);
    plan.gid_map = map_lines(spec.linux.gid_mappings);
    if (plan.uid_map.empty() || plan.gid_map.empty()) {
        throw Error("a new user namespace needs id mappings")
            .at("/linux/uidMappings")
            .mend("give --uidmap and --gidmap, for example 0:100000:65536");
    }
    plan.init.wait_for_id_maps = true;
}

} // namespace

std::uint64_t clone_flag(oci::NamespaceType type) {
    switch (type) {
    case oci::NamespaceType::pid:
        return CLONE_NEWPID;
    case oci::NamespaceType::network:
        return CLONE_NEWNET;
    case oci::NamespaceType::mount:
        return CLONE_NEWNS;
    case oci::NamespaceType::ipc:
        return CLONE_NEWIPC;
    case oci::NamespaceType::uts:
        return CLONE_NEWUTS;
    case oci::NamespaceType::user:
        return CLONE_NEWUSER;
    case oci::NamespaceType::cgroup:
        return CLONE_NEWCGROUP;
    case oci::NamespaceType::time:
        return CLONE_NEWTIME;
    }
    return 0;
}

void add_namespaces(const oci::Spec& spec, LaunchPlan& plan) {
    bool has_mount = false;
    bool joins_user = false;
    for (const oci::Namespace& space : spec.linux.namespaces) {
        has_mount = has_mount || space.type == oci::NamespaceType::mount;
        if (space.type == oci::NamespaceType::user && space.path.empty()) {
            plan_new_user_namespace(spec, plan);
            continue;
        }
        joins_user = joins_user || space.type == oci::NamespaceType::user;
        plan.init.namespaces.push_back(
            {.clone_flag = clone_flag(space.type), .join_path = space.path});
    }
    if (!has_mount) {
        throw Error("a container needs a mount namespace")
            .at("/linux/namespaces")
            .because("without one its mounts would be the host's");
    }
    for (NamespaceStep& step : plan.init.namespaces) {
        if (step.clone_flag != CLONE_NEWPID) {
            continue;
        }
        const bool joins_pid = !step.join_path.empty();
        if (joins_pid || joins_user) {
            // Both are taken by children only, and a pid namespace must belong to the joined user
            // namespace for /proc to be mountable.
            plan.init.fork_after_join = true;
            plan.init.fork_flags = joins_pid ? 0 : CLONE_NEWPID;
        } else {
            plan.clone_flags |= CLONE_NEWPID;
        }
    }
    for (const auto& [clock, offset] : spec.linux.time_offsets) {
        plan.init.time_offsets.push_back(clock + " " + std::to_string(offset.secs) + " " +
                                         std::to_string(offset.nanosecs));
    }
}

} // namespace sctr::plan
