// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "oci/spec.hpp"
#include "plan/init_plan.hpp"

namespace sctr::plan {

/// Scheduler, I/O priority, personality and memory policy, from names to numbers: what a process
/// inherits from sctr-init. Throws Error with the JSON pointer of what is unknown.
/// Source: config.md, Linux Process; config-linux.md, Personality and Memory policy.
SchedulingStep scheduling_step(const oci::Process& process, const oci::Linux& linux);

/// The CPUs of a list ("0-3,7") as the words of a mask, for sched_setaffinity(2) and
/// set_mempolicy(2); empty for an empty list. Throws Error at `pointer`.
std::vector<std::uint64_t> bit_mask(const std::string& list, const std::string& pointer);

} // namespace sctr::plan
