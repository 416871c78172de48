// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "container/record.hpp"
#include "oci/spec.hpp"
#include "plan/request.hpp"

/// What can be done to containers: one function a verb. The people's and the engines' command
/// lines both end here.
namespace sctr::container {

struct RunOptions {
    bool interactive = false; ///< the caller's stdin goes to the container; else /dev/null
    bool remove = true;       ///< forget the container when it ends
    std::string pid_file;
    std::string id_file;
    std::string state_root = RecordStore::default_root();
    /// Told what failed without ending the container: poststop hooks.
    std::function<void(const Error&)> warn = [](const Error&) {};
};

struct RunOutcome {
    int exit_status = 0;     ///< as a shell sees it: the command's own, or 128+n for signal n
    bool oom_killed = false; ///< the kernel killed it at its memory limit
};

/// Runs a container in the foreground and waits for it. Throws Error when the command could not be
/// executed; nothing is left behind then.
RunOutcome run(plan::Request request, const RunOptions& options);

/// What run would do, as JSON, without touching the system.
std::string dry_run(const plan::Request& request);

struct ExecOptions {
    Record record;    ///< of the container, as load_running gave it
    oci::Spec config; ///< of the container
    oci::Process process;
    bool privileged = false; ///< without the container's seccomp filter
    bool interactive = false;
    bool detach = false;
    std::string pid_file;
};

/// A running container's record and config, read together; waits for a start that is under way.
/// Throws Error when the container is not running, or is paused.
std::pair<Record, oci::Spec> load_running(const RecordStore& store, const std::string& id);

/// Runs one more process in a running container; returns its exit status, 128+n for signal n.
/// Throws Error when it cannot be executed, or the container has ended meanwhile.
int exec(const ExecOptions& options);

/// Sends a signal to the container's init, or with `all` to every process of its scope.
void kill(const RecordStore& store, const std::string& id, int signal, bool all);

/// Stop signal, then SIGKILL after the timeout (microseconds; empty: the container's own). Returns
/// when it has ended.
void stop(const RecordStore& store,
          const std::string& id,
          std::optional<std::int64_t> timeout_usec);

void pause(const RecordStore& store, const std::string& id);
void unpause(const RecordStore& store, const std::string& id);

/// Forgets the containers that nobody else will, and ends what is left of them.
void sweep(const RecordStore& store);

/// Forgets a stopped container; with `force` a living one is killed first.
void remove(const RecordStore& store, const std::string& id, bool force);

} // namespace sctr::container
