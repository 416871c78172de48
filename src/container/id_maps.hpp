// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include "plan/launch_plan.hpp"

namespace sctr::container {

/// Writes the id maps of a new user namespace, in which `pid` is. Root writes them itself. A plain
/// user may map his own id alone; for ranges that /etc/subuid and /etc/subgid give him there are
/// newuidmap(1) and newgidmap(1). Throws Error.
void write_id_maps(pid_t pid, const plan::LaunchPlan& plan);

} // namespace sctr::container
