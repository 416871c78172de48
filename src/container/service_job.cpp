// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/service_job.hpp"

#include "base/error.hpp"

namespace sctr::container {

namespace {

/// The error that the container's supervisor left behind, or what systemd knows.
Error job_failure(const std::string& name,
                  const std::string& unit,
                  const char* what,
                  const std::string& outcome,
                  const systemd::ServiceStatus& status) {
    const int code = status.exit_status;
    if (outcome == "failed" && !status.status_text.empty()) {
        Error error(status.status_text);
        if (code == static_cast<int>(ExitCode::cannot_execute)) {
            error.exit_with(ExitCode::cannot_execute);
        } else if (code == static_cast<int>(ExitCode::not_found)) {
            error.exit_with(ExitCode::not_found);
        }
        return error;
    }
    Error error(what);
    error.at(name).mend("journalctl -u " + unit);
    if (status.load_state == "not-found") {
        return error.because("systemd has no unit sctr@.service")
            .mend("install sctr's units, then `systemctl daemon-reload`");
    }
    if (outcome == "assert") {
        return error.because("no container of that name is stored").mend("see 'sctr ps -a'");
    }
    if (outcome == "dependency") {
        return error.because("a unit that it requires could not be started");
    }
    return error.because("systemd says '" + outcome + "', and of the service '" + status.result +
                         "'");
}

} // namespace

bool is_active(const systemd::ServiceStatus& status) {
    return status.active_state != "inactive" && status.active_state != "failed";
}

void run_service_job(systemd::Services& services,
                     const std::string& name,
                     const std::string& unit,
                     const char* what,
                     std::string (systemd::Services::*job)(const std::string&)) {
    const std::string outcome = (services.*job)(unit);
    if (outcome != "done") {
        throw job_failure(name, unit, what, outcome, services.status(unit));
    }
}

} // namespace sctr::container
