// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "plan/init_plan.hpp"

namespace sctr::init {

/// Device nodes and the links of /dev.
void make_devices(int root, const plan::InitPlan& plan) noexcept;

} // namespace sctr::init
