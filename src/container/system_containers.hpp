// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "container/record.hpp"
#include "container/usage.hpp"
#include "plan/unit.hpp"
#include "systemd/manager.hpp"
#include "systemd/polkit_agent.hpp"
#include "systemd/services.hpp"

namespace sctr::container {

/// A container of the system's manager, as far as systemd tells everybody of its units: of the
/// record the id, unit, description, cgroup, pid, when it was started and, of a service that has
/// ended, its exit status.
struct SystemContainer {
    Record record;
    Status status = Status::stopped;
};

/// The containers of the system's manager for somebody who is not root: their records and
/// definitions are closed to him, so everything is read from systemd, and done by it as far as
/// polkit lets him (docs/security.md). On a terminal he may be asked for a password.
/// Everything throws Error.
class SystemContainers {
  public:
    SystemContainers();

    /// What runs; with `all` also the services that have ended and that systemd still knows.
    [[nodiscard]] std::vector<SystemContainer> list(bool all);
    /// One that runs. Throws Error when there is none of that name.
    [[nodiscard]] SystemContainer running(const std::string& name);
    [[nodiscard]] std::optional<systemd::UnitStatus> unit_status(const std::string& unit);

    /// Those that are stored. Return when the command runs.
    void start(const std::string& name);
    void restart(const std::string& name);
    /// Returns when it has ended. SIGKILL comes after `timeout`, or the container's own if that is
    /// shorter.
    void stop(const std::string& name, std::optional<std::chrono::microseconds> timeout);
    /// To every process of a container: systemd does not know which is the first of a scope.
    void kill(const std::string& name, int signal);
    void pause(const std::string& name);
    void unpause(const std::string& name);
    /// Changes what runs until it ends.
    void set_properties(const std::string& name, const std::vector<plan::UnitProperty>& properties);

    /// True where a service stands behind a container: it was stored, and more than its scope is
    /// to be changed.
    [[nodiscard]] bool is_service(const std::string& name);

  private:
    [[nodiscard]] std::optional<SystemContainer> of_scope(const std::string& name);
    void stop_unit(const std::string& name, std::optional<std::chrono::microseconds> timeout);

    /// Somebody may be asked for a password from here on.
    void let_polkit_ask();

    std::optional<systemd::PolkitAgent> agent_;
    systemd::Manager manager_;
    systemd::Services services_;
};

} // namespace sctr::container
