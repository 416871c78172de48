// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

namespace sctr::sys {

/// Lets the kernel begin early what the move of a process between cgroups has to wait for: an RCU
/// grace period of 8 to 12 ms, after which its lock is cheap to take for about as long again
/// (cgroup_threadgroup_rwsem, a percpu_rw_semaphore). A grandchild moves itself to where it is, and
/// so changes nothing; where that is not allowed, the start takes as long as it would. Nobody has
/// to wait for it: the caller's child is reaped here, and it is an orphan.
void warm_cgroup_lock() noexcept;

} // namespace sctr::sys
