// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

#include "base/strings.hpp"
#include "cli/request_builder.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

using std::chrono::microseconds;

/// A JSON array is executed as it is, as in docker's and podman's images with CMD before it or
/// not; anything else is for the container's shell. Nothing: none.
std::vector<std::string> parse_command(const char* flag, const std::string& text) {
    if (text.empty()) {
        throw bad_value(flag, text, "", "a command, or none");
    }
    if (text == "none") {
        return {};
    }
    if (!text.starts_with('[')) {
        return {"/bin/sh", "-c", text};
    }
    std::vector<std::string> words;
    try {
        nlohmann::json::parse(text).get_to(words);
    } catch (const nlohmann::json::exception&) {
        throw bad_value(flag, text, "not an array of strings", R"(["PROGRAM", "ARGUMENT", ...])");
    }
    const std::string kind = words.empty() ? "" : words.front();
    if (kind == "NONE") {
        return {};
    }
    if (kind == "CMD-SHELL" && words.size() == 2) {
        return {"/bin/sh", "-c", words.back()};
    }
    if (kind == "CMD") {
        words.erase(words.begin());
    }
    if (words.empty() || words.front().empty() || kind == "CMD-SHELL") {
        throw bad_value(flag, text, "no program", R"(["PROGRAM", "ARGUMENT", ...])");
    }
    return words;
}

microseconds parse_duration(const char* flag, const std::string& text, bool zero_allowed) {
    constexpr std::uint64_t longest = 365ULL * 24 * 3600 * 1'000'000;
    constexpr std::uint64_t shortest = 1000; // as docker has it
    const auto usec = parse_duration_usec(text);
    if (!usec) {
        throw bad_value(flag, text, "not a time span", "30s, 1m30s, 500ms");
    }
    if (*usec > longest || (*usec < shortest && !(zero_allowed && *usec == 0))) {
        throw bad_value(flag, text, "out of range", "at least 1ms, at most a year");
    }
    return microseconds(*usec);
}

plan::OnUnhealthy parse_action(const std::string& text) {
    constexpr std::pair<const char*, plan::OnUnhealthy> actions[] = {
        {"none", plan::OnUnhealthy::none},
        {"kill", plan::OnUnhealthy::kill},
        {"restart", plan::OnUnhealthy::restart},
        {"stop", plan::OnUnhealthy::stop},
    };
    for (const auto& [name, action] : actions) {
        if (text == name) {
            return action;
        }
    }
    throw bad_value("--health-on-failure", text, "", "none, kill, restart or stop");
}

/// Flags that say something of a check, where there may be none.
const char* first_given(const HealthFlags& flags) {
    const std::pair<const char*, const std::optional<std::string>&> all[] = {
        {"--health-interval", flags.interval},
        {"--health-timeout", flags.timeout},
        {"--health-start-period", flags.start_period},
        {"--health-start-interval", flags.start_interval},
        {"--health-retries", flags.retries},
        {"--health-on-failure", flags.on_failure},
        {"--health-startup-cmd", flags.startup_command},
    };
    for (const auto& [flag, value] : all) {
        if (value) {
            return flag;
        }
    }
    return nullptr;
}

void refuse_without_startup_check(const HealthFlags& flags) {
    const std::pair<const char*, const std::optional<std::string>&> all[] = {
        {"--health-startup-interval", flags.startup_interval},
        {"--health-startup-retries", flags.startup_retries},
        {"--health-startup-success", flags.startup_success},
        {"--health-startup-timeout", flags.startup_timeout},
    };
    for (const auto& [flag, value] : all) {
        if (value) {
            throw Error("the container has no startup check")
                .at(flag)
                .mend(std::string("give --health-startup-cmd, or drop ") + flag);
        }
    }
}

int parse_count(const char* flag, const std::string& text) {
    return static_cast<int>(parse_in_range(flag, text, 0, std::numeric_limits<int>::max()));
}

std::optional<plan::StartupCheck> startup_check(const HealthFlags& flags) {
    plan::StartupCheck check;
    if (flags.startup_command) {
        check.command = parse_command("--health-startup-cmd", *flags.startup_command);
    }
    if (check.command.empty()) {
        refuse_without_startup_check(flags);
        return std::nullopt;
    }
    if (flags.startup_interval) {
        check.interval =
            parse_duration("--health-startup-interval", *flags.startup_interval, false);
    }
    if (flags.startup_timeout) {
        check.timeout = parse_duration("--health-startup-timeout", *flags.startup_timeout, false);
    }
    if (flags.startup_retries) {
        check.retries = parse_count("--health-startup-retries", *flags.startup_retries);
    }
    if (flags.startup_success) { // 0 is 1, as in podman
        check.successes =
            std::max(1, parse_count("--health-startup-success", *flags.startup_success));
    }
    return check;
}

/// Whoever is started again is a service.
void refuse_restarts(const RunFlags& flags, const plan::HealthCheck& check) {
    if (flags.detach || flags.service) {
        return;
    }
    const bool by_startup = check.startup && check.startup->retries > 0;
    if (by_startup || check.on_unhealthy == plan::OnUnhealthy::restart) {
        throw Error("a container in the foreground is not started again")
            .at(by_startup ? "--health-startup-retries" : "--health-on-failure restart")
            .mend(by_startup ? "add -d, or drop it" : "add -d, or give kill or stop");
    }
}

void refuse_flags_without_check(const RunFlags& flags) {
    if (flags.health.none && flags.health.command) {
        throw Error("--no-healthcheck does not go with --health-cmd").mend("drop one of them");
    }
    const char* given = first_given(flags.health);
    if (flags.sdnotify == "healthy") {
        given = "--sdnotify healthy";
    }
    if (given != nullptr) {
        throw Error("the container has no health check")
            .at(given)
            .mend(std::string("give --health-cmd, or drop ") + given);
    }
}

void read_times(plan::HealthCheck& check, const HealthFlags& flags) {
    if (flags.interval == "disable") {
        check.interval.reset();
    } else if (flags.interval) {
        check.interval = parse_duration("--health-interval", *flags.interval, false);
    }
    if (flags.timeout) {
        check.timeout = parse_duration("--health-timeout", *flags.timeout, false);
    }
    if (flags.start_period) {
        check.start_period = parse_duration("--health-start-period", *flags.start_period, true);
    }
    if (flags.start_interval) {
        check.start_interval =
            parse_duration("--health-start-interval", *flags.start_interval, false);
    }
}

} // namespace

std::optional<plan::HealthCheck> health_check(const RunFlags& flags) {
    plan::HealthCheck check;
    if (flags.health.command && !flags.health.none) {
        check.command = parse_command("--health-cmd", *flags.health.command);
    }
    read_times(check, flags.health);
    if (flags.health.retries) {
        check.retries = static_cast<int>(parse_in_range(
            "--health-retries", *flags.health.retries, 1, std::numeric_limits<int>::max()));
    }
    if (flags.health.on_failure) {
        check.on_unhealthy = parse_action(*flags.health.on_failure);
    }
    check.startup = startup_check(flags.health);
    if (check.command.empty()) {
        refuse_flags_without_check(flags);
        return std::nullopt;
    }
    refuse_restarts(flags, check);
    if (flags.sdnotify == "healthy" && !check.interval) {
        throw Error("nothing would ever find the container healthy")
            .at("--sdnotify healthy")
            .because("its checks are made by hand alone")
            .mend("drop --health-interval disable");
    }
    return check;
}

} // namespace sctr::cli
