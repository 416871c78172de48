// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace sctr::plan {

/// What is done with a container that has become unhealthy. Source: podman-run(1),
/// --health-on-failure.
enum class OnUnhealthy { none, kill, restart, stop };

/// What must succeed before the checks of a container begin. Source: podman-run(1),
/// --health-startup-cmd.
struct StartupCheck {
    std::vector<std::string> command;
    std::chrono::microseconds interval = std::chrono::seconds(30);
    std::chrono::microseconds timeout = std::chrono::seconds(30);
    int retries = 0;   ///< so many failures, and the container is started again; 0: never
    int successes = 1; ///< so many, and the checks begin

    bool operator==(const StartupCheck&) const = default;
};

/// How a running container is asked whether it does its work. Source: docker, HEALTHCHECK.
struct HealthCheck {
    std::vector<std::string> command; ///< run in the container; status 0: it is healthy
    /// Between the end of a check and the next one; nothing: only when somebody asks.
    std::optional<std::chrono::microseconds> interval = std::chrono::seconds(30);
    std::chrono::microseconds timeout =
        std::chrono::seconds(30); ///< of one check; then it is killed
    /// After the start, failures do not count and checks are made every `start_interval`.
    std::chrono::microseconds start_period{0};
    std::chrono::microseconds start_interval = std::chrono::seconds(5);
    int retries = 3; ///< failures in a row that make it unhealthy
    OnUnhealthy on_unhealthy = OnUnhealthy::none;
    std::optional<StartupCheck> startup{};

    bool operator==(const HealthCheck&) const = default;
};

} // namespace sctr::plan
