// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "oci/spec.hpp"

namespace sctr::container {

/// The states of runtime-spec, runtime.md, plus `paused` as every runtime has it.
enum class Status { creating, created, running, paused, stopped };

const char* to_string(Status status);

/// What is remembered of a container between two commands: one directory below the state root,
/// with this in state.json and the OCI config in config.json.
struct Record {
    std::string id;
    std::string unit; ///< "sctr-web.scope"; empty: it has no cgroup of its own
    std::string description;
    std::string image;            ///< its name; empty: made from a directory
    pid_t pid = 0;                ///< init, in the host's pid namespace; 0 before it exists
    std::uint64_t start_time = 0; ///< of init, in clock ticks since boot (proc_pid_stat(5), 22)
    pid_t supervisor_pid = 0;     ///< the sctr that waits for init
    std::uint64_t supervisor_start = 0; ///< as start_time
    std::string boot_id;
    std::string cgroup; ///< of the scope, "/sctr.slice/..."; empty while it is being made
    uid_t owner = 0;    ///< who made it
    std::string rootfs;
    std::string bundle;
    std::int64_t created_usec = 0; ///< CLOCK_REALTIME
    bool started = false;          ///< the user's command has been let go
    bool kept = false;             ///< an engine's: remembered until it is deleted, whatever ends
    int stop_signal = 15;
    std::int64_t stop_timeout_usec = 10'000'000;
    std::optional<int> exit_status; ///< as a shell sees it; known once stopped
    bool oom_killed = false;
};

/// A held container directory: others that want the same container wait or fail.
class LockedRecord {
  public:
    LockedRecord(std::string directory, UniqueFd lock)
        : directory_(std::move(directory)), lock_(std::move(lock)) {}

    [[nodiscard]] const std::string& directory() const { return directory_; }

    /// Writes state.json beside the old one and renames it.
    void save(const Record& record) const;
    void save_config(const oci::Spec& spec) const;
    /// False when the directory has been removed, or is another container's by now.
    [[nodiscard]] bool is_current() const;
    /// Forgets the container, unless another of the same name has taken its place.
    void remove() const;
    /// Gives the lock back but not the place: lock() takes it again.
    void unlock() const;
    void lock() const;
    /// False when somebody else holds it.
    [[nodiscard]] bool try_lock() const;

  private:
    std::string directory_;
    UniqueFd lock_;
};

/// The containers of this user on this host: the directories below the state root
/// (/run/sctr, or $XDG_RUNTIME_DIR/sctr).
class RecordStore {
  public:
    explicit RecordStore(std::string root);
    static std::string default_root();

    /// Makes a new container's directory and locks it. Throws Error when the name is in use by a
    /// container that still lives; a record whose process is gone or of another boot is swept.
    [[nodiscard]] LockedRecord create(const std::string& id) const;

    [[nodiscard]] bool has(const std::string& id) const;

    /// The record and its configuration. Throws Error when there is none of that name.
    [[nodiscard]] Record load(const std::string& id) const;
    [[nodiscard]] oci::Spec load_config(const std::string& id) const;
    [[nodiscard]] LockedRecord lock(const std::string& id) const;
    /// The same without taking the lock.
    [[nodiscard]] LockedRecord open(const std::string& id) const;

    /// All records, sorted by creation; what is unreadable or half made is left out.
    [[nodiscard]] std::vector<Record> list() const;

    /// Forgets what nobody will: containers whose process is gone while their supervisor could not
    /// say so, and those of another boot.
    /// `end_rest` is told of each that ran in this boot: more than its init may live on.
    void sweep(const std::function<void(const Record&)>& end_rest) const;

    [[nodiscard]] const std::string& root() const { return root_; }

    /// Makes the state root if it is missing. Throws Error.
    void make_root() const;

  private:
    std::string root_;
};

/// True while the process of `pid` is the one that started at `start_time`.
bool is_alive(pid_t pid, std::uint64_t start_time);

/// Waits until the supervisor of a container that has ended has written that down and is gone;
/// false when there was none, or it does not end within 10 seconds.
bool wait_for_supervisor(const Record& record);

/// The status as it is now: a record whose process is gone reads as stopped, a frozen cgroup as
/// paused.
Status current_status(const Record& record);

/// False for a container that stays in the cgroup of whoever started it.
bool has_own_cgroup(const Record& record);

/// Throws Error that such a container cannot be asked to `what` ("pause").
void require_own_cgroup(const Record& record, const std::string& what);

/// True for what may be a container's name. Anything else below the state root is no container.
bool is_id(const std::string& text);

/// Checks a container name: [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 128 characters, as it becomes part
/// of a unit name and a path. Throws Error.
void check_id(const std::string& id);

/// Checks a container id of an engine: what check_id takes, or one that begins with '_', and '+' in
/// it. Throws Error.
void check_engine_id(const std::string& id);

} // namespace sctr::container
