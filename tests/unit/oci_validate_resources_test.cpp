// SPDX-License-Identifier: LGPL-2.1-or-later
#include "validate_cases.hpp"

namespace sctr::oci {
namespace {

TEST(Validate, JudgesMemoryAndCpu) {
    const auto memory = [](const Memory& value) {
        return [value](Spec& s) { s.linux.resources.memory = value; };
    };
    const auto cpu = [](const Cpu& value) {
        return [value](Spec& s) { s.linux.resources.cpu = value; };
    };
    expect_all_refused({
        {memory({.limit = -2}), "/linux/resources/memory/limit", "out of range"},
        {memory({.reservation = -2}), "/linux/resources/memory/reservation", "out of range"},
        {memory({.swap = -2}), "/linux/resources/memory/swap", "out of range"},
        {memory({.kernel = -2}), "/linux/resources/memory/kernel", "out of range"},
        {memory({.kernel_tcp = -2}), "/linux/resources/memory/kernelTCP", "out of range"},
        {memory({.limit = 200, .swap = 199}), "/linux/resources/memory/swap", "199 is below"},
        {memory({.limit = -1, .swap = 199}), "/linux/resources/memory/swap", "needs a limit"},
        {memory({.swappiness = 101}), "/linux/resources/memory/swappiness", "0 to 100"},
        {cpu({.period = 999}), "/linux/resources/cpu/period", "1000 to 1000000"},
        {cpu({.period = 1'000'001}), "/linux/resources/cpu/period", "1000 to 1000000"},
        {cpu({.quota = 999}), "/linux/resources/cpu/quota", "1000 and more"},
        {cpu({.quota = -2}), "/linux/resources/cpu/quota", "-1 for unlimited"},
        {cpu({.quota = 1000, .burst = 1001}), "/linux/resources/cpu/burst", "above the quota"},
        {cpu({.idle = 2}), "/linux/resources/cpu/idle", "0 to 1"},
        {cpu({.cpus = "0-x"}), "/linux/resources/cpu/cpus", "\"0-x\""},
        {cpu({.mems = "9-1"}), "/linux/resources/cpu/mems", "\"9-1\""},
    });
    expect_all_accepted({
        memory({.limit = 200, .reservation = 100, .swap = 200, .kernel = -1, .swappiness = 100}),
        memory({.limit = -1, .swap = -1}),
        memory({.limit = 200, .swap = -1}),
        memory({.swap = 100}),
        memory({.limit = 200, .swap = 0}),
        cpu({.shares = 0, .quota = 0, .period = 0}),
        cpu({.shares = 1, .quota = -1, .burst = 5, .period = 1000}),
        cpu({.quota = 1000, .burst = 1000, .period = 1'000'000, .cpus = "0,2-3", .mems = "0"}),
    });
}

TEST(Validate, JudgesTheOtherResources) {
    const auto rule = [](const DeviceCgroup& value) {
        return [value](Spec& s) { s.linux.resources.devices = {value}; };
    };
    const auto block_io = [](const BlockIo& value) {
        return [value](Spec& s) { s.linux.resources.block_io = value; };
    };
    const auto hugepage = [](const char* size) {
        return [size](Spec& s) { s.linux.resources.hugepage_limits = {{.page_size = size}}; };
    };
    const auto unified = [](const char* file) {
        return [file](Spec& s) { s.linux.resources.unified[file] = "1"; };
    };
    expect_all_refused({
        {rule({.type = "p"}), "/linux/resources/devices/0/type", "a, b, c"},
        {rule({.major = -2}), "/linux/resources/devices/0/major", "out of range"},
        {rule({.minor = -2}), "/linux/resources/devices/0/minor", "out of range"},
        {rule({.access = "rwx"}), "/linux/resources/devices/0/access", "r, w and m"},
        {[](Spec& s) { s.linux.resources.pids_limit = -2; }, "/linux/resources/pids/limit", "-2"},
        {block_io({.weight = 9}), "/linux/resources/blockIO/weight", "10 to 1000"},
        {block_io({.leaf_weight = 1001}), "/linux/resources/blockIO/leafWeight", "10 to 1000"},
        {block_io({.weight_device = {{.major = 8}}}),
         "/linux/resources/blockIO/weightDevice/0",
         "weight or leafWeight"},
        {block_io({.weight_device = {{.major = 8, .weight = 5}}}),
         "/linux/resources/blockIO/weightDevice/0/weight",
         "10 to 1000"},
        {block_io({.throttle_read_bps_device = {{.major = -1}}}),
         "/linux/resources/blockIO/throttleReadBpsDevice/0/major",
         "out of range"},
        {block_io({.throttle_write_bps_device = {{.minor = -1}}}),
         "/linux/resources/blockIO/throttleWriteBpsDevice/0/minor",
         "out of range"},
        {block_io({.throttle_read_iops_device = {{}, {.major = -1}}}),
         "/linux/resources/blockIO/throttleReadIOPSDevice/1/major",
         "out of range"},
        {block_io({.throttle_write_iops_device = {{.major = -1}}}),
         "/linux/resources/blockIO/throttleWriteIOPSDevice/0/major",
         "out of range"},
        {hugepage("2mb"), "/linux/resources/hugepageLimits/0/pageSize", "2MB"},
        {hugepage("MB"), "/linux/resources/hugepageLimits/0/pageSize", "2MB"},
        {hugepage("2"), "/linux/resources/hugepageLimits/0/pageSize", "2MB"},
        {hugepage("../2MB"), "/linux/resources/hugepageLimits/0/pageSize", "2MB"},
        {[](Spec& s) { s.linux.resources.rdma["mlx5_1"] = {}; },
         "/linux/resources/rdma/mlx5_1",
         "hcaHandles or hcaObjects"},
        {unified("../memory.max"), "/linux/resources/unified/..~1memory.max", "cgroup file"},
        {unified(".."), "/linux/resources/unified/..", "cgroup file"},
        {unified(""), "/linux/resources/unified/", "cgroup file"},
    });
    expect_all_accepted({
        rule({.allow = true, .type = "c", .major = -1, .minor = 5, .access = "rwm"}),
        rule({.allow = false, .access = ""}),
        [](Spec& s) { s.linux.resources.pids_limit = -1; },
        block_io({.weight = 0, .leaf_weight = 10, .weight_device = {{.weight = 1000}}}),
        hugepage("64KB"),
        hugepage("1GB"),
        [](Spec& s) { s.linux.resources.rdma["mlx5_1"].hca_objects = 0; },
        unified("memory.high"),
    });
}

} // namespace
} // namespace sctr::oci
