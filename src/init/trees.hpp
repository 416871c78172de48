// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "plan/init_plan.hpp"

/// The trees that must be cloned before this mount namespace becomes a slave of the host's, or that
/// only the host side can reach.
namespace sctr::init {

/// Fills in the tree fds of the plan. The steps that have one own it.
void collect_trees(plan::InitPlan& plan) noexcept;

} // namespace sctr::init
