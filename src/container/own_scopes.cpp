// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/own_scopes.hpp"

#include <unistd.h>

#include <array>
#include <string>

#include "container/record.hpp"
#include "host/caller.hpp"
#include "linux/procfs.hpp"
#include "systemd/manager.hpp"

namespace sctr::container {

bool may_enter_own_scopes() {
    const host::Caller& caller = host::caller();
    return caller.is_system ||
           sys::cgroup_of(::getpid()).starts_with(host::user_manager_cgroup(caller) + "/");
}

void move_to_container(const Record& record, pid_t pid) {
    // Init may be in a cgroup below the scope's: processes are in the leaves only.
    const std::string cgroup = sys::cgroup_of(record.pid);
    const std::string scope = "/" + record.unit;
    const auto found = cgroup.find(scope + "/");
    systemd::Manager(systemd::own_instance())
        .attach_processes(record.unit,
                          found == std::string::npos ? "" : cgroup.substr(found + scope.size()),
                          std::array{pid});
}

} // namespace sctr::container
