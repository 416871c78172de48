// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/health_view.hpp"

#include "cli/time_point.hpp"

namespace sctr::cli {
namespace {

double seconds(std::chrono::microseconds duration) {
    return std::chrono::duration<double>(duration).count();
}

const char* to_string(plan::OnUnhealthy action) {
    switch (action) {
    case plan::OnUnhealthy::none:
        return "none";
    case plan::OnUnhealthy::kill:
        return "kill";
    case plan::OnUnhealthy::restart:
        return "restart";
    case plan::OnUnhealthy::stop:
        return "stop";
    }
    return "";
}

} // namespace

nlohmann::ordered_json health_json(const container::HealthState& state) {
    auto log = nlohmann::ordered_json::array();
    for (const container::HealthResult& result : state.log) {
        log.push_back({{"start", precise_timestamp(result.start_usec)},
                       {"end", precise_timestamp(result.end_usec)},
                       {"exitCode", result.exit_status},
                       {"output", result.output}});
    }
    return {{"status", container::to_string(state.health)},
            {"failingStreak", state.failing_streak},
            {"log", std::move(log)}};
}

nlohmann::ordered_json health_check_json(const plan::HealthCheck& check) {
    nlohmann::ordered_json json{{"command", check.command}};
    if (check.interval) {
        json["interval"] = seconds(*check.interval);
    }
    json["timeout"] = seconds(check.timeout);
    json["startPeriod"] = seconds(check.start_period);
    json["startInterval"] = seconds(check.start_interval);
    json["retries"] = check.retries;
    json["onFailure"] = to_string(check.on_unhealthy);
    if (check.startup) {
        json["startup"] = {{"command", check.startup->command},
                           {"interval", seconds(check.startup->interval)},
                           {"timeout", seconds(check.startup->timeout)},
                           {"retries", check.startup->retries},
                           {"successes", check.startup->successes}};
    }
    return json;
}

} // namespace sctr::cli
