// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "container/usage.hpp"

/// What `sctr stats` shows. Pure.
namespace sctr::cli {

/// One container, and how much of a CPU it has used lately.
struct StatsRow {
    container::Usage usage;
    std::optional<double> cpu_percent; ///< 100 is one whole CPU; unknown without an earlier sample
};

/// The share of a CPU between two samples; nothing when no time has passed between them.
std::optional<double> cpu_percent(const container::Usage& earlier, const container::Usage& now);

/// "512.0M": three digits and a unit of 1024, as `systemctl status` shows sizes.
std::string format_bytes(std::uint64_t bytes);

/// Columns under a heading, one line a container. What the host does not count is a "-".
std::string stats_table(const std::vector<StatsRow>& rows);

/// What templates see: the JSON, and the columns of docker and podman.
std::vector<nlohmann::ordered_json> stats_views(const std::vector<StatsRow>& rows);

/// A JSON array with one object a container, on one line or for people to read.
std::string stats_json(const std::vector<StatsRow>& rows, bool one_line);

/// The OpenMetrics text format, of a kind that node_exporter's textfile collector reads as well:
/// gauges and counters, no timestamps. Source: OpenMetrics 1.0.
std::string stats_openmetrics(const std::vector<container::Usage>& usages);

/// A label's value between its quotes. Source: OpenMetrics 1.0, escaped-string.
std::string escape_label(std::string_view value);

} // namespace sctr::cli
