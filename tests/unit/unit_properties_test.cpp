// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/unit_properties.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sctr::plan {
namespace {

using oci::Resources;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Mask = std::vector<std::uint8_t>;
using Properties = std::vector<UnitProperty>;

constexpr std::uint64_t infinity = UINT64_MAX;

host::Facts everything() {
    return {.is_root = true, .controllers = {"cpu", "cpuset", "io", "memory", "pids"}};
}

UnitProperty number(std::string name, std::uint64_t value) {
    return {std::move(name), value};
}

UnitProperty text(std::string name, std::string value) {
    return {std::move(name), std::move(value)};
}

Properties plan(const Resources& resources) {
    return resource_properties(resources, everything());
}

std::string message(const Resources& resources,
                    const host::Facts& facts = everything(),
                    const ResourceOptions& options = {}) {
    try {
        resource_properties(resources, facts, options);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

TEST(UnitDescription, IsALineThatSystemdCanPrint) {
    struct Case {
        std::string text;
        std::string description;
    };

    const std::vector<Case> cases{
        {"Container web: sh -c x", "Container web: sh -c x"},
        {"a\nb\x1b[0m\x7f", "ab[0m"},
        {"a\xc2\x9b[0m\xc2\xa0\xc2\x80", "a[0m\xc2\xa0"},
        {"\xff", "\xef\xbf\xbd"},
        {std::string(std::size_t{7} << 20U, 'x'), std::string(200, 'x')},
        {std::string(199, 'x') + "\xc3\xa9", std::string(199, 'x')},
    };
    for (const Case& each : cases) {
        EXPECT_EQ(unit_description(each.text), each.description) << each.text.substr(0, 40);
    }
}

TEST(CpuWeight, FollowsTheTableOfThePeers) {
    const struct {
        std::uint64_t shares;
        std::uint64_t weight;
    } cases[] = {
        {1, 1},
        {2, 1},
        {128, 21},
        {512, 59},
        {1000, 99},
        {1024, 100},
        {2048, 174},
        {4096, 303},
        {262144, 10000},
        {infinity, 10000},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(cpu_weight_from_shares(each.shares), each.weight) << each.shares;
    }
}

TEST(CpuQuota, IsRoundedUpToTenMilliseconds) {
    const struct {
        std::uint64_t quota;
        std::uint64_t period;
        std::uint64_t per_second;
    } cases[] = {
        {100000, 100000, 1000000},
        {50000, 100000, 500000},
        {20000, 100000, 200000},
        {1000, 100000, 10000},
        {1001, 100000, 20000},
        {1000, 1000000, 10000},
        {33333, 100000, 340000},
        {1, 3, 340000},
        {400000, 100000, 4000000},
        {9223372036854775807, 1000, infinity},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(cpu_quota_per_second(each.quota, each.period), each.per_second)
            << each.quota << " in " << each.period;
    }
}

TEST(NumberMask, IsLittleEndian) {
    EXPECT_EQ(number_mask({}), Mask{});
    EXPECT_EQ(number_mask({0}), Mask{0x01});
    EXPECT_EQ(number_mask({0, 1, 2, 3, 7}), Mask{0x8f});
    EXPECT_EQ(number_mask({9}), (Mask{0x00, 0x02}));
    EXPECT_EQ(number_mask({1, 64, 71}), (Mask{0x02, 0, 0, 0, 0, 0, 0, 0, 0x81}));
}

TEST(IoWeight, MeetsBothEnds) {
    EXPECT_EQ(io_weight_from_blkio(10), 1U);
    EXPECT_EQ(io_weight_from_blkio(100), 910U);
    EXPECT_EQ(io_weight_from_blkio(500), 4950U);
    EXPECT_EQ(io_weight_from_blkio(1000), 10000U);
}

TEST(ResourceProperties, OfNothingAreNone) {
    EXPECT_THAT(plan({}), IsEmpty());
    EXPECT_THAT(plan({.memory = oci::Memory{.limit = 0, .swap = 0, .swappiness = 0},
                      .cpu = oci::Cpu{.shares = 0, .quota = 0, .burst = 0, .period = 0, .idle = 0},
                      .block_io = oci::BlockIo{.weight = 0}}),
                IsEmpty());
}

TEST(ResourceProperties, OfCpu) {
    const struct {
        oci::Cpu cpu;
        Properties properties;
    } cases[] = {
        {{.shares = 1024}, {number("CPUWeight", 100)}},
        {{.shares = 1024, .idle = 1}, {number("CPUWeight", 0)}},
        {{.quota = 50000}, {number("CPUQuotaPerSecUSec", 500000)}},
        {{.quota = 50000, .period = 200000},
         {number("CPUQuotaPeriodUSec", 200000), number("CPUQuotaPerSecUSec", 250000)}},
        {{.quota = -1}, {number("CPUQuotaPerSecUSec", infinity)}},
        {{.quota = 0, .period = 100000},
         {number("CPUQuotaPeriodUSec", 100000), number("CPUQuotaPerSecUSec", infinity)}},
        {{.period = 50000}, {number("CPUQuotaPeriodUSec", 50000)}},
        {{.cpus = "0-1,64", .mems = "0"},
         {{"AllowedCPUs", Mask{3, 0, 0, 0, 0, 0, 0, 0, 1}}, {"AllowedMemoryNodes", Mask{1}}}},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(plan({.cpu = each.cpu}), each.properties);
    }
}

TEST(ResourceProperties, OfMemory) {
    constexpr std::int64_t mib = 1 << 20;

    const struct {
        oci::Memory memory;
        Properties properties;
    } cases[] = {
        {{.limit = mib}, {number("MemoryMax", mib)}},
        {{.limit = -1}, {number("MemoryMax", infinity), number("MemorySwapMax", infinity)}},
        {{.reservation = mib}, {number("MemoryLow", mib)}},
        {{.limit = mib, .swap = 3 * mib},
         {number("MemoryMax", mib), number("MemorySwapMax", 2 * mib)}},
        {{.limit = mib, .swap = mib}, {number("MemoryMax", mib), number("MemorySwapMax", 0)}},
        {{.limit = mib, .swap = -1}, {number("MemoryMax", mib), number("MemorySwapMax", infinity)}},
        {{.swap = -1}, {number("MemorySwapMax", infinity)}},
        {{.kernel = -1, .kernel_tcp = 0, .swappiness = infinity, .disable_oom_killer = false}, {}},
        {{.swappiness = 60, .use_hierarchy = true, .check_before_update = true}, {}},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(plan({.memory = each.memory}), each.properties);
    }
}

TEST(ResourceProperties, OfPids) {
    for (const auto& [limit, tasks] : {std::pair<std::int64_t, std::uint64_t>{-1, infinity},
                                       {-7, infinity},
                                       {0, 1},
                                       {1, 1},
                                       {2048, 2048}}) {
        EXPECT_EQ(plan({.pids_limit = limit}), Properties{number("TasksMax", tasks)}) << limit;
    }
}

TEST(ResourceProperties, OfBlockIo) {
    const oci::BlockIo io{
        .weight = 500,
        .weight_device = {{.major = 8, .minor = 0, .weight = 10}, {.major = 8, .minor = 16}},
        .throttle_read_bps_device = {{8, 0, 1024}, {8, 16, 0}},
        .throttle_write_bps_device = {{8, 0, 1}, {8, 0, 2}},
        .throttle_read_iops_device = {{259, 1, 3}},
        .throttle_write_iops_device = {{8, 0, 4}},
    };
    EXPECT_EQ(plan({.block_io = io}),
              (Properties{
                  number("IOWeight", 4950),
                  {"IODeviceWeight", DeviceLimits{{"/dev/block/8:0", 1}}},
                  {"IOReadBandwidthMax",
                   DeviceLimits{{"/dev/block/8:0", 1024}, {"/dev/block/8:16", infinity}}},
                  {"IOWriteBandwidthMax", DeviceLimits{{"/dev/block/8:0", 2}}},
                  {"IOReadIOPSMax", DeviceLimits{{"/dev/block/259:1", 3}}},
                  {"IOWriteIOPSMax", DeviceLimits{{"/dev/block/8:0", 4}}},
              }));
}

TEST(ResourceProperties, OfUnified) {
    const struct {
        const char* key;
        const char* value;
        Properties properties;
    } cases[] = {
        {"memory.max", "1048576", {number("MemoryMax", 1048576)}},
        {"memory.max", "max\n", {number("MemoryMax", infinity)}},
        {"memory.high", "5", {number("MemoryHigh", 5)}},
        {"memory.low", "0", {number("MemoryLow", 0)}},
        {"memory.min", "7", {number("MemoryMin", 7)}},
        {"memory.swap.max", "0", {number("MemorySwapMax", 0)}},
        {"memory.zswap.max", "max", {number("MemoryZSwapMax", infinity)}},
        {"memory.zswap.writeback", "0", {{"MemoryZSwapWriteback", false}}},
        {"memory.oom.group", "1", {text("OOMPolicy", "kill")}},
        {"memory.oom.group", "0", {text("OOMPolicy", "continue")}},
        {"cpu.max",
         "50000 200000",
         {number("CPUQuotaPeriodUSec", 200000), number("CPUQuotaPerSecUSec", 250000)}},
        {"cpu.max", "50000", {number("CPUQuotaPerSecUSec", 500000)}},
        {"cpu.max",
         "max 100000",
         {number("CPUQuotaPeriodUSec", 100000), number("CPUQuotaPerSecUSec", infinity)}},
        {"cpu.weight", "300", {number("CPUWeight", 300)}},
        {"cpu.idle", "1", {number("CPUWeight", 0)}},
        {"cpu.idle", "0", {}},
        {"cpuset.cpus", "8", {{"AllowedCPUs", Mask{0, 1}}}},
        {"cpuset.mems", "0-1", {{"AllowedMemoryNodes", Mask{3}}}},
        {"pids.max", "max", {number("TasksMax", infinity)}},
        {"pids.max", "12", {number("TasksMax", 12)}},
        {"pids.max", "0", {number("TasksMax", 1)}},
        {"io.weight", "250", {number("IOWeight", 250)}},
        {"io.weight",
         "default 100\n8:0 200",
         {number("IOWeight", 100), {"IODeviceWeight", DeviceLimits{{"/dev/block/8:0", 200}}}}},
        {"io.max",
         "8:0 rbps=1 wiops=max\n8:16 rbps=2",
         {{"IOReadBandwidthMax", DeviceLimits{{"/dev/block/8:0", 1}, {"/dev/block/8:16", 2}}},
          {"IOWriteIOPSMax", DeviceLimits{{"/dev/block/8:0", infinity}}}}},
        {"io.latency",
         "8:0 target=500",
         {{"IODeviceLatencyTargetUSec", DeviceLimits{{"/dev/block/8:0", 500}}}}},
    };

    for (const auto& each : cases) {
        const auto properties = plan({.unified = {{each.key, each.value}}});
        EXPECT_THAT(properties, testing::UnorderedElementsAreArray(each.properties))
            << each.key << " " << each.value;
    }
}

TEST(ResourceProperties, OfUnifiedWin) {
    EXPECT_EQ(plan({.memory = oci::Memory{.limit = 1}, .unified = {{"memory.max", "2"}}}),
              Properties{number("MemoryMax", 2)});
    EXPECT_EQ(plan({.unified = {{"cpu.idle", "1"}, {"cpu.weight", "5"}}}),
              Properties{number("CPUWeight", 0)});
}

TEST(ResourceProperties, RefuseWhatNoPropertyCanSay) {
    const struct {
        Resources resources;
        const char* pointer;
        const char* why;
    } cases[] = {
        {{.hugepage_limits = {{"2MB", 1}}},
         "/linux/resources/hugepageLimits/0",
         "no unit property"},
        {{.rdma = {{"mlx5_1", {}}}}, "/linux/resources/rdma/mlx5_1", "no unit property"},
        {{.network = oci::Network{.class_id = 1}}, "/linux/resources/network/classID", "net_cls"},
        {{.network = oci::Network{.priorities = {{"eth0", 1}}}}, "priorities/0", "net_prio"},
        {{.cpu = oci::Cpu{.burst = 1}}, "/linux/resources/cpu/burst", "no unit property"},
        {{.cpu = oci::Cpu{.realtime_runtime = 1}}, "cpu/realtimeRuntime", "no unit property"},
        {{.cpu = oci::Cpu{.realtime_period = 1}}, "cpu/realtimePeriod", "no unit property"},
        {{.cpu = oci::Cpu{.idle = 2}}, "/linux/resources/cpu/idle", "neither 0 nor 1"},
        {{.cpu = oci::Cpu{.quota = -2}}, "/linux/resources/cpu/quota", "-1 means unlimited"},
        {{.cpu = oci::Cpu{.period = 999}}, "/linux/resources/cpu/period", "1000 to 1000000"},
        {{.cpu = oci::Cpu{.period = 1000001}}, "/linux/resources/cpu/period", "1000 to 1000000"},
        {{.cpu = oci::Cpu{.cpus = "3-1"}}, "/linux/resources/cpu/cpus", "0-3,7"},
        {{.cpu = oci::Cpu{.mems = "x"}}, "/linux/resources/cpu/mems", "0-3,7"},
        {{.memory = oci::Memory{.limit = -2}}, "/linux/resources/memory/limit", "negative"},
        {{.memory = oci::Memory{.swap = 1}}, "/linux/resources/memory/swap", "no memory limit"},
        {{.memory = oci::Memory{.limit = -1, .swap = 1}}, "memory/swap", "no memory limit"},
        {{.memory = oci::Memory{.limit = 2, .swap = 1}}, "memory/swap", "below the 2 bytes"},
        {{.memory = oci::Memory{.limit = 2, .swap = -2}}, "memory/swap", "negative"},
        {{.memory = oci::Memory{.kernel = 1}}, "/linux/resources/memory/kernel", "cgroup v2"},
        {{.memory = oci::Memory{.kernel_tcp = 1}}, "memory/kernelTCP", "cgroup v2"},
        {{.memory = oci::Memory{.swappiness = 10}}, "memory/swappiness", "cgroup v2"},
        {{.memory = oci::Memory{.disable_oom_killer = true}}, "disableOOMKiller", "cgroup v2"},
        {{.block_io = oci::BlockIo{.weight = 9}}, "blockIO/weight", "10 to 1000"},
        {{.block_io = oci::BlockIo{.weight = 1001}}, "blockIO/weight", "10 to 1000"},
        {{.block_io = oci::BlockIo{.leaf_weight = 10}}, "blockIO/leafWeight", "no leaf weight"},
        {{.block_io = oci::BlockIo{.weight_device = {{.weight = 5}}}},
         "blockIO/weightDevice/0/weight",
         "10 to 1000"},
        {{.unified = {{"hugetlb.2MB.max", "1"}}}, "unified/hugetlb.2MB.max", "no unit property"},
        {{.unified = {{"memory.swap.high", "1"}}}, "unified/memory.swap.high", "no unit property"},
        {{.unified = {{"memory.max", "1G"}}}, "unified/memory.max", "a number or max"},
        {{.unified = {{"cpu.weight", "0"}}}, "unified/cpu.weight", "1 to 10000"},
        {{.unified = {{"cpu.weight", "10001"}}}, "unified/cpu.weight", "1 to 10000"},
        {{.unified = {{"cpu.max", "1 2 3"}}}, "unified/cpu.max", "QUOTA PERIOD"},
        {{.unified = {{"cpu.max", ""}}}, "unified/cpu.max", "QUOTA PERIOD"},
        {{.unified = {{"io.max", "8 rbps=1"}}}, "unified/io.max", "MAJOR:MINOR"},
        {{.unified = {{"io.max", "8:0 bps=1"}}}, "unified/io.max", "rbps"},
        {{.unified = {{"io.weight", "default"}}}, "unified/io.weight", "1 to 10000"},
        {{.unified = {{"memory.oom.group", "2"}}}, "unified/memory.oom.group", "0 or 1"},
    };

    for (const auto& each : cases) {
        const std::string said = message(each.resources);
        EXPECT_THAT(said, HasSubstr(each.pointer));
        EXPECT_THAT(said, HasSubstr(each.why));
    }
}

TEST(ResourceProperties, NameTheMissingController) {
    const struct {
        Resources resources;
        const char* controller;
        const char* pointer;
    } cases[] = {
        {{.memory = oci::Memory{.limit = 1}}, "memory", "/linux/resources/memory/limit"},
        {{.memory = oci::Memory{.limit = 1, .swap = 1}}, "memory", "/linux/resources/memory/limit"},
        {{.cpu = oci::Cpu{.quota = 1}}, "cpu", "/linux/resources/cpu/quota"},
        {{.cpu = oci::Cpu{.idle = 1}}, "cpu", "/linux/resources/cpu/idle"},
        {{.cpu = oci::Cpu{.cpus = "0"}}, "cpuset", "/linux/resources/cpu/cpus"},
        {{.pids_limit = 1}, "pids", "/linux/resources/pids/limit"},
        {{.block_io = oci::BlockIo{.weight = 10}}, "io", "/linux/resources/blockIO/weight"},
        {{.block_io = oci::BlockIo{.throttle_read_bps_device = {{8, 0, 1}}}},
         "io",
         "/linux/resources/blockIO/throttleReadBpsDevice/0"},
        {{.unified = {{"pids.max", "1"}}}, "pids", "/linux/resources/unified/pids.max"},
        {{.unified = {{"memory.oom.group", "1"}}}, "memory", "unified/memory.oom.group"},
    };

    for (const auto& each : cases) {
        host::Facts facts = everything();
        facts.controllers.erase(each.controller);
        const std::string said = message(each.resources, facts);
        EXPECT_THAT(said,
                    HasSubstr("the cgroup controller '" + std::string(each.controller) +
                              "' is not available on this host"));
        EXPECT_THAT(said, HasSubstr(each.pointer));
        EXPECT_EQ(message(each.resources), "no error");
    }
}

TEST(ResourceProperties, NameTheMendForRootAndForUsers) {
    const Resources resources{.pids_limit = 5};
    EXPECT_THAT(message(resources, {.is_root = true}), HasSubstr("cgroup_no_v1=all"));
    for (const host::Facts& facts :
         {host::Facts{.is_root = false}, host::Facts{.is_root = true, .is_rootless = true}}) {
        EXPECT_THAT(message(resources, facts),
                    AllOf(HasSubstr("'pids' is not delegated to this user's systemd"),
                          HasSubstr("systemctl edit user@.service")));
    }
}

TEST(ResourceProperties, NeedNoControllerForNoLimit) {
    const Resources resources{.memory = oci::Memory{.limit = -1, .swap = -1},
                              .cpu = oci::Cpu{.quota = -1},
                              .pids_limit = -1,
                              .unified = {{"memory.oom.group", "0"}}};
    EXPECT_EQ(resource_properties(resources, {.is_root = true}),
              Properties{text("OOMPolicy", "continue")});
}

TEST(ResourceProperties, CallALimitAsTheCallerDoes) {
    const ResourceOptions options{.name_of = [](std::string_view pointer) {
        return pointer == "/linux/resources/pids/limit" ? "--pids-limit" : "?";
    }};
    EXPECT_THAT(message({.pids_limit = 5}, {}, options),
                HasSubstr("cannot set the limit: --pids-limit: "));
}

} // namespace
} // namespace sctr::plan
