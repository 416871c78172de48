// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "plan/init_plan.hpp"

namespace sctr::init {

/// Sets what the command inherits of this process: CPUs, scheduler, I/O priority, personality,
/// memory policy. Runs in the container's cgroup, while the process has its capabilities.
void set_scheduling(const plan::SchedulingStep& scheduling) noexcept;

} // namespace sctr::init
