// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace sctr::container {

/// The states of runtime-spec, runtime.md, plus `paused` as every runtime has it.
enum class Status { creating, created, running, paused, stopped };

const char* to_string(Status status);

/// What is remembered of a container between two commands: one directory below the state root,
/// with this in state.json and the OCI config in config.json.
struct Record {
    std::string id;
    std::string unit;         ///< "sctr-web.scope"; empty: it has no cgroup of its own
    std::string service_unit; ///< of systemd, whose main process is its supervisor; may be empty
    std::string description;
    std::string image;            ///< its name; empty: made from a directory
    pid_t pid = 0;                ///< init, in the host's pid namespace; 0 before it exists
    std::uint64_t start_time = 0; ///< of init, in clock ticks since boot (proc_pid_stat(5), 22)
    pid_t supervisor_pid = 0;     ///< the sctr that waits for init
    std::uint64_t supervisor_start = 0; ///< as start_time
    std::string boot_id;
    /// Of the scope, "/sctr.slice/..."; empty while it is being made. Without a unit: in the
    /// delegated tree of a service; empty: it has no cgroup of its own.
    std::string cgroup;
    std::uint64_t cgroup_id = 0; ///< inode of one in a service's tree; 0: not known
    uid_t owner = 0;             ///< who made it
    std::string rootfs;
    std::string bundle;
    std::int64_t created_usec = 0; ///< CLOCK_REALTIME
    bool started = false;          ///< the user's command has been let go
    bool kept = false;             ///< an engine's: remembered until it is deleted, whatever ends
    int stop_signal = 15;
    std::int64_t stop_timeout_usec = 10'000'000;
    std::optional<int> exit_status; ///< as a shell sees it; known once stopped
    bool oom_killed = false;
    std::int64_t finished_usec = 0; ///< CLOCK_REALTIME; 0: not ended, or not known
};

std::string to_json(const Record& record);

/// Takes what an older sctr left out, and passes over what a newer one added. Nothing when the text
/// is no record, as half of one; throws Error when a newer sctr says that only its like can read
/// it.
std::optional<Record> record_from_json(const std::string& text);

/// True while the process of `pid` is the one that started at `start_time`.
bool is_alive(pid_t pid, std::uint64_t start_time);

/// True while init, or the supervisor, of a container of this boot lives.
bool is_living(const Record& record);
bool has_supervisor(const Record& record);

/// Waits until the supervisor of a container that has ended has written that down and is gone;
/// false when there was none, or it does not end within 10 seconds.
bool wait_for_supervisor(const Record& record);

/// The status as it is now: a record whose process is gone reads as stopped, a frozen cgroup as
/// paused.
Status current_status(const Record& record);

/// True for a container whose cgroup is in the delegated tree of a service, and no scope.
bool is_nested(const Record& record);

/// False for a container that stays in the cgroup of whoever started it.
bool has_own_cgroup(const Record& record);

/// Throws Error that a container without a cgroup of its own cannot be asked to `what` ("pause").
void require_own_cgroup(const Record& record, const std::string& what);

} // namespace sctr::container
