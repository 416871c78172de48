// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "host/facts.hpp"
#include "oci/spec.hpp"
#include "plan/init_plan.hpp"

namespace sctr::plan {

/// The credentials, limits and command of a process, from names to numbers.
/// `seccomp` is left for the caller, who knows whether the prepared default program serves.
/// Throws Error with the JSON pointer. Source: config.md, Process.
ProcessStep process_step(const oci::Process& process, const host::Facts& facts);

} // namespace sctr::plan
