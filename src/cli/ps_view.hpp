// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "container/definition.hpp"
#include "container/health.hpp"
#include "container/record.hpp"

/// What `sctr ps` shows. Pure.
namespace sctr::cli {

struct PsRow {
    container::Record record;
    container::Status status = container::Status::stopped;
    std::optional<container::Health> health{};   ///< of one that runs and has a health check
    std::map<std::string, std::string> labels{}; ///< where somebody wants to know
};

/// A stored container that does not run, as `definition` and its latest run have it.
PsRow stored_row(const container::Definition& definition,
                 const std::optional<container::LastRun>& run);

/// "3 seconds", "2 hours": the largest unit that is not zero.
std::string format_age(std::int64_t microseconds);

/// How long it has been running; nothing of one that does not.
std::string uptime_of(const PsRow& row, std::int64_t since_boot_usec);

/// Columns under a heading, one line a container. `since_boot_usec` is CLOCK_BOOTTIME, as a clock
/// that is set makes nothing older or younger.
std::string ps_table(const std::vector<PsRow>& rows, std::int64_t since_boot_usec);

/// One container.
nlohmann::ordered_json ps_row_json(const PsRow& row);

/// A JSON array with one object a container.
std::string ps_json(const std::vector<PsRow>& rows);

} // namespace sctr::cli
