// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "plan/init_plan.hpp"

namespace sctr::init {

/// Device nodes and the links of /dev.
void make_devices(int root, const plan::InitPlan& plan) noexcept;

/// Standard fds that are the null device become the container's own one, where it has it: the
/// host's would tie the container to a mount outside.
void reopen_null() noexcept;

} // namespace sctr::init
