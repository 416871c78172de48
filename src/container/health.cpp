// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/health.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"

namespace sctr::container {

namespace {

using nlohmann::json;
using std::chrono::microseconds;

constexpr std::array healths = {Health::starting, Health::healthy, Health::unhealthy};

json to_value(const plan::HealthCheck& check) {
    json value = {{"command", check.command},
                  {"timeoutUsec", check.timeout.count()},
                  {"startPeriodUsec", check.start_period.count()},
                  {"startIntervalUsec", check.start_interval.count()},
                  {"retries", check.retries},
                  {"onUnhealthy", check.on_unhealthy}};
    if (check.interval) {
        value["intervalUsec"] = check.interval->count();
    }
    if (check.startup) {
        value["startup"] = {{"command", check.startup->command},
                            {"intervalUsec", check.startup->interval.count()},
                            {"timeoutUsec", check.startup->timeout.count()},
                            {"retries", check.startup->retries},
                            {"successes", check.startup->successes}};
    }
    return value;
}

plan::StartupCheck startup_from(const json& value) {
    return {.command = value.at("command").get<std::vector<std::string>>(),
            .interval = microseconds(value.at("intervalUsec").get<std::int64_t>()),
            .timeout = microseconds(value.at("timeoutUsec").get<std::int64_t>()),
            .retries = value.at("retries").get<int>(),
            .successes = value.at("successes").get<int>()};
}

plan::HealthCheck check_from(const json& value) {
    const auto duration = [&](const char* name) {
        return microseconds(value.at(name).get<std::int64_t>());
    };
    plan::HealthCheck check{.command = value.at("command").get<std::vector<std::string>>(),
                            .interval = {},
                            .timeout = duration("timeoutUsec"),
                            .start_period = duration("startPeriodUsec"),
                            .start_interval = duration("startIntervalUsec"),
                            .retries = value.at("retries").get<int>(),
                            .on_unhealthy = value.at("onUnhealthy").get<plan::OnUnhealthy>()};
    if (value.contains("intervalUsec")) {
        check.interval = duration("intervalUsec");
    }
    if (value.contains("startup")) {
        check.startup = startup_from(value.at("startup"));
    }
    return check;
}

json to_value(const HealthResult& result) {
    return {{"startUsec", result.start_usec},
            {"endUsec", result.end_usec},
            {"exitStatus", result.exit_status},
            {"output", result.output}};
}

HealthResult result_from(const json& value) {
    return {.start_usec = value.at("startUsec").get<std::int64_t>(),
            .end_usec = value.at("endUsec").get<std::int64_t>(),
            .exit_status = value.at("exitStatus").get<int>(),
            .output = value.at("output").get<std::string>()};
}

} // namespace

const char* to_string(Health health) {
    switch (health) {
    case Health::starting:
        return "starting";
    case Health::healthy:
        return "healthy";
    case Health::unhealthy:
        return "unhealthy";
    }
    return "";
}

bool is_starting_up(const HealthState& state) {
    return state.check.startup && state.startup_successes < state.check.startup->successes;
}

bool has_failed_startup(const HealthState& state) {
    return is_starting_up(state) && state.check.startup->retries > 0 &&
           state.startup_failures >= state.check.startup->retries;
}

plan::HealthCheck due_check(const HealthState& state) {
    plan::HealthCheck check = state.check;
    if (is_starting_up(state)) {
        check.command = check.startup->command;
        check.timeout = check.startup->timeout;
    }
    return check;
}

namespace {

void count_startup(HealthState& state, bool is_good) {
    ++(is_good ? state.startup_successes : state.startup_failures);
    if (has_failed_startup(state)) {
        state.health = Health::unhealthy;
    }
}

void count_check(HealthState& state, const HealthResult& result) {
    const bool in_start_period =
        state.health == Health::starting &&
        result.end_usec - state.started_usec < state.check.start_period.count();
    if (result.exit_status == 0) {
        state.health = Health::healthy;
        state.failing_streak = 0;
    } else if (!in_start_period && ++state.failing_streak >= state.check.retries) {
        state.health = Health::unhealthy;
    }
}

} // namespace

HealthState after_check(HealthState state, HealthResult result) {
    if (is_starting_up(state)) {
        count_startup(state, result.exit_status == 0);
    } else {
        count_check(state, result);
    }
    result.output = valid_utf8(std::string_view(result.output).substr(0, health_output_length));
    state.log.push_back(std::move(result));
    if (state.log.size() > health_log_length) {
        state.log.erase(state.log.begin());
    }
    return state;
}

std::string to_json(const HealthState& state) {
    json log = json::array();
    for (const HealthResult& result : state.log) {
        log.push_back(to_value(result));
    }
    const json value = {{"check", to_value(state.check)},
                        {"startedUsec", state.started_usec},
                        {"health", to_string(state.health)},
                        {"failingStreak", state.failing_streak},
                        {"startupSuccesses", state.startup_successes},
                        {"startupFailures", state.startup_failures},
                        {"log", std::move(log)}};
    return value.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

std::optional<HealthState> health_from_json(std::string_view text) {
    try {
        const json value = json::parse(text);
        HealthState state{.check = check_from(value.at("check")),
                          .started_usec = value.at("startedUsec").get<std::int64_t>(),
                          .failing_streak = value.at("failingStreak").get<int>(),
                          .startup_successes = value.value("startupSuccesses", 0),
                          .startup_failures = value.value("startupFailures", 0)};
        const auto name = value.at("health").get<std::string>();
        const auto* const found =
            std::ranges::find_if(healths, [&](Health each) { return name == to_string(each); });
        if (found == healths.end()) {
            return std::nullopt;
        }
        state.health = *found;
        for (const json& result : value.at("log")) {
            state.log.push_back(result_from(result));
        }
        return state;
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

std::optional<HealthState> load_health(const std::string& directory) {
    const auto text = sys::read_small_file(directory + "/" + health_file);
    return text ? health_from_json(*text) : std::nullopt;
}

void save_health(const std::string& directory, const HealthState& state) {
    sys::replace_file(directory + "/" + health_file,
                      to_json(state),
                      0600,
                      sys::Durability::memory,
                      "cannot write down the container's health");
}

std::pair<HealthState, HealthState> store_check(const std::string& directory, HealthResult result) {
    // Not the record's own lock, which is held for as long as somebody stops the container.
    const std::string path = directory + "/health.lock";
    const UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    while (lock.valid() && ::flock(lock.get(), LOCK_EX) < 0 && errno == EINTR) {
    }
    auto before = load_health(directory);
    if (!lock.valid() || !before) {
        throw Error("the container has ended").at(directory);
    }
    HealthState after = after_check(*before, std::move(result));
    save_health(directory, after);
    return {std::move(*before), std::move(after)};
}

} // namespace sctr::container
