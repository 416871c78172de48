// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/cgroup_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/launch_plan.hpp"
#include "plan/unit_properties.hpp"

namespace sctr::plan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t infinity = UINT64_MAX;

struct Case {
    std::vector<UnitProperty> properties;
    std::vector<CgroupFile> files;
};

TEST(CgroupFiles, SayWhatTheProperties) {
    for (const Case& each : {
             Case{{{"MemoryMax", std::uint64_t{64}}}, {{"memory.max", "64"}}},
             Case{{{"MemoryMax", infinity}}, {{"memory.max", "max"}}},
             Case{{{"MemorySwapMax", std::uint64_t{0}}}, {{"memory.swap.max", "0"}}},
             Case{{{"TasksMax", std::uint64_t{7}}}, {{"pids.max", "7"}}},
             Case{{{"CPUWeight", std::uint64_t{59}}}, {{"cpu.weight", "59"}}},
             Case{{{"CPUWeight", std::uint64_t{0}}}, {{"cpu.idle", "1"}}},
             Case{{{"CPUQuotaPerSecUSec", std::uint64_t{500'000}}}, {{"cpu.max", "50000 100000"}}},
             Case{{{"CPUQuotaPerSecUSec", std::uint64_t{2'000'000}},
                   {"CPUQuotaPeriodUSec", std::uint64_t{10'000}}},
                  {{"cpu.max", "20000 10000"}}},
             Case{{{"CPUQuotaPerSecUSec", infinity}}, {{"cpu.max", "max 100000"}}},
             Case{{{"AllowedCPUs", std::vector<std::uint8_t>{0b101, 1}}},
                  {{"cpuset.cpus", "0,2,8"}}},
             Case{{{"IOReadBandwidthMax",
                    DeviceLimits{{"/dev/block/8:0", 5}, {"/dev/block/8:16", infinity}}}},
                  {{"io.max", "8:0 rbps=5"}, {"io.max", "8:16 rbps=max"}}},
             Case{{{"OOMPolicy", std::string("kill")}}, {{"memory.oom.group", "1"}}},
             Case{{{"OOMPolicy", std::string("continue")}, {"Description", std::string("x")}}, {}},
         }) {
        EXPECT_EQ(cgroup_files(each.properties).files, each.files) << each.properties.front().name;
    }
}

TEST(CgroupFiles, FilterDevicesUnlessAllAreAllowed) {
    const StringPairs allowed{{"/dev/char/1:3", "rwm"}};
    const CgroupPlan strict =
        cgroup_files({{"DevicePolicy", std::string("strict")}, {"DeviceAllow", allowed}});
    EXPECT_TRUE(strict.filters_devices);
    EXPECT_EQ(strict.devices, allowed);
    EXPECT_FALSE(cgroup_files({{"DevicePolicy", std::string("auto")}}).filters_devices);
    EXPECT_FALSE(cgroup_files({}).filters_devices);
}

TEST(CgroupFiles, StandInPlaceOfAScope) {
    Request request;
    request.id = "web";
    request.spec.process.emplace().args = {"true"};
    request.spec.root.path = "/rootfs";
    request.spec.linux.namespaces = {{.type = oci::NamespaceType::mount}};
    request.spec.linux.resources.pids_limit = 7;
    request.extra_properties = {{"KillSignal", std::int32_t{15}}, {"MemoryHigh", std::uint64_t{9}}};
    request.cgroup = "/system.slice/web.service/payload";
    host::Facts facts;
    facts.controllers = {"pids", "memory"};
    facts.is_root = true;
    const LaunchPlan plan = make(request, facts);
    EXPECT_EQ(plan.unit.name, "");
    EXPECT_THAT(plan.unit.properties, IsEmpty());
    EXPECT_EQ(plan.cgroup.path, request.cgroup);
    EXPECT_THAT(plan.cgroup.files,
                ElementsAre(CgroupFile{"memory.high", "9"}, CgroupFile{"pids.max", "7"}));
}

} // namespace
} // namespace sctr::plan
