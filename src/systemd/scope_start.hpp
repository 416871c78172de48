// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "plan/unit.hpp"
#include "systemd/bus.hpp"
#include "systemd/job_watch.hpp"
#include "systemd/types.hpp"

#include <memory>
#include <optional>
#include <string>

namespace sctr::systemd {

/// The start of one transient scope, as a state machine that never waits.
///
/// Callbacks only note what arrived; advance() decides what comes next, so that no reply handler
/// is replaced while it runs.
class ScopeStart {
  public:
    /// Sends StartTransientUnit.
    ScopeStart(Bus& bus, plan::UnitPlan plan, const ScopeLaunch& launch);

    /// Acts on what the bus has handed over, and on deadlines that have passed.
    void advance(Clock::time_point now);

    /// Takes the job back, for a caller who waits no longer: a job may wait for another one, and
    /// that one for the caller to end. The result is a failure unless the job was done already.
    void cancel();

    /// Ends with `failure`, unless it has ended already.
    void fail(Error failure);

    /// Once it has ended: what systemd does with other units no longer wakes this process.
    void forget_signals();

    /// When advance() wants to be called at the latest.
    [[nodiscard]] Clock::time_point wake_at() const noexcept;

    [[nodiscard]] const std::optional<JobResult>& result() const noexcept { return result_; }

    [[nodiscard]] const std::string& unit() const noexcept { return plan_.name; }

    /// The bus name of the systemd that answered; empty before.
    [[nodiscard]] const std::string& systemd() const noexcept { return reply_.sender; }

  private:
    enum class Phase {
        calling,     ///< StartTransientUnit is sent
        job_running, ///< and has given us a job
        backing_off, ///< the bus is at its limits: the call is to be repeated
        inspecting,  ///< the name is in use: by what?
        vanishing,   ///< by a unit without processes, which is about to go
        ended,
    };

    /// What a reply handler noted.
    struct Reply {
        bool arrived = false;
        std::string value;
        std::string sender;
        std::optional<sdbus::Error> error;
    };

    void send_call();
    void append_launch_properties(sdbus::Message& message) const;
    void answered(Clock::time_point now);
    void refused(const sdbus::Error& error, Clock::time_point now);
    void inspect_name();
    void inspected(Clock::time_point now);
    void ask_scope(const char* property);
    [[nodiscard]] bool is_cgroup_empty() const;
    void stop_unused_scope();
    void wait_for_removal(Clock::time_point now);
    void timed_out();
    void check_job();
    void send_cancel();

    Bus* bus_;
    plan::UnitPlan plan_;
    ScopeLaunch launch_;
    Clock::time_point deadline_;   ///< of the whole start
    Clock::time_point phase_ends_; ///< of a phase that has a shorter one
    Phase phase_ = Phase::calling;
    bool by_pid_ = false;         ///< systemd older than 255: PIDs instead of PIDFDs
    bool name_was_freed_ = false; ///< the one retry for a name in use is spent
    bool unit_removed_ = false;
    bool cancelled_ = false;
    int tries_left_ = 3; ///< when the bus is at its limits
    Reply reply_;        ///< to StartTransientUnit
    Reply state_;        ///< the ActiveState of the unit that has our name
    Reply detail_;       ///< its ControlGroup, or who controls it while it has not started
    bool detail_asked_ = false;
    Reply reset_; ///< to ResetFailedUnit
    std::optional<JobResult> result_;
    std::unique_ptr<JobWatch> jobs_;
    sdbus::Slot call_slot_;
    sdbus::Slot cancel_slot_;
    sdbus::Slot state_slot_;
    sdbus::Slot detail_slot_;
    sdbus::Slot abandon_slot_;
    sdbus::Slot stop_slot_;
    sdbus::Slot reset_slot_;
    sdbus::Slot subscribe_slot_;
    sdbus::Slot removed_slot_;
};

} // namespace sctr::systemd
