// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "oci/spec.hpp"

/// Judges what a config says as far as that needs no look at the host: every MUST of config.md and
/// config-linux.md (runtime-spec 1.3), and what the kernel refuses in any case. The first offence
/// is thrown as Error with the JSON pointer, what is wrong and what is valid.
///
/// Not judged here: mount options, mount destinations (relative ones are read as below /) and
/// capability names.
namespace sctr::oci {

/// Validates a container's config; process may be absent, as the spec allows until start.
void validate(const Spec& spec);

/// Validates a process by itself, as `exec --process` gives it.
void validate_process(const Process& process);

/// Validates resources by themselves, as `update --resources` gives them.
void validate_resources(const Resources& resources);

} // namespace sctr::oci
