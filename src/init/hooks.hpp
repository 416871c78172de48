// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>
#include <vector>

#include "base/unique_fd.hpp"
#include "plan/init_plan.hpp"

namespace sctr::init {

/// What hooks get as their standard fds.
struct HookIo {
    int state = -1;
    int out = -1;
    int err = -1;
};

/// The hooks to run as the container's user, right before the command.
struct StartHooks {
    std::span<const plan::HookStep> steps = {};
    HookIo io = {};
};

/// What a hook's process does to itself before it executes.
struct HookBirth {
    void (*prepare)(const void* context) noexcept = nullptr;
    const void* context = nullptr;
};

/// Runs hooks one after the other; the first that fails ends this process with its message.
void run_hooks(std::span<const plan::HookStep> hooks,
               const HookIo& io,
               const HookBirth& birth) noexcept;

/// Runs the createContainer hooks: the container's namespaces, the host's tree, the container's
/// root as the working directory (as in runc). `files` came with `go`.
void run_create_container_hooks(const plan::InitPlan& plan,
                                const std::vector<UniqueFd>& files,
                                int root) noexcept;

/// The startContainer hooks with what they need of `files`, which came with `go`.
StartHooks start_hooks(const plan::InitPlan& plan, const std::vector<UniqueFd>& files) noexcept;

} // namespace sctr::init
