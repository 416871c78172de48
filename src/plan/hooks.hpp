// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "oci/spec.hpp"
#include "plan/init_plan.hpp"

namespace sctr::plan {

/// The hooks that sctr-init runs, and whether anything else needs it to hold before pivot_root.
/// Source: config.md, POSIX-platform Hooks.
void add_hooks(const oci::Spec& spec, InitPlan& plan);

} // namespace sctr::plan
