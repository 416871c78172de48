// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "container/control.hpp"
#include "linux/process.hpp"
#include "linux/signals.hpp"

namespace sctr::container {

/// A signal asked sctr to end before the command ran.
struct Interrupted {
    int signal;
};

/// Throws Interrupted when a signal has arrived that asks sctr to end.
void abort_if_asked(const sys::SignalQueue& signals);

/// Waits until something has arrived on a control socket. Throws Interrupted when a signal asks
/// sctr to end instead; not once sctr-init has said that it is executing the command, which may
/// run before the last packet is here: the signal is left in the queue for it, unless execve(2)
/// hangs.
void await_packet(int control, const sys::SignalQueue& signals, bool executing);

/// How sctr-init is started.
struct InitSpawn {
    const char* mode = "init"; ///< "init" or "exec"
    std::string plan;          ///< encoded
    std::uint64_t clone_flags = 0;
    int cgroup = -1;
    int standard[3] = {0, 1, 2};
    std::vector<int> inherited;
};

/// A running sctr-init, seen from the host side: the process and the control socket to it.
/// Going out of scope kills and reaps it.
class InitProcess {
  public:
    /// Throws Error.
    explicit InitProcess(const InitSpawn& spawn);

    /// One that runs already, and says what it has left to say over `control`.
    InitProcess(sys::Child child, UniqueFd terminal, Control control = {})
        : child_(std::move(child)), control_(std::move(control)), terminal_(std::move(terminal)) {}

    [[nodiscard]] sys::Child& child() { return child_; }

    [[nodiscard]] int control_fd() const { return control_.fd(); }

    /// The master of its terminal, once it has sent it.
    [[nodiscard]] UniqueFd& terminal() { return terminal_; }

    /// Sends a message, and `files` with it.
    void send(plan::protocol::Kind kind, const std::vector<UniqueFd>& files = {}) const {
        control_.send(kind, files);
    }

    /// Says who takes the listener of a filter that notifies. It is called with the file descriptor
    /// and the process's pid before the command runs, and may throw Error.
    void on_listener(std::function<void(int fd, pid_t pid)> take) {
        take_listener_ = std::move(take);
    }

    /// Takes in what has arrived, without blocking. Returns false when sctr-init has closed its
    /// end: it has become the command, or it is dead. Throws the Error that it reports.
    bool receive();

    /// Waits until sctr-init has gone on in a child of another pid namespace, which child() is from
    /// then on. Throws Error or Interrupted.
    void await_joined(const sys::SignalQueue& signals);

    /// Waits until the namespaces and mounts are ready for hooks, where the plan says that
    /// sctr-init holds there. Throws Error or Interrupted.
    void await_prepared(const sys::SignalQueue& signals);

    /// Waits until the command runs. Throws the Error of whatever failed before, or Interrupted.
    void await_execution(const sys::SignalQueue& signals);

    /// Waits until all is set up and the command waits for `start`. Throws like await_execution.
    void await_created(const sys::SignalQueue& signals);

  private:
    void adopt(UniqueFd pidfd);
    void pass_on(const UniqueFd& listener);

    sys::Child child_;
    Control control_;
    UniqueFd terminal_;
    std::function<void(int fd, pid_t pid)> take_listener_; ///< until it has come
    bool joined_ = false;
    bool created_ = false;
    bool prepared_ = false;
    bool executing_ = false;
};

} // namespace sctr::container
