// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "systemd/services.hpp"

namespace sctr::container {

/// True unless a service has ended, or never began.
bool is_active(const systemd::ServiceStatus& status);

/// Has systemd do something to `unit`, the service of the container `name`, and waits for it.
/// Throws Error when that fails, beginning with `what` or, where the container's supervisor left
/// the reason behind, with that and its exit code.
void run_service_job(systemd::Services& services,
                     const std::string& name,
                     const std::string& unit,
                     const char* what,
                     std::string (systemd::Services::*job)(const std::string&));

} // namespace sctr::container
