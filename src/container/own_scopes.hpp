// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/error.hpp"

namespace sctr::container {

struct Record;

/// True when this process may be the origin of processes in scopes of the caller's service manager:
/// the kernel wants the right to write to the cgroup that both are below. A plain user's login
/// session is not below his `systemd --user`. Source: cgroups(7), Delegation.
bool may_enter_own_scopes();

/// A failure of systemd to move a process into a unit, with the reason that systemd does not name:
/// the caller's `systemd --user` has lost the system's bus.
Error explained(Error failure);

/// Has systemd move a process, which still has the caller's uid, to where the container's init is,
/// or to `subgroup` below the container's own cgroup. Throws Error.
void move_to_container(const Record& record, pid_t pid, const std::optional<std::string>& subgroup);

} // namespace sctr::container
