// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "container/init_process.hpp"
#include "container/notify.hpp"
#include "linux/signals.hpp"

namespace sctr::systemd {
class Manager;
}

namespace sctr::network {
class Connection;
}

namespace sctr::container {

class HealthWatch;
class OutputLog;
struct HealthState;

/// What a supervisor watches besides the process itself.
struct Supervision {
    bool interactive = false;
    int stop_signal = 15;
    systemd::Manager* manager = nullptr; ///< whose request to stop is obeyed, if any
    std::string memory_events;           ///< path of the cgroup's memory.events, if any
    notify::Proxy* readiness = nullptr; ///< what the container says to the caller's service, if any
    std::function<void()> on_oom_kill{}; ///< called when the kernel has killed a process there
    OutputLog* output = nullptr;         ///< carries stdout and stderr to the journal, if any
    /// Nobody sits before it: SIGTERM asks the container to end in order, and its terminal is for
    /// those who attach.
    bool service = false;
    bool notifies = false;    ///< the command says itself when the service is ready
    std::string unit;         ///< of the container; for a service
    std::string service_unit; ///< of this process; for a service
    std::string directory;    ///< of its record; for a service
    std::chrono::microseconds stop_timeout{0};
    HealthWatch* health = nullptr;   ///< asks it whether it does its work, if it has such a check
    bool ready_when_healthy = false; ///< for a service
    network::Connection* network = nullptr; ///< is kept up, if there is one
    /// Told what is wrong without ending the container.
    std::function<void(const Error&)> warn{};
    std::function<void()> on_directory_change{}; ///< of a directory that is watched
    /// Told of each change of its health.
    std::function<void(const HealthState&)> on_health{};
    /// Its process group is killed after this time; for what is no container.
    std::optional<std::chrono::microseconds> timeout{};
};

/// A file in the directory of a container's record: microseconds that a stop which is about to be
/// asked for waits, instead of the container's own.
constexpr const char* stop_timeout_file = "stop-timeout";

struct Outcome {
    int exit_status = 0; ///< as a shell sees it
    bool oom_killed = false;
    bool stopped = false;   ///< it was asked to end, and did as asked
    bool unhealthy = false; ///< it was ended for what its health check said
};

/// Waits for the end of a process that runs the command: passes signals on, carries the terminal,
/// obeys systemd's request to stop. Restores the caller's terminal whatever happens.
Outcome supervise(InitProcess& process, const sys::SignalQueue& signals, const Supervision& what);

} // namespace sctr::container
