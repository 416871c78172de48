// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <string>

#include "oci/spec.hpp"

/// Cgroups below a container's scope, which is delegated to whoever makes them (as crun's
/// annotations run.oci.systemd.subgroup and run.oci.delegate-cgroup). Limits are those of the
/// scope.
namespace sctr::container {

/// Names of cgroups below the scope; empty: none. Throws Error for what is no path below it.
struct Subgroups {
    std::string own;       ///< where init is, and the root of its cgroup namespace
    std::string delegated; ///< below `own`: where init goes before its command runs
};

Subgroups subgroups_of(const oci::Spec& spec);

/// Makes `subgroup` below the cgroup of `pid`, with every controller that there is, and moves it
/// there. `owner` may make cgroups in it; -1: only root. Throws Error.
void enter_subgroup(pid_t pid, const std::string& subgroup, uid_t owner);

/// Who the container's root is on the host; -1 without a user namespace of its own.
uid_t host_root(const oci::Spec& spec);

} // namespace sctr::container
