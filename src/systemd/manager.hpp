// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "plan/unit.hpp"
#include "systemd/early_bus.hpp"
#include "systemd/types.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sctr::systemd {

/// A service manager of systemd over one D-Bus connection: its units and jobs.
///
/// Has no threads. The start of a scope and the wish to stop one never block: they are driven by
/// the caller's poll loop (fd(), events(), timeout_ms(), dispatch()). Every other call waits for
/// its reply, at most Deadlines::method. Belongs to the process that made it: not for use after
/// fork. Everything throws Error; a refusal by D-Bus or polkit has the errno EACCES, a missed
/// deadline ETIMEDOUT, a broken connection ECONNRESET.
/// Source: org.freedesktop.systemd1(5).
class Manager {
  public:
    /// Connects. The user's bus is $DBUS_SESSION_BUS_ADDRESS, or found from the uid.
    explicit Manager(Instance instance, const Deadlines& deadlines = {});
    /// Goes on with a connection that was begun before.
    explicit Manager(EarlyBus early, const Deadlines& deadlines = {});
    ~Manager();
    Manager(Manager&&) noexcept;
    Manager& operator=(Manager&&) noexcept;

    /// What to poll for before dispatch(); ask again before each poll.
    [[nodiscard]] int fd() const;
    [[nodiscard]] short events() const;
    /// Milliseconds after which dispatch() is due anyway; -1 for never.
    [[nodiscard]] int timeout_ms() const;

    /// Handles what has arrived and never blocks. A connection that breaks is the failure of the
    /// scope that is starting; when there is none, it is thrown.
    void dispatch();

    /// Asks for a scope around one process and returns at once; job_result() tells the end.
    ///
    /// A name that a dead unit still holds is freed first. The process must not be in another unit
    /// that matters: systemd moves it without a word (systemd#26925). A process that has ended but
    /// is not reaped is taken like a living one (257): watch its pidfd as well.
    void start_scope(const plan::UnitPlan& plan, const ScopeLaunch& launch);

    /// Empty while the scope is starting.
    [[nodiscard]] std::optional<JobResult> job_result() const;

    /// Takes the start back, for a caller who is to end: systemd may hold the scope back for a job
    /// that waits for that very end. Returns at once; wait_for_scope() tells what came of it.
    void cancel_start();

    /// Polls until the scope has started, and throws the failure if it has not; or until `also_fd`
    /// is readable or hung up, then false. Deadlines::job counts from start_scope().
    bool wait_for_scope(int also_fd = -1);

    /// systemd has asked, since start_scope() with a controller, that we stop the scope. Asks the
    /// bus who sent it when that is not the systemd that started the scope.
    [[nodiscard]] bool stop_requested();

    /// Tells the systemd-machined on this bus of a container whose scope has started, and returns
    /// at once; dispatch() tells `on_failure` why there is no entry, such as that there is no
    /// machined.
    void register_machine(const Machine& machine, std::function<void(const Error&)> on_failure);

    /// Takes back what register_machine() has achieved; does not wait for it.
    void unregister_machine();

    /// Stops a unit and waits for the job; false when it is not loaded. `mode` as in
    /// `systemctl --job-mode=`.
    bool stop_unit(const std::string& unit, const std::string& mode = "replace");

    /// From now on systemd asks nobody to stop a scope, but sends its KillSignal itself. False when
    /// the unit is not loaded, or no running scope, or systemd cannot be asked.
    bool abandon_scope(const std::string& unit);

    /// Ends the scope of a controller that has died: without this, stopping it would first ask that
    /// one and wait for an answer. Takes back a start that systemd still holds back for another
    /// job. False when the unit is not loaded, or neither of these.
    bool stop_abandoned_scope(const std::string& unit);

    /// Ends such a scope, but returns when systemd has the job, which may have to wait for the end
    /// of the service that the caller is. False when it does not run.
    bool begin_stop_of_scope(const std::string& unit);

    /// Sends a signal to "main", "control" or "all" processes; false when there is no such process.
    bool kill_unit(const std::string& unit, const std::string& whom, int signal);

    /// Returns when every process of the unit is frozen, or runs again.
    void freeze_unit(const std::string& unit);
    void thaw_unit(const std::string& unit);

    /// Forgets a failure, so that the name is free again; fine if there is none.
    void reset_failed(const std::string& unit);

    /// Keeps a unit loaded after its end, until unref_unit() or the end of this connection.
    void ref_unit(const std::string& unit);
    void unref_unit(const std::string& unit);

    /// Changes properties of a loaded unit; `runtime` ones are forgotten at its end.
    void set_properties(const std::string& unit,
                        bool runtime,
                        const std::vector<plan::UnitProperty>& properties);

    /// Moves processes into a unit, or the cgroup "/SUB" below it when `subcgroup` is not empty;
    /// that one must exist.
    void attach_processes(const std::string& unit,
                          const std::string& subcgroup,
                          std::span<const pid_t> pids);

    /// What systemd knows of a unit, in one call; nothing when it is not loaded.
    [[nodiscard]] std::optional<UnitStatus> unit_status(const std::string& unit);

    /// Nothing when they are not counted.
    [[nodiscard]] std::optional<IpCounters> ip_counters(const std::string& unit);

    /// The loaded units whose names match one of `patterns`, as glob(7) has them.
    [[nodiscard]] std::vector<std::string> unit_names(const std::vector<std::string>& patterns);

    /// systemd's version ("257.13-1~deb13u1") and compiled-in features ("+PAM +AUDIT ...").
    [[nodiscard]] std::string version();
    [[nodiscard]] std::string features();

  private:
    class Connection;
    std::unique_ptr<Connection> connection_;
};

} // namespace sctr::systemd
