// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/scope_exit.hpp"
#include "container/engine.hpp"
#include "container/init_process.hpp"
#include "container/output_log.hpp"
#include "host/facts.hpp"
#include "linux/signals.hpp"
#include "plan/launch_plan.hpp"
#include "systemd/manager.hpp"

namespace sctr::container {

/// How a container is started.
struct LaunchOptions {
    bool interactive = false;     ///< its stdin is the caller's; else /dev/null
    bool supervised = true;       ///< this process waits for its end; else it is an engine's
    std::string pid_file;         ///< written when not empty
    std::string id_file;          ///< written when not empty; must not exist
    std::string state_root;       ///< whose dead containers are swept meanwhile; empty: none
    std::vector<int> inherited{}; ///< besides what the plan says, with their numbers
    std::string service_unit{};   ///< whose main process this is, if it is one's

    /// Connects its network namespace: begun as soon as the namespace is there, and ended before
    /// the container's hooks; empty where there is nothing to connect.
    std::function<void(pid_t)> begin_network{};
    std::function<void()> finish_network{};

    /// What is between the moment when the process is in its scope and success.
    std::function<void(InitProcess&)> finish;
};

/// A container whose command runs, held by its supervisor, or waits for `start`.
struct Running {
    InitProcess process;
    std::optional<systemd::Manager> manager; ///< of its scope, if it has one
    Record record;
    std::unique_ptr<OutputLog> output; ///< if it goes to the journal
};

/// Starts a container in its scope and carries out `finish`. On any failure the process is killed
/// and the scope ends with it. Throws Error, or Interrupted.
///
/// Files that it wrote for the caller are taken back by `undo`. `directory` holds the record and is
/// locked by the caller.
Running launch(systemd::EarlyBus bus,
               plan::LaunchPlan plan,
               const plan::Request& request,
               const LaunchOptions& options,
               const LockedRecord& directory,
               const sys::SignalQueue& signals,
               UndoList& undo);

/// What the plan may count on, on this host. Throws Error.
host::Facts facts_for(const plan::Request& request);

/// The same for those who set limits whether they can be enforced or not.
host::Facts facts_with_every_controller();

/// What is remembered of a request's config, for those that come after: exec, health checks.
oci::Spec config_to_keep(const plan::Request& request);

/// Opens the files behind namespace paths and notes their fds in the plan; sctr-init inherits them.
std::vector<UniqueFd> open_namespaces(plan::InitPlan& plan);

} // namespace sctr::container
