// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>
#include <limits>
#include <utility>

#include "oci/rules.hpp"

namespace sctr::oci {
namespace {

constexpr auto unlimited = -1;
constexpr auto any_above = std::numeric_limits<std::int64_t>::max();

/// config-linux.md, Allowed Device list. -1 is the wildcard of older engines.
void check_device_rules(const Place& place, const std::vector<DeviceCgroup>& rules) {
    constexpr std::array<std::string_view, 4> types = {"", "a", "b", "c"};
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const auto& rule = rules[i];
        const Place here(place, i);
        require_one_of(Place(here, "type"), rule.type, types);
        require_range(Place(here, "major"), rule.major.value_or(0), -1, any_above);
        require_range(Place(here, "minor"), rule.minor.value_or(0), -1, any_above);
        require(rule.access.find_first_not_of("rwm") == std::string::npos,
                Place(here, "access"),
                "\"" + rule.access + "\" has letters other than r, w and m");
    }
}

/// config-linux.md, Memory. swap is memory and swap together.
void check_memory(const Place& place, const Memory& memory) {
    const auto limit = memory.limit.value_or(0);
    const auto swap = memory.swap.value_or(0);
    require_range(Place(place, "limit"), limit, unlimited, any_above);
    require_range(
        Place(place, "reservation"), memory.reservation.value_or(0), unlimited, any_above);
    require_range(Place(place, "swap"), swap, unlimited, any_above);
    require_range(Place(place, "kernel"), memory.kernel.value_or(0), unlimited, any_above);
    require_range(Place(place, "kernelTCP"), memory.kernel_tcp.value_or(0), unlimited, any_above);
    require(swap <= 0 || limit <= swap,
            Place(place, "swap"),
            std::to_string(swap) + " is below the memory limit, " + std::to_string(limit) +
                "; it counts memory and swap together");
    require(swap <= 0 || limit != unlimited,
            Place(place, "swap"),
            "a limit of memory and swap needs a limit of memory");
    require(memory.swappiness.value_or(0) <= 100,
            Place(place, "swappiness"),
            std::to_string(memory.swappiness.value_or(0)) + " is out of range; valid: 0 to 100");
}

/// config-linux.md, CPU; sched-bwc.rst of the kernel. Engines send 0 for what is not set.
void check_cpu(const Place& place, const Cpu& cpu) {
    constexpr std::uint64_t shortest = 1000;
    constexpr std::uint64_t longest = 1000000;
    const auto quota = cpu.quota.value_or(0);
    const auto period = cpu.period.value_or(0);
    const auto burst = cpu.burst.value_or(0);
    require(period == 0 || (period >= shortest && period <= longest),
            Place(place, "period"),
            std::to_string(period) +
                " microseconds is out of range; valid: 1000 to 1000000, or 0 for the default");
    require(quota == 0 || quota == unlimited || quota >= 1000,
            Place(place, "quota"),
            std::to_string(quota) +
                " microseconds is out of range; valid: 1000 and more, or -1 for unlimited");
    require(quota <= 0 || std::cmp_less_equal(burst, quota),
            Place(place, "burst"),
            std::to_string(burst) + " is above the quota, " + std::to_string(quota));
    require_range(Place(place, "idle"), cpu.idle.value_or(0), 0, 1);
    require_cpu_list(Place(place, "cpus"), cpu.cpus);
    require_cpu_list(Place(place, "mems"), cpu.mems);
}

/// Engines send 0 for what is not set.
void check_weight(const Place& place, const std::optional<std::uint16_t>& weight) {
    const auto value = weight.value_or(0);
    require(value == 0 || (value >= 10 && value <= 1000),
            place,
            std::to_string(value) + " is out of range; valid: 10 to 1000, or 0 for the default");
}

void check_numbers(const Place& place, std::int64_t major, std::int64_t minor) {
    require_range(Place(place, "major"), major, 0, any_above);
    require_range(Place(place, "minor"), minor, 0, any_above);
}

void check_throttle(const Place& place, const std::vector<ThrottleDevice>& devices) {
    for (std::size_t i = 0; i < devices.size(); ++i) {
        check_numbers(Place(place, i), devices[i].major, devices[i].minor);
    }
}

/// config-linux.md, Block IO.
void check_block_io(const Place& place, const BlockIo& block_io) {
    check_weight(Place(place, "weight"), block_io.weight);
    check_weight(Place(place, "leafWeight"), block_io.leaf_weight);
    const Place weights(place, "weightDevice");
    for (std::size_t i = 0; i < block_io.weight_device.size(); ++i) {
        const auto& device = block_io.weight_device[i];
        const Place here(weights, i);
        check_numbers(here, device.major, device.minor);
        require(device.weight || device.leaf_weight, here, "needs weight or leafWeight");
        check_weight(Place(here, "weight"), device.weight);
        check_weight(Place(here, "leafWeight"), device.leaf_weight);
    }
    check_throttle(Place(place, "throttleReadBpsDevice"), block_io.throttle_read_bps_device);
    check_throttle(Place(place, "throttleWriteBpsDevice"), block_io.throttle_write_bps_device);
    check_throttle(Place(place, "throttleReadIOPSDevice"), block_io.throttle_read_iops_device);
    check_throttle(Place(place, "throttleWriteIOPSDevice"), block_io.throttle_write_iops_device);
}

/// config-linux.md, Huge page limits: "64KB", "2MB", "1GB".
void check_hugepages(const Place& place, const std::vector<HugepageLimit>& limits) {
    for (std::size_t i = 0; i < limits.size(); ++i) {
        const std::string_view size = limits[i].page_size;
        const auto digits = size.find_first_not_of("0123456789");
        const auto unit = digits == std::string_view::npos ? "" : size.substr(digits);
        const bool valid =
            digits != 0 && !size.starts_with('0') && (unit == "KB" || unit == "MB" || unit == "GB");
        require(valid,
                Place(Place(place, i), "pageSize"),
                "\"" + limits[i].page_size + "\" is not a page size such as 64KB, 2MB or 1GB");
    }
}

/// config-linux.md, Unified: keys are file names, and become part of a path.
void check_unified(const Place& place, const std::map<std::string, std::string>& unified) {
    for (const auto& [file, value] : unified) {
        require(!file.empty() && !file.contains('/') && file.find('.') != 0,
                Place(place, file),
                "\"" + file + "\" is not the name of a cgroup file such as memory.high");
    }
}

} // namespace

void check_resources(const Place& place, const Resources& resources) {
    check_device_rules(Place(place, "devices"), resources.devices);
    if (resources.memory) {
        check_memory(Place(place, "memory"), *resources.memory);
    }
    if (resources.cpu) {
        check_cpu(Place(place, "cpu"), *resources.cpu);
    }
    require_range(Place(Place(place, "pids"), "limit"),
                  resources.pids_limit.value_or(0),
                  unlimited,
                  any_above);
    if (resources.block_io) {
        check_block_io(Place(place, "blockIO"), *resources.block_io);
    }
    check_hugepages(Place(place, "hugepageLimits"), resources.hugepage_limits);
    for (const auto& [device, limits] : resources.rdma) {
        require(limits.hca_handles || limits.hca_objects,
                Place(Place(place, "rdma"), device),
                "needs hcaHandles or hcaObjects");
    }
    check_unified(Place(place, "unified"), resources.unified);
}

} // namespace sctr::oci
