// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "oci/spec.hpp"
#include "plan/launch_plan.hpp"

namespace sctr::plan {

/// Fills in how each namespace comes to be: by clone3, by unshare in sctr-init, or joined by path;
/// the id maps; the time offsets. Source: config-linux.md, Namespaces; clone(2); setns(2).
void add_namespaces(const oci::Spec& spec, LaunchPlan& plan);

/// The mappings as lines of /proc/PID/uid_map; user_namespaces(7).
std::string map_lines(const std::vector<oci::IdMapping>& mappings);

/// CLONE_NEW* of a namespace type.
std::uint64_t clone_flag(oci::NamespaceType type);

} // namespace sctr::plan
