// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/scope_start.hpp"

#include "base/strings.hpp"
#include "linux/procfs.hpp"
#include "systemd/bus_error.hpp"
#include "systemd/property.hpp"

#include <cerrno>
#include <format>
#include <utility>

namespace sctr::systemd {

namespace {

constexpr const char* what_failed = "cannot start the container's scope";

} // namespace

ScopeStart::ScopeStart(Bus& bus, plan::UnitPlan plan, const ScopeLaunch& launch)
    : bus_(&bus), plan_(std::move(plan)), launch_(launch),
      deadline_(Clock::now() + bus.deadlines().job), phase_ends_(deadline_),
      jobs_(std::make_unique<JobWatch>(bus, plan_.name)) {
    send_call();
}

void ScopeStart::advance(Clock::time_point now) {
    switch (phase_) {
    case Phase::calling:
        if (reply_.arrived) {
            answered(now);
        }
        break;
    case Phase::job_running:
        check_job();
        break;
    case Phase::backing_off:
        if (now >= phase_ends_) {
            send_call();
        }
        break;
    case Phase::inspecting:
        if (state_.arrived) {
            inspected(now);
        }
        break;
    case Phase::vanishing:
        wait_for_removal(now);
        break;
    case Phase::ended:
        break;
    }
    if (!result_ && now >= deadline_) {
        timed_out();
    }
}

Clock::time_point ScopeStart::wake_at() const noexcept {
    switch (phase_) {
    case Phase::backing_off:
    case Phase::vanishing:
        return std::min(phase_ends_, deadline_);
    case Phase::calling:
    case Phase::job_running:
    case Phase::inspecting:
        return deadline_;
    case Phase::ended:
        break;
    }
    return Clock::time_point::max();
}

void ScopeStart::cancel() {
    if (std::exchange(cancelled_, true)) {
        return;
    }
    switch (phase_) {
    case Phase::job_running:
        send_cancel();
        break;
    case Phase::backing_off:
    case Phase::inspecting:
    case Phase::vanishing:
        fail(Error(what_failed).at(plan_.name).because("it was cancelled"));
        break;
    case Phase::calling: // until the job has a number
    case Phase::ended:
        break;
    }
}

void ScopeStart::send_cancel() {
    const std::string& job = reply_.value;
    const auto number = parse_uint(job.substr(job.rfind('/') + 1));
    if (!number) {
        return; // then its own deadline ends the wait
    }
    auto message = bus_->manager_call("CancelJob");
    message << static_cast<std::uint32_t>(*number);
    // Whether it was taken back or done, JobRemoved says so.
    cancel_slot_ =
        bus_->send(message, [](const sdbus::MethodReply&, const std::optional<sdbus::Error>&) {});
}

void ScopeStart::fail(Error failure) {
    if (!result_) {
        result_ = JobResult{std::move(failure)};
        phase_ = Phase::ended;
    }
}

void ScopeStart::forget_signals() {
    jobs_.reset();
    if (removed_slot_ != nullptr) {
        removed_slot_.reset();
        // systemd tells the whole bus of every unit's changes while it has one subscriber.
        subscribe_slot_ =
            bus_->send(bus_->manager_call("Unsubscribe"),
                       [](const sdbus::MethodReply&, const std::optional<sdbus::Error>&) {});
    }
}

void ScopeStart::send_call() {
    auto message = bus_->manager_call("StartTransientUnit");
    message << plan_.name << "fail";
    message.openContainer("(sv)");
    append_launch_properties(message);
    for (const plan::UnitProperty& property : plan_.properties) {
        append_property(message, property);
    }
    message.closeContainer();
    message.openContainer("(sa(sv))").closeContainer(); // auxiliary units: none
    reply_ = {};
    phase_ = Phase::calling;
    call_slot_ = bus_->send(
        message, [this](sdbus::MethodReply reply, const std::optional<sdbus::Error>& error) {
            reply_.arrived = true;
            reply_.sender = sender_of(reply);
            reply_.error = error;
            if (!error) {
                sdbus::ObjectPath job;
                reply >> job;
                reply_.value = job;
            }
        });
}

void ScopeStart::append_launch_properties(sdbus::Message& message) const {
    if (by_pid_) {
        message.openStruct("sv");
        message << "PIDs";
        message.openVariant("au");
        message << std::vector{static_cast<std::uint32_t>(launch_.pid)};
    } else {
        message.openStruct("sv");
        message << "PIDFDs";
        message.openVariant("ah");
        message.openContainer("h");
        message << sdbus::UnixFd(launch_.pidfd);
        message.closeContainer();
    }
    message.closeVariant();
    message.closeStruct();
    if (launch_.controller && !bus_->is_direct()) {
        append_property(message, {"Controller", std::string(bus_->connection().getUniqueName())});
    }
}

void ScopeStart::answered(Clock::time_point now) {
    if (reply_.error) {
        refused(*reply_.error, now);
        return;
    }
    phase_ = Phase::job_running;
    check_job();
    if (cancelled_ && !result_) {
        send_cancel();
    }
}

void ScopeStart::check_job() {
    const auto outcome = jobs_->outcome(reply_.value, reply_.sender);
    if (!outcome) {
        return;
    }
    if (*outcome == "done") {
        result_ = JobResult{};
        phase_ = Phase::ended;
        return;
    }
    fail(job_error(*outcome, what_failed, plan_.name));
}

void ScopeStart::refused(const sdbus::Error& error, Clock::time_point now) {
    if (cancelled_) {
        fail(call_error(error, what_failed, plan_.name, bus_->deadlines()));
        return;
    }
    if (!by_pid_ && launch_.pid > 0 && refuses_property(error, "PIDFDs")) {
        by_pid_ = true;
        send_call();
        return;
    }
    if (is_overload(error) && tries_left_ > 0) {
        --tries_left_;
        phase_ = Phase::backing_off;
        phase_ends_ = now + bus_->deadlines().backoff;
        return;
    }
    if (error.getName() == "org.freedesktop.systemd1.UnitExists" && !name_was_freed_) {
        name_was_freed_ = true;
        inspect_name();
        return;
    }
    fail(call_error(error, what_failed, plan_.name, bus_->deadlines()));
}

void ScopeStart::inspect_name() {
    phase_ = Phase::inspecting;
    removed_slot_ = bus_->match(manager_signal_rule("UnitRemoved"), [this](sdbus::Message signal) {
        std::string unit;
        signal >> unit;
        unit_removed_ = unit_removed_ || unit == plan_.name;
    });
    // Without a subscriber systemd keeps UnitRemoved to itself. Should it refuse, the deadline of
    // the removal is what remains.
    subscribe_slot_ =
        bus_->send(bus_->manager_call("Subscribe"),
                   [](const sdbus::MethodReply&, const std::optional<sdbus::Error>&) {});
    auto message = bus_->properties_call(unit_path(plan_.name), "Get");
    message << "org.freedesktop.systemd1.Unit" << "ActiveState";
    state_slot_ = bus_->send(
        message, [this](sdbus::MethodReply reply, const std::optional<sdbus::Error>& error) {
            state_.arrived = true;
            state_.error = error;
            if (!error) {
                reply.enterVariant("s");
                reply >> state_.value;
            }
        });
}

void ScopeStart::inspected(Clock::time_point now) {
    if (state_.error) {
        fail(call_error(*state_.error, what_failed, plan_.name, bus_->deadlines()));
        return;
    }
    const bool is_active =
        state_.value == "active" || state_.value == "activating" || state_.value == "reloading";
    const bool may_be_forsaken = state_.value == "inactive" && launch_.controller;
    if ((is_active || may_be_forsaken) && !detail_asked_) {
        ask_scope(is_active ? "ControlGroup" : "Controller");
        return;
    }
    if (detail_asked_ && !detail_.arrived) {
        return;
    }
    // A scope whose last process has just ended stays active until systemd has noticed; one whose
    // first process was dead when systemd moved it stays until it is stopped.
    if (is_active && !is_cgroup_empty()) {
        fail(Error("the name is in use")
                 .at(plan_.name)
                 .because("the unit is already running")
                 .mend(
                     "choose another name, or remove the container that has it with `sctr rm -f`"));
        return;
    }
    phase_ = Phase::vanishing;
    phase_ends_ = now + bus_->deadlines().removal;
    // A start whose sctr was killed while systemd held it back: that one was its controller.
    const bool is_forsaken = may_be_forsaken && !detail_.error && detail_.value.empty();
    if (is_active || is_forsaken) {
        stop_unused_scope();
    }
    if (state_.value == "failed") {
        auto message = bus_->manager_call("ResetFailedUnit");
        message << plan_.name;
        reset_slot_ = bus_->send(
            message, [this](const sdbus::MethodReply&, const std::optional<sdbus::Error>& error) {
                reset_.arrived = true;
                reset_.error = error;
            });
    }
    wait_for_removal(now);
}

void ScopeStart::ask_scope(const char* property) {
    detail_asked_ = true;
    auto message = bus_->properties_call(unit_path(plan_.name), "Get");
    message << "org.freedesktop.systemd1.Scope" << property;
    detail_slot_ = bus_->send(
        message, [this](sdbus::MethodReply reply, const std::optional<sdbus::Error>& error) {
            detail_.arrived = true;
            detail_.error = error;
            if (!error) {
                reply.enterVariant("s");
                reply >> detail_.value;
            }
        });
}

bool ScopeStart::is_cgroup_empty() const {
    if (detail_.error || detail_.value.empty()) {
        return true; // it has ended between the two questions
    }
    const auto events = sys::read_small_file("/sys/fs/cgroup" + detail_.value + "/cgroup.events");
    return !events || events->contains("populated 0");
}

void ScopeStart::stop_unused_scope() {
    const auto whatever = [](const sdbus::MethodReply&, const std::optional<sdbus::Error>&) {};
    // Its controller is gone, and systemd would wait for that one's consent.
    abandon_slot_ = bus_->send(bus_->scope_call(plan_.name, "Abandon"), whatever);
    auto stop = bus_->manager_call("StopUnit");
    stop << plan_.name << "replace";
    stop_slot_ = bus_->send(stop, whatever);
}

void ScopeStart::wait_for_removal(Clock::time_point now) {
    if (reset_.error && !is_already_gone(*reset_.error)) {
        fail(call_error(*reset_.error,
                        "cannot reset the failed unit of that name",
                        plan_.name,
                        bus_->deadlines()));
    } else if (unit_removed_) {
        send_call();
    } else if (now >= phase_ends_) {
        fail(Error("the name is in use")
                 .at(plan_.name)
                 .because("a unit of that name is " + state_.value + " and systemd keeps it")
                 .mend("see `systemctl status " + plan_.name + "`"));
    }
}

void ScopeStart::timed_out() {
    fail(Error(what_failed)
             .at(plan_.name)
             .because(ETIMEDOUT)
             .because(std::format(
                 "systemd did not finish the job within {} s",
                 std::chrono::ceil<std::chrono::seconds>(bus_->deadlines().job).count()))
             .mend("see `systemctl list-jobs` and `journalctl -b _PID=1`"));
}

} // namespace sctr::systemd
