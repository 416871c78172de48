// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/own_scopes.hpp"

#include <unistd.h>

#include <array>
#include <string>

#include "base/strings.hpp"
#include "container/usage.hpp"
#include "host/caller.hpp"
#include "linux/procfs.hpp"
#include "plan/cgroups_path.hpp"
#include "systemd/manager.hpp"
#include "systemd/user_manager.hpp"

namespace sctr::container {

bool may_enter_own_scopes() {
    const host::Caller& caller = host::caller();
    return caller.is_system ||
           sys::cgroup_of(::getpid()).starts_with(host::user_manager_cgroup(caller) + "/");
}

Error explained(Error failure) {
    const host::Caller& caller = host::caller();
    try {
        if (!may_enter_own_scopes() && systemd::is_cut_off(caller.uid)) {
            failure
                .because("your systemd is cut off from the system's bus, which was restarted, and "
                         "cannot move the process")
                .mend(systemd::mend_of_cut_off);
        }
    } catch (const Error&) {
        // Then systemd's own words must do.
    }
    return failure;
}

void move_to_container(const Record& record,
                       pid_t pid,
                       const std::optional<std::string>& subgroup) {
    // Init may be in a cgroup below the scope's: processes are in the leaves only.
    const std::string own = own_cgroup(record);
    std::string cgroup = subgroup ? own : sys::cgroup_of(record.pid);
    for (const std::string& part : split(subgroup.value_or(""), '/')) {
        cgroup += part.empty() ? "" : "/" + part;
    }
    const std::string unit_cgroup =
        is_nested(record) ? plan::cgroup_of_unit_above(own).value_or("") : own;
    const std::string unit = plan::unit_of_cgroup(unit_cgroup);
    try {
        systemd::Manager(systemd::own_instance())
            .attach_processes(unit, cgroup.substr(unit_cgroup.size()), std::array{pid});
    } catch (const Error& failure) {
        throw explained(failure);
    }
}

} // namespace sctr::container
