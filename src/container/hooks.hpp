// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "container/record.hpp"
#include "linux/signals.hpp"
#include "oci/spec.hpp"
#include "oci/state.hpp"
#include "plan/init_plan.hpp"
#include "plan/request.hpp"

/// Hooks (runtime-spec, config.md, POSIX-platform Hooks), as far as the host side runs them: those
/// of the runtime namespace. createContainer and startContainer hooks are sctr-init's.
namespace sctr::container {

/// Where a hook's output goes: the files that the annotations run.oci.hooks.stdout and
/// run.oci.hooks.stderr name (as in crun), else a file in memory, whose end an error quotes.
struct HookOutput {
    UniqueFd out;
    UniqueFd err;
};

/// Throws Error when a named file cannot be opened.
HookOutput open_hook_output(const oci::Spec& spec);

/// Runs `hooks` in the order listed, in the bundle's directory, with the state as their stdin.
/// Stops at the first that fails: throws Error with its place (`kind` is "createRuntime", ...), its
/// path, how it ended and the end of what it wrote; or Interrupted.
void run_hooks(const char* kind,
               const std::vector<oci::Hook>& hooks,
               const oci::State& state,
               const HookOutput& output,
               const sys::SignalQueue& signals);

/// The state that hooks of this container get; each kind has its own status.
oci::State hook_state(const plan::Request& request, pid_t pid);
oci::State hook_state(const Record& record, const oci::Spec& config);

/// Gives the createContainer hooks without an environment of their own that of this process.
void give_environment(plan::InitPlan& plan);

/// Runs the prestart and the createRuntime hooks, for a process that holds before pivot_root.
void run_runtime_hooks(const oci::Spec& spec,
                       oci::State state,
                       const HookOutput& output,
                       const sys::SignalQueue& signals);

/// The files that sctr-init's own hooks need (plan::protocol::HookFile); none without such hooks.
std::vector<UniqueFd> files_for_init(const oci::Spec& spec, oci::State state, HookOutput output);

/// Runs the poststart hooks of a container whose command runs.
void run_poststart_hooks(const oci::Spec& spec, oci::State state, const sys::SignalQueue& signals);

/// Runs every poststop hook of a container that is gone; the failed ones are returned, since the
/// others run all the same (runtime.md, Lifecycle, step 13).
std::vector<Error> run_poststop_hooks(const oci::Spec& spec, oci::State state);

} // namespace sctr::container
