// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cli/rootfs_facts.hpp"
#include "cli/run_flags.hpp"
#include "oci/spec.hpp"

namespace sctr::cli {

/// The process of `sctr exec`: the container's own with what the flags change. Pure.
/// Throws Error that names flag, value and the valid form.
oci::Process exec_process(const oci::Spec& config,
                          const ProcessFlags& flags,
                          const std::vector<std::string>& command,
                          const RootfsFacts& facts);

} // namespace sctr::cli
