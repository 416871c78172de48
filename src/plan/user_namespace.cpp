// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/user_namespace.hpp"

#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "plan/host_trees.hpp"
#include "plan/id_map.hpp"

namespace sctr::plan {

namespace {

bool has_namespace(const LaunchPlan& plan, std::uint64_t flag) {
    return std::ranges::contains(plan.init.namespaces, flag, &NamespaceStep::clone_flag);
}

/// A user namespace may mount cgroup2 only with a cgroup namespace of its own. The host's tree must
/// not be writable to it (CVE-2023-25809).
void bind_foreign_cgroups(MountStep& step) {
    step.kind = MountKind::bind;
    step.source = "/sys/fs/cgroup";
    step.fstype.clear();
    step.recursive = true;
    step.recursive_attr_set |= MOUNT_ATTR_RDONLY;
    step.attr_clear = 0;
    step.propagation = MS_PRIVATE | MS_REC;
}

bool has_tty_group(const oci::Spec& spec, const host::Facts& facts, const LaunchPlan& plan) {
    constexpr std::uint32_t tty_group = 5;
    if ((plan.clone_flags & CLONE_NEWUSER) != 0) {
        return host_id(spec.linux.gid_mappings, tty_group).has_value();
    }
    return facts.has_tty_group || has_namespace(plan, CLONE_NEWUSER); // a joined one: who knows
}

} // namespace

void fit_to_user_namespace(const oci::Spec& spec, const host::Facts& facts, LaunchPlan& plan) {
    if (!facts.is_root && !in_user_namespace(plan)) {
        throw Error("cannot run a container without a user namespace")
            .at("/linux/namespaces")
            .because("the caller is not root")
            .mend("add one with mappings, as `sctr-oci spec --rootless` writes it (people: "
                  "--uidmap), or run as root");
    }
    if (!facts.in_user_namespace && !in_user_namespace(plan)) {
        return;
    }
    for (MountStep& step : plan.init.mounts) {
        if (step.kind == MountKind::cgroup && !has_namespace(plan, CLONE_NEWCGROUP)) {
            bind_foreign_cgroups(step);
        } else if (step.fstype == "sysfs") {
            step.bind_if_refused = "/sys";
        } else if (step.fstype == "mqueue") {
            step.bind_if_refused = "/dev/mqueue";
        } else if (step.fstype == "devpts" && !has_tty_group(spec, facts, plan)) {
            std::erase(step.data, "gid=5");
        }
    }
}

} // namespace sctr::plan
