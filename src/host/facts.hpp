// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace sctr::host {

/// What the plan needs to know of this host; probed once, passed by value, faked in tests.
struct Facts {
    bool is_root = false;
    std::set<std::string> controllers; ///< of the cgroup in which the scope is made
    std::string cgroup_root = "/sys/fs/cgroup";
    bool has_apparmor = false;
    bool has_selinux = false;
    bool has_resctrl = false;           ///< mounted at /sys/fs/resctrl
    std::uint64_t last_capability = 40; ///< highest capability the kernel knows
};

/// Probes the running system. Throws Error when it is not one that sctr supports
/// (no cgroup v2, no systemd as init).
Facts probe();

} // namespace sctr::host
