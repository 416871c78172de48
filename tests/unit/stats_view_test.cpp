// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/stats_view.hpp"
#include "plan/machine.hpp"

/// What sctr stats shows of numbers, and which names machined takes.
namespace sctr::cli {
namespace {

using container::Usage;
using nlohmann::json;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

Usage usage(std::set<std::string> controllers = {"cpu", "memory", "pids", "io"}) {
    Usage usage{.id = "web", .unit = "sctr-web.scope", .controllers = std::move(controllers)};
    usage.stats.cpu = {.usage_usec = 3'000'001, .user_usec = 2'000'000, .system_usec = 1'000'001};
    usage.stats.cpu.pressure = container::Pressure{
        .some = {.avg10 = 12.34, .total_usec = 5'000'000}, .full = {.total_usec = 7}};
    usage.stats.memory.memory = {.usage = 32U << 20U, .peak = 48U << 20U, .limit = 64U << 20U};
    usage.stats.memory.swap.limit = container::MemoryAmount::unlimited;
    usage.stats.processes = 3;
    usage.stats.process_limit = 20;
    usage.stats.io = {{.major = 8, .minor = 1, .read_bytes = 1024, .write_bytes = 512},
                      {.major = 8, .minor = 2, .read_bytes = 1024, .write_bytes = 0}};
    return usage;
}

TEST(Stats, CpuPercent) {
    const struct {
        std::uint64_t before;
        std::uint64_t after;
        milliseconds elapsed;
        std::optional<double> percent;
    } cases[] = {
        {0, 0, milliseconds(1000), 0.0},
        {1'000'000, 1'500'000, milliseconds(1000), 50.0},
        {0, 2'000'000, milliseconds(1000), 200.0},
        {0, 250'000, milliseconds(500), 50.0},
        {0, 1, milliseconds(0), std::nullopt},
        {2, 1, milliseconds(1000), std::nullopt}, // another container by that name
    };

    for (const auto& each : cases) {
        Usage earlier;
        Usage now;
        earlier.stats.cpu.usage_usec = each.before;
        now.stats.cpu.usage_usec = each.after;
        now.taken = earlier.taken + each.elapsed;
        EXPECT_EQ(cpu_percent(earlier, now), each.percent) << each.after;
    }
}

TEST(Stats, Bytes) {
    const struct {
        std::uint64_t bytes;
        const char* text;
    } cases[] = {
        {0, "0B"},
        {1023, "1023B"},
        {1024, "1.0K"},
        {1536, "1.5K"},
        {64U << 20U, "64.0M"},
        {std::uint64_t{3} << 30U, "3.0G"},
        {~std::uint64_t{0}, "16.0E"},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(format_bytes(each.bytes), each.text);
    }
}

TEST(Stats, Table) {
    const std::string text = stats_table({{.usage = usage(), .cpu_percent = 7.25}});
    for (const char* word :
         {"web", "7.2%", "32.0M / 64.0M", "50.0%", "3 / 20", "2.0K / 512B", "12.3%"}) {
        EXPECT_THAT(text, HasSubstr(word));
    }
    EXPECT_THAT(stats_table({{.usage = usage({})}}), Not(HasSubstr("64.0M")))
        << "without a controller its zeros are no numbers";
}

TEST(Stats, Json) {
    const json row = json::parse(stats_json({{.usage = usage(), .cpu_percent = 7.5}}, true))[0];
    EXPECT_EQ(row["name"], "web");
    EXPECT_EQ(row["unit"], "sctr-web.scope");
    EXPECT_EQ(row["cpu"]["percent"], 7.5);
    EXPECT_EQ(row["memory"]["limit"], 64 << 20);
    EXPECT_FALSE(row["swap"].contains("limit"));
    EXPECT_EQ(row["tasks"], json({{"current", 3}, {"limit", 20}}));
    EXPECT_EQ(row["io"][1]["device"], "8:2");
    EXPECT_EQ(row["pressure"]["cpu"]["some"]["totalUsec"], 5'000'000);
    EXPECT_FALSE(row["pressure"].contains("io"));
    const json bare = json::parse(stats_json({{.usage = usage({})}}, false))[0];
    for (const char* key : {"memory", "swap", "tasks", "io"}) {
        EXPECT_FALSE(bare.contains(key)) << key;
    }
    EXPECT_FALSE(bare["cpu"].contains("percent"));
}

TEST(Stats, OpenMetrics) {
    const std::string text = stats_openmetrics({usage(), usage({"memory"})});
    for (const char* line : {
             "# TYPE sctr_container_cpu_seconds counter\n"
             "# UNIT sctr_container_cpu_seconds seconds\n"
             "# HELP sctr_container_cpu_seconds CPU time used, by mode.\n"
             "sctr_container_cpu_seconds_total{name=\"web\",mode=\"user\"} 2.000000\n"
             "sctr_container_cpu_seconds_total{name=\"web\",mode=\"system\"} 1.000001\n",
             "\nsctr_container_memory_limit_bytes{name=\"web\"} 67108864\n",
             "\nsctr_container_io_read_bytes_total{name=\"web\",device=\"8:1\"} 1024\n",
             "\nsctr_container_pressure_waiting_seconds_total{name=\"web\",resource=\"cpu\"} "
             "5.000000\n",
         }) {
        EXPECT_THAT(text, HasSubstr(line));
    }
    EXPECT_TRUE(text.ends_with("# EOF\n"));
    EXPECT_EQ(text.find("# TYPE sctr_container_tasks gauge"),
              text.rfind("# TYPE sctr_container_tasks gauge"));
    EXPECT_EQ(stats_openmetrics({}), "# EOF\n");
}

TEST(Stats, LabelsAreEscaped) {
    EXPECT_EQ(escape_label("a\"b\\c\nd\u00e9"), "a\\\"b\\\\c\\nd\u00e9");
}

TEST(CgroupOfUnit, IsCutAfterTheUnit) {
    const struct {
        const char* path;
        const char* expected;
    } cases[] = {
        {"/sctr.slice/sctr-web.scope", "/sctr.slice/sctr-web.scope"},
        {"/sctr.slice/sctr-web.scope/init.scope", "/sctr.slice/sctr-web.scope"},
        {"/sctr.slice/sctr-web2.scope", ""},
        {"/", ""},
        {"", ""},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(container::cgroup_of_unit(each.path, "sctr-web.scope"), each.expected);
    }
    EXPECT_EQ(container::cgroup_of_unit("/a", ""), "");
}

TEST(MachineNames, AreHostNames) {
    const struct {
        std::string name;
        bool good;
    } cases[] = {
        {"web", true},
        {"web-1.example_org", true},
        {"1", true},
        {"_x", true},
        {std::string(64, 'a'), true},
        {std::string(65, 'a'), false},
        {"", false},
        {".", false},
        {"a..b", false},
        {"a.", false},
        {".a", false},
        {"a-", false},
        {"-a", false},
        {"a-.b", false},
        {"a.-b", false},
        {"a+b", false},
        {"a b", false},
        {"\u00fc", false},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(plan::is_machine_name(each.name), each.good) << each.name;
    }
}

} // namespace
} // namespace sctr::cli
