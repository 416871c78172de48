// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/scope_exit.hpp"
#include "container/engine.hpp"
#include "container/init_process.hpp"
#include "linux/signals.hpp"
#include "plan/launch_plan.hpp"
#include "systemd/manager.hpp"

namespace sctr::container {

/// A container whose command runs, held by its supervisor.
struct Running {
    InitProcess process;
    systemd::Manager manager;
    Record record;
};

/// Starts a container in its scope. On any failure the process is killed and the scope ends with
/// it. Throws Error, or Interrupted.
///
/// Files that it wrote for the caller are taken back by `undo`. `directory` holds the record and is
/// locked by the caller.
Running launch(systemd::EarlyBus bus,
               plan::LaunchPlan plan,
               const plan::Request& request,
               const RunOptions& options,
               const LockedRecord& directory,
               const sys::SignalQueue& signals,
               UndoList& undo);

/// Opens the files behind namespace paths and notes their fds in the plan; sctr-init inherits them.
std::vector<UniqueFd> open_namespaces(plan::InitPlan& plan);

} // namespace sctr::container
