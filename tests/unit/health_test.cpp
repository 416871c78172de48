// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "cli/health_view.hpp"
#include "cli/request_builder.hpp"
#include "container/health.hpp"

namespace sctr {
namespace {

using container::after_check;
using container::Health;
using container::HealthResult;
using container::HealthState;
using plan::HealthCheck;
using plan::OnUnhealthy;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr std::int64_t second = 1'000'000;

/// A check that ended so many seconds after the start.
HealthResult result(int status, int at) {
    return {
        .start_usec = at * second, .end_usec = at * second, .exit_status = status, .output = ""};
}

TEST(Health, ChangesWithEachCheck) {
    struct Case {
        const char* what;
        HealthCheck check;
        std::vector<HealthResult> results;
        Health health;
        int streak;
    };

    const HealthCheck patient{.start_period = seconds(10), .retries = 2};
    const std::vector<Case> cases = {
        {"nothing yet", {}, {}, Health::starting, 0},
        {"good", {}, {result(0, 1)}, Health::healthy, 0},
        {"bad, not often enough", {}, {result(1, 1), result(9, 2)}, Health::starting, 2},
        {"bad", {}, {result(1, 1), result(1, 2), result(137, 3)}, Health::unhealthy, 3},
        {"bad after good", {.retries = 1}, {result(0, 1), result(1, 2)}, Health::unhealthy, 1},
        {"stays healthy", {.retries = 2}, {result(0, 1), result(1, 2)}, Health::healthy, 1},
        {"recovers", {.retries = 1}, {result(1, 1), result(0, 2)}, Health::healthy, 0},
        {"in the start period", patient, {result(1, 1), result(1, 9)}, Health::starting, 0},
        {"after it", patient, {result(1, 1), result(1, 11), result(1, 12)}, Health::unhealthy, 2},
        {"good ends it", patient, {result(0, 1), result(1, 2), result(1, 3)}, Health::unhealthy, 2},
    };
    for (const Case& each : cases) {
        HealthState state{.check = each.check};
        for (const HealthResult& one : each.results) {
            state = after_check(state, one);
        }
        EXPECT_EQ(state.health, each.health) << each.what;
        EXPECT_EQ(state.failing_streak, each.streak) << each.what;
        EXPECT_EQ(state.log.size(), each.results.size()) << each.what;
    }
}

TEST(Health, ChecksBeginWhenTheStartupCheckHasSucceeded) {
    struct Case {
        const char* what;
        plan::StartupCheck startup;
        std::vector<int> statuses;
        Health health;
        bool is_starting_up;
        bool has_failed;
    };

    const std::vector<Case> cases = {
        {"nothing yet", {}, {}, Health::starting, true, false},
        {"failures do not count", {}, {1, 1, 1, 1, 1}, Health::starting, true, false},
        {"good", {}, {1, 0}, Health::starting, false, false},
        {"then a check of its health", {}, {1, 0, 0}, Health::healthy, false, false},
        {"which may fail", {}, {0, 1, 1, 1}, Health::unhealthy, false, false},
        {"not often enough", {.successes = 2}, {0, 1}, Health::starting, true, false},
        {"often enough", {.successes = 2}, {0, 1, 0}, Health::starting, false, false},
        {"not failed too often", {.retries = 2}, {1}, Health::starting, true, false},
        {"failed too often", {.retries = 2}, {1, 1}, Health::unhealthy, true, true},
        {"failed before it was good", {.retries = 2}, {1, 0, 1}, Health::starting, false, false},
    };
    for (Case each : cases) {
        each.startup.command = {"up"};
        each.startup.timeout = seconds(7);
        HealthState state{.check = {.command = {"well"}, .startup = each.startup}};
        for (const int status : each.statuses) {
            state = after_check(state, result(status, 1));
        }
        EXPECT_EQ(state.health, each.health) << each.what;
        EXPECT_EQ(container::is_starting_up(state), each.is_starting_up) << each.what;
        EXPECT_EQ(container::has_failed_startup(state), each.has_failed) << each.what;
        const HealthCheck due = container::due_check(state);
        EXPECT_EQ(due.command.front(), each.is_starting_up ? "up" : "well") << each.what;
        EXPECT_EQ(due.timeout, seconds(each.is_starting_up ? 7 : 30)) << each.what;
        EXPECT_EQ(container::health_from_json(container::to_json(state)), state) << each.what;
    }
}

TEST(Health, KeepsTheLatestResultsAndTheBeginningOfOutput) {
    HealthState state;
    for (int turn = 0; turn < 9; ++turn) {
        state = after_check(state, result(turn, turn));
    }
    ASSERT_EQ(state.log.size(), container::health_log_length);
    EXPECT_EQ(state.log.front().exit_status, 4);
    EXPECT_EQ(state.log.back().exit_status, 8);
    state = after_check(state, {.output = std::string(9999, 'x')});
    EXPECT_EQ(state.log.back().output, std::string(container::health_output_length, 'x'));
    state = after_check(state, {.output = "a\xff"});
    EXPECT_EQ(state.log.back().output, "a\xef\xbf\xbd");
}

TEST(Health, ComesBackAsItWas) {
    HealthState state{.check = {.command = {"sh", "-c", "ü\n\""},
                                .interval = std::nullopt,
                                .timeout = seconds(2),
                                .start_period = seconds(3),
                                .start_interval = seconds(4),
                                .retries = 5,
                                .on_unhealthy = OnUnhealthy::restart},
                      .started_usec = 7,
                      .health = Health::unhealthy,
                      .failing_streak = 6,
                      .log = {{.start_usec = 1, .end_usec = 2, .exit_status = 3, .output = "o\n"}}};
    EXPECT_EQ(container::health_from_json(container::to_json(state)), state);
    state.check.interval = seconds(1);
    EXPECT_EQ(container::health_from_json(container::to_json(state)), state);
    const std::string text = container::to_json(state);
    for (const std::string& bad : {std::string(), std::string("{}"), text.substr(0, 40)}) {
        EXPECT_FALSE(container::health_from_json(bad)) << bad;
    }
}

TEST(Health, IsShownAsDockerHasIt) {
    const HealthState state =
        after_check({}, {.end_usec = second, .exit_status = 1, .output = "no"});
    const auto json = cli::health_json(state);
    EXPECT_EQ(json.at("status"), "starting");
    EXPECT_EQ(json.at("failingStreak"), 1);
    EXPECT_EQ(json.at("log").at(0).at("exitCode"), 1);
    EXPECT_EQ(json.at("log").at(0).at("output"), "no");
}

cli::RunFlags flags_of(std::vector<std::string> words) {
    words.insert(words.begin(), "-d");
    return cli::parse_run_flags(words);
}

TEST(HealthFlags, AreRead) {
    struct Case {
        std::vector<std::string> words;
        std::optional<HealthCheck> check;
    };

    const std::vector<std::string> shell = {"/bin/sh", "-c", "curl -f localhost"};
    const std::string command = "--health-cmd=curl -f localhost";
    const std::vector<Case> cases = {
        {{}, std::nullopt},
        {{"--no-healthcheck"}, std::nullopt},
        {{"--health-cmd", "none"}, std::nullopt},
        {{"--health-cmd", R"(["NONE"])"}, std::nullopt},
        {{command}, HealthCheck{.command = shell}},
        {{"--health-cmd", R"(["CMD-SHELL", "curl -f localhost"])"}, HealthCheck{.command = shell}},
        {{"--health-cmd", R"(["CMD", "a", "b c"])"}, HealthCheck{.command = {"a", "b c"}}},
        {{"--health-cmd", R"(["a", "b"])"}, HealthCheck{.command = {"a", "b"}}},
        {{command, "--health-interval", "disable"},
         HealthCheck{.command = shell, .interval = std::nullopt}},
        {{command,
          "--health-interval=1m30s",
          "--health-timeout=500ms",
          "--health-retries=1",
          "--health-start-period=0",
          "--health-start-interval=2s",
          "--health-on-failure=restart"},
         HealthCheck{.command = shell,
                     .interval = seconds(90),
                     .timeout = std::chrono::milliseconds(500),
                     .start_interval = seconds(2),
                     .retries = 1,
                     .on_unhealthy = OnUnhealthy::restart}},
        {{command, "--health-startup-cmd", "true"},
         HealthCheck{.command = shell,
                     .startup = plan::StartupCheck{.command = {"/bin/sh", "-c", "true"}}}},
        {{command, "--health-startup-cmd", "none"}, HealthCheck{.command = shell}},
        {{command, "--health-startup-cmd", "[\"a\"]", "--health-startup-success=0"},
         HealthCheck{.command = shell, .startup = plan::StartupCheck{.command = {"a"}}}},
        {{command,
          "--health-startup-cmd=[\"a\"]",
          "--health-startup-interval=1s",
          "--health-startup-timeout=2s",
          "--health-startup-retries=3",
          "--health-startup-success=4"},
         HealthCheck{.command = shell,
                     .startup = plan::StartupCheck{.command = {"a"},
                                                   .interval = seconds(1),
                                                   .timeout = seconds(2),
                                                   .retries = 3,
                                                   .successes = 4}}},
    };
    for (const Case& each : cases) {
        EXPECT_EQ(cli::health_check(flags_of(each.words)), each.check)
            << testing::PrintToString(each.words);
    }
}

TEST(HealthFlags, AreRefused) {
    struct Case {
        std::vector<std::string> words;
        const char* said;
    };

    const std::vector<Case> cases = {
        {{"--health-interval=1s"}, "no health check"},
        {{"--sdnotify=healthy"}, "no health check"},
        {{"--no-healthcheck", "--health-cmd=x"}, "does not go with"},
        {{"--health-cmd="}, "--health-cmd"},
        {{"--health-cmd=[1]"}, "array of strings"},
        {{"--health-cmd=[\"a\""}, "array of strings"},
        {{"--health-cmd=[]"}, "no program"},
        {{"--health-cmd=[\"CMD\"]"}, "no program"},
        {{"--health-cmd=[\"CMD-SHELL\"]"}, "no program"},
        {{"--health-cmd=x", "--health-interval=0"}, "out of range"},
        {{"--health-cmd=x", "--health-timeout=soon"}, "--health-timeout"},
        {{"--health-cmd=x", "--health-start-period=-1s"}, "--health-start-period"},
        {{"--health-cmd=x", "--health-retries=0"}, "--health-retries"},
        {{"--health-cmd=x", "--health-on-failure=panic"}, "--health-on-failure"},
        {{"--health-cmd=x", "--health-interval=disable", "--sdnotify=healthy"}, "by hand"},
        {{"--detach=false", "--health-cmd=x", "--health-on-failure=restart"}, "foreground"},
        {{"--health-startup-cmd=x"}, "no health check"},
        {{"--health-cmd=x", "--health-startup-retries=1"}, "no startup check"},
        {{"--health-cmd=x", "--health-startup-timeout=1s"}, "no startup check"},
        {{"--health-cmd=x", "--health-startup-cmd="}, "--health-startup-cmd"},
        {{"--health-cmd=x", "--health-startup-cmd=[1]"}, "array of strings"},
        {{"--health-cmd=x", "--health-startup-cmd=y", "--health-startup-interval=disable"},
         "--health-startup-interval"},
        {{"--health-cmd=x", "--health-startup-cmd=y", "--health-startup-success=-1"},
         "--health-startup-success"},
        {{"--detach=false",
          "--health-cmd=x",
          "--health-startup-cmd=y",
          "--health-startup-retries=1"},
         "foreground"},
    };
    for (const Case& each : cases) {
        try {
            (void)cli::health_check(flags_of(each.words));
            ADD_FAILURE() << testing::PrintToString(each.words);
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr(each.said)) << testing::PrintToString(each.words);
        }
    }
}

} // namespace
} // namespace sctr
