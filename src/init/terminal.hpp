// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "plan/init_plan.hpp"

namespace sctr::init {

/// Makes a pty in the container's own devpts, sends its master to the host side, and makes the
/// other end stdin, stdout, stderr and the controlling terminal of this process; with
/// `mount_console` it becomes /dev/console too. Everything goes by fd: a symlink at /dev/pts/N or
/// /dev/console is never followed (CVE-2025-52565).
void attach_terminal(int root, const plan::ProcessStep& process, bool mount_console) noexcept;

} // namespace sctr::init
