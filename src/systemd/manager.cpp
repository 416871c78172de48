// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/manager.hpp"

#include "base/strings.hpp"
#include "systemd/bus.hpp"
#include "systemd/bus_error.hpp"
#include "systemd/machine.hpp"
#include "systemd/manager_calls.hpp"
#include "systemd/property.hpp"
#include "systemd/scope_start.hpp"
#include "systemd/unit_status.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>

namespace sctr::systemd {

/// What the public class hides, so that nobody else sees sdbus-c++.
class Manager::Connection {
  public:
    Connection(EarlyBus&& early, const Deadlines& deadlines) : bus(std::move(early), deadlines) {}

    [[nodiscard]] Error
    error(const sdbus::Error& error, std::string what, const std::string& where) const {
        return call_error(error, std::move(what), where, bus.deadlines());
    }

    std::string manager_property(const char* name) {
        try {
            auto message = bus.properties_call("/org/freedesktop/systemd1", "Get");
            message << "org.freedesktop.systemd1.Manager" << name;
            std::string value;
            auto reply = bus.call(message);
            reply.enterVariant("s");
            reply >> value;
            return value;
        } catch (const sdbus::Error& failure) {
            throw error(failure, "cannot ask systemd for its properties", name);
        }
    }

    void watch_stop_requests(const std::string& unit) {
        // Sent to us alone, so that no rule is needed on the bus, but sd-bus wants one.
        stop_slot = bus.match(
            "type='signal',interface='org.freedesktop.systemd1.Scope',"
            "member='RequestStop',path='" +
                unit_path(unit) + "'",
            [this](const sdbus::Message& signal) { stop_senders.push_back(sender_of(signal)); });
    }

    [[nodiscard]] bool starting() const { return start && !start->result(); }

    void advance_start(const std::optional<Error>& broken) {
        try {
            start->advance(Clock::now());
        } catch (const sdbus::Error& failure) {
            start->fail(error(failure, "cannot ask for the container's scope", start->unit()));
        }
        if (broken) {
            start->fail(*broken);
        }
    }

    [[nodiscard]] sdbus::IConnection::PollData poll_data() const {
        try {
            return bus.poll_data();
        } catch (const sdbus::Error& failure) {
            throw error(failure, "lost the connection to systemd", {});
        }
    }

    bool wait(Clock::time_point until, int also_fd) {
        try {
            return bus.wait(until, also_fd);
        } catch (const sdbus::Error& failure) {
            throw error(failure, "lost the connection to systemd", {});
        }
    }

    /// Anyone may send us a signal. systemd has another bus name after `systemctl daemon-reexec`.
    [[nodiscard]] bool is_systemd(const std::string& sender) {
        try {
            return bus.is_direct() || (start && start->systemd() == sender) ||
                   bus.is_systemd(sender);
        } catch (const sdbus::Error& failure) {
            throw error(failure, "cannot ask the bus who systemd is", sender);
        }
    }

