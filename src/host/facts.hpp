// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace sctr::host {

/// What the plan needs to know of this host; probed once, passed by value, faked in tests.
struct Facts {
    bool is_root = false;              ///< over its own user namespace at least
    bool is_rootless = false;          ///< its scopes are made by a `systemd --user`
    bool in_user_namespace = false;    ///< in another one than the host's first process
    bool has_tty_group = true;         ///< group 5 has an id in the caller's user namespace
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
