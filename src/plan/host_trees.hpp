// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "host/facts.hpp"
#include "oci/spec.hpp"
#include "plan/launch_plan.hpp"

namespace sctr::plan {

/// True when the container's root is not the host's.
bool in_user_namespace(const LaunchPlan& plan);

/// Decides which trees the host side opens: in a user namespace all of them, since its root may
/// not pass the host's directories nor make nodes; elsewhere those whose ids are mapped.
/// Expects the steps of mount_steps and add_devices in the plan. Throws Error.
void add_host_trees(const oci::Spec& spec, const host::Facts& facts, LaunchPlan& plan);

} // namespace sctr::plan