    Bus bus;
    std::unique_ptr<ScopeStart> start;
    std::unique_ptr<MachineEntry> machine;
    sdbus::Slot stop_slot;
    std::vector<std::string> stop_senders; ///< of RequestStop, not yet verified
    bool stop_requested = false;
};

namespace {

int milliseconds_until(Clock::time_point time) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(time - Clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

} // namespace

Manager::Manager(EarlyBus early, const Deadlines& deadlines)
    : connection_(std::make_unique<Connection>(std::move(early), deadlines)) {}

Manager::Manager(Instance instance, const Deadlines& deadlines)
    : Manager(EarlyBus(instance), deadlines) {}

Manager::~Manager() = default;
Manager::Manager(Manager&&) noexcept = default;
Manager& Manager::operator=(Manager&&) noexcept = default;

int Manager::fd() const {
    return connection_->poll_data().fd;
}

short Manager::events() const {
    return connection_->poll_data().events;
}

int Manager::timeout_ms() const {
    const int bus_timeout = connection_->poll_data().getPollTimeout();
    if (!connection_->starting()) {
        return bus_timeout;
    }
    const int own_timeout = milliseconds_until(connection_->start->wake_at());
    return bus_timeout < 0 ? own_timeout : std::min(bus_timeout, own_timeout);
}

void Manager::dispatch() {
    const bool starting = connection_->starting();
    std::optional<Error> broken;
    try {
        connection_->bus.dispatch();
    } catch (const sdbus::Error& failure) {
        broken = connection_->error(failure, "lost the connection to systemd", {});
    }
    if (starting) {
        connection_->advance_start(broken);
    } else if (broken) {
        throw *broken;
    } else if (connection_->start) {
        connection_->start->forget_signals();
    }
}

void Manager::start_scope(const plan::UnitPlan& plan, const ScopeLaunch& launch) {
    try {
        connection_->stop_requested = false;
        connection_->stop_senders.clear();
        if (launch.controller) {
            connection_->watch_stop_requests(plan.name);
        }
        connection_->start = std::make_unique<ScopeStart>(connection_->bus, plan, launch);
    } catch (const sdbus::Error& failure) {
        throw connection_->error(failure, "cannot ask for the container's scope", plan.name);
    }
}

std::optional<JobResult> Manager::job_result() const {
    return connection_->start ? connection_->start->result() : std::nullopt;
}

void Manager::cancel_start() {
    try {
        if (connection_->starting()) {
            connection_->start->cancel();
        }
    } catch (const sdbus::Error& failure) {
        throw connection_->error(failure, "cannot cancel the start of the scope", {});
    }
}

bool Manager::wait_for_scope(int also_fd) {
    while (true) {
        dispatch();
        if (!connection_->starting()) {
            break;
        }
        if (connection_->wait(connection_->start->wake_at(), also_fd)) {
            return false;
        }
    }
    if (const auto result = job_result(); result && result->failure) {
        throw *result->failure;
    }
    return true;
}

bool Manager::stop_requested() {
    for (const std::string& sender : std::exchange(connection_->stop_senders, {})) {
        connection_->stop_requested =
            connection_->stop_requested || connection_->is_systemd(sender);
    }
    return connection_->stop_requested;
}

void Manager::register_machine(const Machine& machine,
                               std::function<void(const Error&)> on_failure) {
    try {
        connection_->machine =
            std::make_unique<MachineEntry>(connection_->bus, machine, std::move(on_failure));
    } catch (const sdbus::Error& failure) {
        throw connection_->error(failure, "cannot call systemd-machined", machine.name);
    }
}

void Manager::unregister_machine() {
    if (connection_->machine) {
        try {
            connection_->machine->remove();
        } catch (const sdbus::Error& failure) {
            throw connection_->error(failure, "cannot call systemd-machined", {});
        }
    }
}

bool Manager::stop_unit(const std::string& unit, const std::string& mode) {
    const auto deadline = Clock::now() + connection_->bus.deadlines().job;
    const JobWatch jobs(connection_->bus, unit);
    auto reply = call_if_there(connection_->bus, "cannot stop the unit", unit, "StopUnit", mode);
    if (!reply) {
        return false;
    }
    const std::string systemd = sender_of(*reply);
    sdbus::ObjectPath job;
    *reply >> job;
    while (true) {
        dispatch();
        if (const auto outcome = jobs.outcome(job, systemd)) {
            if (*outcome != "done") {
                throw job_error(*outcome, "cannot stop the unit", unit);
            }
            return true;
        }
        if (Clock::now() >= deadline) {
            throw Error("cannot stop the unit")
                .at(unit)
                .because(ETIMEDOUT)
                .mend("see `systemctl list-jobs`");
        }
        connection_->wait(deadline, -1);
    }
}

bool Manager::abandon_scope(const std::string& unit) {
    try {
        connection_->bus.call(connection_->bus.scope_call(unit, "Abandon"));
    } catch (const sdbus::Error&) {
        return false;
    }
    return true;
}

bool Manager::stop_abandoned_scope(const std::string& unit) {
    if (abandon_scope(unit)) {
        return stop_unit(unit);
    }
    // Its start may wait for another job, which goes on when nobody is left who wants it.
    const auto status = unit_status(unit);
    return status && status->active_state == "inactive" && stop_unit(unit);
}

bool Manager::begin_stop_of_scope(const std::string& unit) {
    return abandon_scope(unit) &&
           call_if_there(
               connection_->bus, "cannot stop the unit", unit, "StopUnit", std::string("replace"))
               .has_value();
}

bool Manager::kill_unit(const std::string& unit, const std::string& whom, int signal) {
    return call_if_there(connection_->bus,
                         "cannot signal the unit",
                         unit,
                         "KillUnit",
                         whom,
                         std::int32_t{signal})
        .has_value();
}

void Manager::freeze_unit(const std::string& unit) {
    call_manager(connection_->bus, "cannot freeze the unit", unit, "FreezeUnit", unit);
}

void Manager::thaw_unit(const std::string& unit) {
    call_manager(connection_->bus, "cannot thaw the unit", unit, "ThawUnit", unit);
}

void Manager::reset_failed(const std::string& unit) {
    call_if_there(connection_->bus, "cannot reset the unit", unit, "ResetFailedUnit");
}

void Manager::ref_unit(const std::string& unit) {
    call_manager(connection_->bus, "cannot keep the unit loaded", unit, "RefUnit", unit);
}

void Manager::unref_unit(const std::string& unit) {
    call_manager(connection_->bus, "cannot let go of the unit", unit, "UnrefUnit", unit);
}

void Manager::set_properties(const std::string& unit,
                             bool runtime,
                             const std::vector<plan::UnitProperty>& properties) {
    try {
        auto message = connection_->bus.manager_call("SetUnitProperties");
        message << unit << runtime;
        append_properties(message, properties);
        connection_->bus.call(message);
    } catch (const sdbus::Error& failure) {
        throw connection_->error(failure, "cannot change the properties of the unit", unit);
    }
}

void Manager::attach_processes(const std::string& unit,
                               const std::string& subcgroup,
                               std::span<const pid_t> pids) {
    call_manager(connection_->bus,
                 "cannot move the process into the unit",
                 unit,
                 "AttachProcessesToUnit",
                 unit,
                 subcgroup,
                 std::vector<std::uint32_t>(pids.begin(), pids.end()));
}

std::optional<UnitStatus> Manager::unit_status(const std::string& unit) {
    auto reply = get_properties(connection_->bus, unit);
    try {
        UnitStatus status = read_status(reply);
        return status.load_state == "not-found" ? std::nullopt : std::optional(std::move(status));
    } catch (const sdbus::Error& failure) {
        throw connection_->error(failure, "cannot read the state of the unit", unit);
    }
}

std::optional<IpCounters> Manager::ip_counters(const std::string& unit) {
    try {
        auto& bus = connection_->bus;
        if (!scope_property<bool>(bus, unit, "IPAccounting", "b")) {
            return std::nullopt;
        }
        const auto count = [&](const char* name) {
            return scope_property<std::uint64_t>(bus, unit, name, "t");
        };
        const IpCounters counters{.received_bytes = count("IPIngressBytes"),
                                  .received_packets = count("IPIngressPackets"),
                                  .sent_bytes = count("IPEgressBytes"),
                                  .sent_packets = count("IPEgressPackets")};
        // What systemd says of a counter that it has not: the kernel can load no program.
        constexpr auto none = std::numeric_limits<std::uint64_t>::max();
        return counters.received_bytes == none ? std::nullopt : std::optional(counters);
    } catch (const sdbus::Error& failure) {
        throw connection_->error(failure, "cannot ask for the traffic of the unit", unit);
    }
}

std::vector<std::string> Manager::unit_names(const std::vector<std::string>& patterns) {
    auto reply = call_manager(connection_->bus,
                              "cannot list the units",
                              join(patterns, " "),
                              "ListUnitsByPatterns",
                              std::vector<std::string>{},
                              patterns);
    try {
        return read_names(reply);
    } catch (const sdbus::Error& failure) {
        throw connection_->error(failure, "cannot list the units", join(patterns, " "));
    }
}

std::string Manager::version() {
    return connection_->manager_property("Version");
}

std::string Manager::features() {
    return connection_->manager_property("Features");
}

} // namespace sctr::systemd
