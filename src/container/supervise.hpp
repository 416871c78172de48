// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>

#include "container/init_process.hpp"
#include "container/notify.hpp"
#include "linux/signals.hpp"

namespace sctr::systemd {
class Manager;
}

namespace sctr::container {

class OutputLog;

/// What a supervisor watches besides the process itself.
struct Supervision {
    bool interactive = false;
    int stop_signal = 15;
    systemd::Manager* manager = nullptr; ///< whose request to stop is obeyed, if any
    std::string memory_events;           ///< path of the cgroup's memory.events, if any
    notify::Proxy* readiness = nullptr; ///< what the container says to the caller's service, if any
    std::function<void()> on_oom_kill{}; ///< called when the kernel has killed a process there
    OutputLog* output = nullptr;         ///< carries stdout and stderr to the journal, if any
};

struct Outcome {
    int exit_status = 0; ///< as a shell sees it
    bool oom_killed = false;
};

/// Waits for the end of a process that runs the command: passes signals on, carries the terminal,
/// obeys systemd's request to stop. Restores the caller's terminal whatever happens.
Outcome supervise(InitProcess& process, const sys::SignalQueue& signals, const Supervision& what);

} // namespace sctr::container
