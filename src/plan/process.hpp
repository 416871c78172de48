// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "host/facts.hpp"
#include "oci/spec.hpp"
#include "plan/init_plan.hpp"

namespace sctr::plan {

/// The credentials, limits and command of a process, from names to numbers; `spec` is the config of
/// the container, which is not always the source of `process`.
/// `seccomp` is left for the caller, who knows whether the prepared default program serves.
/// Throws Error with the JSON pointer. Source: config.md, Process.
ProcessStep
process_step(const oci::Process& process, const oci::Spec& spec, const host::Facts& facts);

/// The process of an exec, with the container's own confinement and limits where it says nothing of
/// them, as in runc: an exec that leaves a profile out must not get out of it.
oci::Process inherit_from_container(oci::Process process, const oci::Process& container);

/// The CPUs on which an exec runs in the end, as a mask; empty: as it inherits them.
/// Source: config.md, execCPUAffinity.
std::vector<std::uint64_t> exec_cpus(const oci::Process& process);

} // namespace sctr::plan
