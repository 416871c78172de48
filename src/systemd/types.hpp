// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/error.hpp"
#include "host/caller.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace sctr::systemd {

/// Which service manager: PID 1, or the caller's own `systemd --user`.
enum class Instance { system, user };

/// The one that makes this caller's scopes.
inline Instance own_instance() {
    return host::caller().is_system ? Instance::system : Instance::user;
}

/// How long to wait for systemd before a call or job counts as failed.
struct Deadlines {
    std::chrono::milliseconds connect{10'000}; ///< the handshake with the bus
    std::chrono::milliseconds method{25'000};  ///< the reply of one call
    std::chrono::milliseconds job{30'000};     ///< a unit job, from the call to its end
    std::chrono::milliseconds removal{2'000};  ///< a dead unit of the same name to be forgotten
    std::chrono::milliseconds backoff{100};    ///< between tries when the bus is at its limits
    bool with_a_person = false; ///< polkit may ask somebody for a password before systemd answers
};

/// What only the moment of the launch knows about a scope.
struct ScopeLaunch {
    int pidfd = -1;          ///< init's; borrowed until the job has ended
    pid_t pid = -1;          ///< the same process, for systemd older than 255
    bool controller = false; ///< ask us to stop (Manager::stop_requested) instead of signalling
};

/// What systemd-machined is told of a container.
struct Machine {
    std::string name;
    pid_t leader = -1; ///< init, in the host's pid namespace
    std::string root;  ///< directory of the host
};

/// How a job ended: without failure, or with the error to show.
struct JobResult {
    std::optional<Error> failure;
};

/// What the kernel has counted of a unit's packets (IPAccounting=).
struct IpCounters {
    std::uint64_t received_bytes = 0;
    std::uint64_t received_packets = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t sent_packets = 0;
};

/// What systemd says of a loaded unit; the words are systemd's own.
struct UnitStatus {
    std::string load_state;    ///< "loaded", "not-found", "masked", ...
    std::string active_state;  ///< "active", "failed", "inactive", "deactivating", ...
    std::string sub_state;     ///< "running", "dead", "abandoned", ...
    std::string result;        ///< "success", "oom-kill", "timeout", ...
    std::string control_group; ///< relative to the cgroup root; empty while there is none
    std::string freezer_state; ///< "running", "frozen", "freezing", ...
    std::string description;
    std::int64_t active_usec = 0; ///< since when it is active, CLOCK_REALTIME; 0: it never was
    bool delegate = false;        ///< the tree below its cgroup is its own processes' affair
    std::string invocation_id;    ///< 32 hex digits, as journald's _SYSTEMD_INVOCATION_ID
    /// Limits in force, by systemd's own property names and in its units; UINT64_MAX is infinity.
    /// What is not set is left out.
    std::map<std::string, std::uint64_t, std::less<>> limits;
    std::string allowed_cpus; ///< "0-3,7"; empty: all
};

} // namespace sctr::systemd
