// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/services.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <vector>

#include "systemd/job_watch.hpp"
#include "systemd/manager_calls.hpp"

namespace sctr::systemd {

class Services::Connection {
  public:
    Connection(Instance instance, const Deadlines& deadlines)
        : deadlines_(deadlines), bus_(EarlyBus(instance), deadlines) {}

    [[nodiscard]] Bus& bus() noexcept { return bus_; }

    std::string run_job(const char* what, const std::string& unit, const char* method) {
        const JobWatch jobs(bus_, unit);
        return await_job(call_manager(bus_, what, unit, method, unit, "replace"),
                         jobs,
                         {.what = what, .unit = unit, .method = method})
            .value_or("");
    }

    /// The same for a unit that may be gone, as is wanted of it. Nothing when it takes until
    /// `deadline`.
    std::optional<std::string> run_stop_job(const std::string& unit, Clock::time_point deadline) {
        constexpr const char* what = "cannot stop the unit";
        const JobWatch jobs(bus_, unit);
        auto reply = call_if_there(bus_, what, unit, "StopUnit", "replace");
        return reply ? await_job(
                           std::move(*reply),
                           jobs,
                           {.what = what, .unit = unit, .method = "StopUnit", .deadline = deadline})
                     : "done";
    }

    /// Every generator of the host runs meanwhile, so that it has three minutes, as in systemctl.
    void reload() {
        Deadlines patient = deadlines_;
        patient.method = std::chrono::minutes(3);
        try {
            sdbus::createProxy(bus_.connection(),
                               sdbus::ServiceName("org.freedesktop.systemd1"),
                               sdbus::ObjectPath("/org/freedesktop/systemd1"))
                ->callMethod(bus_.manager_call("Reload"), patient.method);
        } catch (const sdbus::Error& failure) {
            throw call_error(
                failure, "cannot make systemd read its units again", "daemon-reload", patient);
        }
    }

    std::map<std::string, sdbus::Variant> properties(const std::string& unit) {
        auto reply = get_properties(bus_, unit);
        try {
            std::map<std::string, sdbus::Variant> found;
            reply >> found;
            return found;
        } catch (const sdbus::Error& failure) {
            throw error(failure, "cannot read the state of the unit", unit);
        }
    }

  private:
    struct Wait {
        const char* what;
        const std::string& unit;
        std::string_view method;
        Clock::time_point deadline = Clock::time_point::max();
    };

    /// How the job ended; nothing when it has not at the deadline.
    std::optional<std::string>
    await_job(sdbus::MethodReply reply, const JobWatch& jobs, const Wait& wanted) {
        const std::string systemd = sender_of(reply);
        sdbus::ObjectPath job;
        reply >> job;
        try {
            for (;;) {
                bus_.dispatch();
                if (auto outcome = jobs.outcome(job, systemd)) {
                    return outcome;
                }
                if (Clock::now() >= wanted.deadline) {
                    return std::nullopt;
                }
                constexpr auto interval = std::chrono::seconds(5);
                const bool woken = wait(std::min(wanted.deadline, Clock::now() + interval));
                if (!woken && !has_job(job)) {
                    return outcome_without_signal(wanted.unit, wanted.method);
                }
            }
        } catch (const sdbus::Error& failure) {
            throw error(failure, wanted.what, wanted.unit);
        }
    }

    [[nodiscard]] Error
    error(const sdbus::Error& failure, std::string what, const std::string& unit) const {
        return call_error(failure, std::move(what), unit, deadlines_);
    }

    /// False when nothing came.
    bool wait(Clock::time_point until) {
        bus_.wait(until, -1);
        return Clock::now() < until;
    }

    /// systemd that is executed anew has another bus name, and its signals do not count.
    bool has_job(const sdbus::ObjectPath& job) {
        try {
            auto message = bus_.properties_call(job, "Get");
            message << "org.freedesktop.systemd1.Job" << "State";
            bus_.call(message);
            return true;
        } catch (const sdbus::Error&) {
            return false;
        }
    }

    std::string outcome_without_signal(const std::string& unit, std::string_view method) {
        const auto state = properties(unit).at("ActiveState").get<std::string>();
        const bool is_active = state == "active" || state == "reloading";
        return is_active != (method == "StopUnit") ? "done" : "failed";
    }

    Deadlines deadlines_;
    Bus bus_;
};

Services::Services(Instance instance, const Deadlines& deadlines)
    : connection_(std::make_unique<Connection>(instance, deadlines)) {}

Services::~Services() = default;
Services::Services(Services&&) noexcept = default;
Services& Services::operator=(Services&&) noexcept = default;

std::string Services::start(const std::string& unit) {
    return connection_->run_job("cannot start the unit", unit, "StartUnit");
}

std::string Services::restart(const std::string& unit) {
    return connection_->run_job("cannot restart the unit", unit, "RestartUnit");
}

void Services::request_restart(const std::string& unit) {
    call_manager(connection_->bus(),
                 "cannot restart the unit",
                 unit,
                 "RestartUnit",
                 unit,
                 std::string("replace"));
}

std::string Services::stop(const std::string& unit) {
    return connection_->run_stop_job(unit, Clock::time_point::max()).value_or("");
}

bool Services::stop_within(const std::string& unit, std::chrono::microseconds patience) {
    return connection_->run_stop_job(unit, Clock::now() + patience).has_value();
}

void Services::keep(const std::string& unit) {
    call_manager(connection_->bus(), "cannot load the unit", unit, "LoadUnit", unit);
    if (!call_if_there(connection_->bus(), "cannot keep the unit loaded", unit, "RefUnit")) {
        throw Error("systemd does not know the unit")
            .at(unit)
            .because(unit.starts_with("sctr@")
                         ? "sctr@.service is not installed, or systemd has not read it yet"
                         : "systemd has not read it yet")
            .mend(std::string(unit.starts_with("sctr@") ? "install sctr's units and " : "") +
                  "run `systemctl daemon-reload` (with --user for a plain user)");
    }
}

ServiceStatus Services::status(const std::string& unit) {
    ServiceStatus status;
    const std::map<std::string_view, std::string*> texts{
        {"LoadState", &status.load_state},
        {"ActiveState", &status.active_state},
        {"SubState", &status.sub_state},
        {"Result", &status.result},
        {"StatusText", &status.status_text},
        {"Restart", &status.restart},
        {"UnitFileState", &status.unit_file_state},
    };
    for (const auto& [name, value] : connection_->properties(unit)) {
        if (const auto found = texts.find(name); found != texts.end()) {
            *found->second = value.get<std::string>();
        } else if (name == "ExecMainStatus") {
            status.exit_status = value.get<std::int32_t>();
        } else if (name == "NRestarts") {
            status.restarts = value.get<std::uint32_t>();
        }
    }
    return status;
}

void Services::reload() {
    connection_->reload();
}

void Services::enable(const std::string& unit) {
    call_manager(connection_->bus(),
                 "cannot enable the unit",
                 unit,
                 "EnableUnitFiles",
                 std::vector<std::string>{unit},
                 false,
                 false);
}

void Services::disable(const std::string& unit) {
    call_manager(connection_->bus(),
                 "cannot disable the unit",
                 unit,
                 "DisableUnitFiles",
                 std::vector<std::string>{unit},
                 false);
}

void Services::reset_failed(const std::string& unit) {
    call_if_there(connection_->bus(), "cannot reset the unit", unit, "ResetFailedUnit");
}

} // namespace sctr::systemd
