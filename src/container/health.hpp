// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/health.hpp"

/// What is known of a container's health, and how it changes with each check.
namespace sctr::container {

enum class Health { starting, healthy, unhealthy };

const char* to_string(Health health);

/// One check, as it went.
struct HealthResult {
    std::int64_t start_usec = 0; ///< CLOCK_REALTIME
    std::int64_t end_usec = 0;
    int exit_status = 0; ///< as a shell sees it
    std::string output;  ///< the beginning of its stdout and stderr

    bool operator==(const HealthResult&) const = default;
};

/// Beside a container's record, for as long as that is there.
struct HealthState {
    plan::HealthCheck check;
    std::int64_t started_usec = 0; ///< of the container
    Health health = Health::starting;
    int failing_streak = 0;
    int startup_successes = 0;
    int startup_failures = 0;
    std::vector<HealthResult> log; ///< the latest, oldest first

    bool operator==(const HealthState&) const = default;
};

/// As many results are kept, and as much of their output; docker's numbers.
inline constexpr std::size_t health_log_length = 5;
inline constexpr std::size_t health_output_length = 4096;

/// True while the startup check has not succeeded as often as it should; it is made instead.
bool is_starting_up(const HealthState& state);

/// True where it has failed too often, and the container is to be started anew.
bool has_failed_startup(const HealthState& state);

/// The check that is made next: its command and timeout are those of the startup check until that
/// has succeeded.
plan::HealthCheck due_check(const HealthState& state);

/// The state after one more check. A failure in the start period does not count, unless the
/// container has been healthy already. Pure.
HealthState after_check(HealthState state, HealthResult result);

std::string to_json(const HealthState& state);
std::optional<HealthState> health_from_json(std::string_view text);

/// The file in the directory of a record.
inline constexpr const char* health_file = "health.json";

/// Nothing where the container has no health check.
std::optional<HealthState> load_health(const std::string& directory);
/// Throws Error.
void save_health(const std::string& directory, const HealthState& state);

/// Adds a check to what is stored, whoever else does the same; returns the state before and after.
/// Throws Error when the container is gone.
std::pair<HealthState, HealthState> store_check(const std::string& directory, HealthResult result);

} // namespace sctr::container
