// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "plan/init_plan.hpp"

/// The container's mount tree. Each mount is made detached, given all of its attributes, and only
/// then attached to an fd that was resolved inside the root: it never shows with weaker flags, and
/// its place cannot be swapped between check and use.
namespace sctr::init {

/// Clones the tree that a bind mount is of, as this mount namespace has it.
UniqueFd clone_tree(const plan::MountStep& step) noexcept;

/// Makes the rootfs a mount of its own in a private mount namespace; returns the fd of its root.
UniqueFd mount_rootfs(const plan::InitPlan& plan) noexcept;

/// Mounts one step below `root`.
void mount_one(int root, const plan::MountStep& step) noexcept;

/// Mounts what does not need the container's cgroup namespace, and returns the rest, in order:
/// the cgroup mounts and what lies below them.
std::vector<plan::MountStep>
mount_all_but_cgroup(int root, const std::vector<plan::MountStep>& mounts) noexcept;

/// Masks and protects paths, makes the root read-only if asked, makes it the root of this mount
/// namespace, and detaches the host's tree.
void finish_root(int root, const plan::InitPlan& plan) noexcept;

} // namespace sctr::init
