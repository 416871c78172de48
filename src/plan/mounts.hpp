// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "oci/spec.hpp"
#include "plan/init_plan.hpp"

namespace sctr::plan {

/// The mounts of an OCI config in their order. Options become attributes, propagation and file
/// system data; the last of two that contradict each other wins, as mount(8) has it.
/// Throws Error with the JSON pointer for an option that cannot be honoured.
/// Without SELinux a mount label has no meaning, and the kernel would refuse the option.
/// Source: config.md, Mounts; config-linux.md, Linux mount options; mount_setattr(2).
std::vector<MountStep> mount_steps(const oci::Spec& spec, bool has_selinux = true);

/// Every option that mount_steps() understands by itself, sorted; others go to the file system.
std::vector<std::string> mount_option_names();

/// Lets a new tmpfs, and /dev, become read-only only when there is nothing left to be made in it:
/// devices, mount points, what tmpcopyup brings.
void defer_readonly(InitPlan& plan);

/// MS_* for the root mount, to be set when everything else is done; 0: it stays private. As in
/// runc, "private" is what it is anyway. Source: config-linux.md, Rootfs Mount Propagation.
std::uint64_t root_propagation(const oci::Spec& spec);

/// The devices that every container has and those of the config, with the links of /dev; nothing
/// when the container gets the host's /dev.
/// Source: config-linux.md, Default Devices; runtime-linux.md, Dev symbolic links.
void add_devices(const oci::Spec& spec, InitPlan& plan);

} // namespace sctr::plan
