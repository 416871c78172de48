// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "container/cgroup_stats.hpp"
#include "container/record_store.hpp"
#include "oci/spec.hpp"
#include "plan/request.hpp"

/// What can be done to containers: one function a verb. The people's and the engines' command
/// lines both end here.
namespace sctr::container {

struct RunOutcome {
    int exit_status = 0;     ///< as a shell sees it: the command's own, or 128+n for signal n
    bool oom_killed = false; ///< the kernel killed it at its memory limit
    bool stopped = false;    ///< it was asked to end, and ended as asked
    bool unhealthy = false;  ///< it was ended for what its health check said
};

/// Is told what failed in vain: poststop hooks. May be empty.
using Warn = std::function<void(const Error&)>;

struct RunOptions {
    bool interactive = false; ///< the caller's stdin goes to the container; else /dev/null
    bool machine = false;     ///< show it in systemd-machined's list
    bool remove = true;       ///< forget the container when it ends
    std::string pid_file;
    std::string id_file;
    std::string state_root = RecordStore::default_root();
    Warn warn;   ///< told what failed without ending the container
    Warn note{}; ///< told why it is not in machined's list
    /// This process is the main process of a systemd service, which is told when the command runs;
    /// SIGTERM asks the container to end in order.
    bool service = false;
    std::string service_unit{};  ///< the name of that service
    std::string notify_socket{}; ///< as of CreateOptions; the command says that it is ready, then
    bool ready_when_healthy = false; ///< the service is ready with the first good health check
    std::function<void(const RunOutcome&)> ended; ///< told before the record goes; may be empty
    std::vector<int> preserved_fds{};             ///< as of CreateOptions
};

/// Runs a container in the foreground and waits for it. Throws Error when the command could not be
/// executed; nothing is left behind then.
RunOutcome run(plan::Request request, const RunOptions& options);

/// What run would do, as JSON, without touching the system.
std::string dry_run(const plan::Request& request);

/// Sockets of the caller that receive file descriptors; empty: none.
struct HandOver {
    std::string console_socket; ///< SOCK_STREAM; the terminal's master
    std::string pidfd_socket;   ///< SOCK_STREAM; the pidfd of init, or of the process executed
};

struct CreateOptions : HandOver {
    std::string state_root;
    Warn warn;
    std::string pid_file;
    std::vector<int> preserved_fds{}; ///< become the command's 3, 4, ... (see PreservedFds)
    std::string notify_socket{};      ///< of the caller's service, for a container that notifies
};

/// Makes a container whose command waits for start; it is the caller's to reap. Throws Error;
/// nothing is left behind then. Source: runtime-spec, runtime.md, Lifecycle 1 to 5.
void create(const plan::Request& request, const CreateOptions& options);

/// Lets the command of a created container go; returns when it is executed or, where it notifies
/// the caller's service, when it is ready. Throws the Error of whatever keeps it from that.
void start(const RecordStore& store, const std::string& id);

struct ExecOptions : HandOver {
    Record record;    ///< of the container, as load_running gave it
    oci::Spec config; ///< of the container
    oci::Process process;
    std::optional<std::string> cgroup; ///< below the container's; empty: that in which init is
    bool privileged = false;           ///< without the container's seccomp filter
    bool interactive = false;
    bool detach = false;
    bool keep_output = false; ///< detached: with the caller's stdout and stderr, as engines want it
    bool create_cwd = false;
    std::string pid_file;
    std::vector<int> preserved_fds{}; ///< as of CreateOptions
    std::string state_root = RecordStore::default_root();
    /// A health check: killed after this time with all of its process group, and no event.
    std::optional<std::chrono::microseconds> timeout{};
};

/// A container's record and config, read together; waits for a start that is under way. Throws
/// Error when there is no such container.
std::pair<Record, oci::Spec> load_settled(const RecordStore& store, const std::string& id);

/// The same of a running one. Throws Error when it is not running, or is paused and that is not
/// ignored.
std::pair<Record, oci::Spec>
load_running(const RecordStore& store, const std::string& id, bool ignore_paused = false);

/// A terminal without a receiver, or a receiver without a terminal, is a caller's mistake. Throws
/// Error.
void check_console(const std::optional<oci::Process>& process, const std::string& console_socket);

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

/// A start that was killed together with its sctr may leave a scope without a record. Returns
/// whether there was one, which is ended now.
bool end_scope_without_record(const RecordStore& store, const std::string& id);

/// Forgets a stopped container; with `force` a living one is killed first.
void remove(const RecordStore& store, const std::string& id, bool force, const Warn& warn = {});

/// For engines: as remove(), but one that does not exist is fine with `force`, and what init left
/// in the scope ends too.
void remove_engine(const RecordStore& store, const std::string& id, bool force, const Warn& warn);

/// For engines: changes limits of a container, and its config with them; what `resources` does not
/// name stays. Throws Error; nothing is changed then.
void update(const RecordStore& store, const std::string& id, const oci::Resources& resources);

/// For engines: sends a signal to every process of a container, fine if there is none left.
void kill_all(const RecordStore& store, const std::string& id, int signal);

/// What a container has used. Throws Error when it has ended, or has no cgroup of its own.
CgroupStats stats(const RecordStore& store, const std::string& id);

/// Who is told what happens to a container.
struct EventSink {
    std::function<void(const CgroupStats&)> stats;
    std::function<void()> oom; ///< the kernel has killed a process at the memory limit
};

/// For engines: tells of statistics every `interval` and of OOM kills as they happen, until the
/// container ends. Throws as stats().
void follow_events(const RecordStore& store,
                   const std::string& id,
                   std::chrono::microseconds interval,
                   const EventSink& sink);

/// The pids of a container in the host's pid namespace, init first. Throws Error when it has ended.
std::vector<pid_t> processes(const RecordStore& store, const std::string& id);

} // namespace sctr::container
