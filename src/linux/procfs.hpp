// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace sctr::sys {

/// The whole of a small file; nothing when it cannot be read.
std::optional<std::string> read_small_file(const std::string& path);

/// When a process started, in clock ticks since boot; nothing when it is gone or a zombie.
/// With the pid it names a process for good. Source: proc_pid_stat(5), field 22.
std::optional<std::uint64_t> process_start_time(pid_t pid);

/// A name for this boot of this host. Source: random(4), boot_id.
std::string boot_id();

/// The number of a process in its own pid namespace; 0 when it is gone.
/// Source: proc_pid_status(5), NSpid.
pid_t innermost_pid(pid_t pid);

/// The cgroup v2 path of a process, relative to the hierarchy's root as this process sees it;
/// empty when it is gone. Source: cgroups(7), /proc/PID/cgroup.
std::string cgroup_of(pid_t pid);

} // namespace sctr::sys
