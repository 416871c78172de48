// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/services.hpp"

#include <map>
#include <string_view>
#include <tuple>
#include <vector>

#include "systemd/bus.hpp"
#include "systemd/bus_error.hpp"
#include "systemd/job_watch.hpp"

namespace sctr::systemd {

class Services::Connection {
  public:
    explicit Connection(Instance instance) : bus_(EarlyBus(instance), deadlines_) {}

    template <typename... Arguments>
    sdbus::MethodReply call(const char* what,
                            const std::string& unit,
                            const char* method,
                            const Arguments&... arguments) {
        try {
            auto message = bus_.manager_call(method);
            ((message << arguments), ...);
            return bus_.call(message);
        } catch (const sdbus::Error& failure) {
            throw error(failure, what, unit);
        }
    }

    /// The same, where a unit that is not loaded is as good.
    template <typename... Arguments>
    std::optional<sdbus::MethodReply> call_if_there(const char* what,
                                                    const std::string& unit,
                                                    const char* method,
                                                    const Arguments&... arguments) {
        try {
            auto message = bus_.manager_call(method);
            ((message << arguments), ...);
            return bus_.call(message);
        } catch (const sdbus::Error& failure) {
            if (is_already_gone(failure)) {
                return std::nullopt;
            }
            throw error(failure, what, unit);
        }
    }

    std::string run_job(const char* what, const std::string& unit, const char* method) {
        const JobWatch jobs(bus_, unit);
        auto reply = call_if_there(what, unit, method, unit, std::string("replace"));
        if (!reply) {
            return "done";
        }
        const std::string systemd = sender_of(*reply);
        sdbus::ObjectPath job;
        *reply >> job;
        try {
            for (;;) {
                bus_.dispatch();
                if (auto outcome = jobs.outcome(job, systemd)) {
                    return *outcome;
                }
                constexpr auto interval = std::chrono::seconds(5);
                const bool woken = wait(Clock::now() + interval);
                if (!woken && !has_job(job)) {
                    return outcome_without_signal(unit, method);
                }
            }
        } catch (const sdbus::Error& failure) {
            throw error(failure, what, unit);
        }
    }

    std::map<std::string, sdbus::Variant> properties(const std::string& unit) {
        try {
            auto message = bus_.properties_call(unit_path(unit), "GetAll");
            message << ""; // no interface: those of all, in one reply
            std::map<std::string, sdbus::Variant> found;
            auto reply = bus_.call(message);
            reply >> found;
            return found;
        } catch (const sdbus::Error& failure) {
            throw error(failure, "cannot ask for the state of the unit", unit);
        }
    }

  private:
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

Services::Services(Instance instance) : connection_(std::make_unique<Connection>(instance)) {}

Services::~Services() = default;
Services::Services(Services&&) noexcept = default;
Services& Services::operator=(Services&&) noexcept = default;

std::string Services::start(const std::string& unit) {
    return connection_->run_job("cannot start the unit", unit, "StartUnit");
}

std::string Services::restart(const std::string& unit) {
    return connection_->run_job("cannot restart the unit", unit, "RestartUnit");
}

std::string Services::stop(const std::string& unit) {
    return connection_->run_job("cannot stop the unit", unit, "StopUnit");
}

void Services::keep(const std::string& unit) {
    connection_->call("cannot load the unit", unit, "LoadUnit", unit);
    connection_->call("cannot keep the unit loaded", unit, "RefUnit", unit);
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
    connection_->call("cannot make systemd read its units again", "daemon-reload", "Reload");
}

void Services::enable(const std::string& unit) {
    connection_->call("cannot enable the unit",
                      unit,
                      "EnableUnitFiles",
                      std::vector<std::string>{unit},
                      false,
                      false);
}

void Services::disable(const std::string& unit) {
    connection_->call(
        "cannot disable the unit", unit, "DisableUnitFiles", std::vector<std::string>{unit}, false);
}

void Services::reset_failed(const std::string& unit) {
    connection_->call_if_there("cannot reset the unit", unit, "ResetFailedUnit", unit);
}

} // namespace sctr::systemd
