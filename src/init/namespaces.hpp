// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "plan/init_plan.hpp"

namespace sctr::init {

/// Becomes id 0 of the user namespace that was just entered: host ids have no meaning there.
void become_namespace_root() noexcept;

/// Joins the user and the pid namespace of `plan` where it names existing ones. Both take full
/// effect only for a child: see continue_in_child.
void join_owning_namespaces(const plan::InitPlan& plan) noexcept;

/// Goes on in a child born with `clone_flags`, which the host side gets a pidfd of; the caller's
/// process ends.
void continue_in_child(std::uint64_t clone_flags) noexcept;

/// Joins and makes the other namespaces of `plan`, all but the cgroup namespace, which must wait
/// until systemd has put this process into its scope. `proc` is the host's /proc.
void enter_namespaces(const plan::InitPlan& plan, int proc) noexcept;

/// Makes or joins the cgroup namespace, if the plan has one.
void enter_cgroup_namespace(const plan::InitPlan& plan) noexcept;

/// Host name, domain name and sysctls, which belong to the namespaces just entered.
void configure_namespaces(const plan::InitPlan& plan, int proc) noexcept;

} // namespace sctr::init
