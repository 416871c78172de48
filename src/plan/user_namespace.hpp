// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "host/facts.hpp"
#include "oci/spec.hpp"
#include "plan/launch_plan.hpp"

namespace sctr::plan {

/// Changes the mounts to what the kernel lets a user namespace have, be it the container's own or
/// that of the caller (rootless podman); elsewhere it changes nothing.
///
/// - Without a cgroup namespace of its own it gets the host's cgroup tree, read-only.
/// - sysfs and mqueue show a network and an ipc namespace. Where these are not the user
///   namespace's own, the kernel refuses; then it is the host's mount that is bound.
/// - A devpts whose group (gid=5) has no mapping goes without it, as with crun.
///
/// Throws Error when a plain user asks for a container without a user namespace.
void fit_to_user_namespace(const oci::Spec& spec, const host::Facts& facts, LaunchPlan& plan);

} // namespace sctr::plan
