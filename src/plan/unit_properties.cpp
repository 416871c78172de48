// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/unit_properties.hpp"

#include <algorithm>
#include <cmath>

#include "base/strings.hpp"
#include "plan/property_list.hpp"

namespace sctr::plan {

namespace {

/// C1 in UTF-8, too (U+0080 to U+009F), which terminals obey as they do ESC.
void erase_controls(std::string& text) {
    std::erase_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    std::size_t at = 0;
    while ((at = text.find('\xc2', at)) != std::string::npos) {
        if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xa0) {
            text.erase(at, 2);
        } else {
            ++at;
        }
    }
}

} // namespace

std::string unit_description(std::string_view text) {
    constexpr std::size_t longest = 200;
    std::string description = valid_utf8(text);
    erase_controls(description);
    if (description.size() > longest) {
        std::size_t end = longest;
        while (end > 0 && (static_cast<unsigned char>(description[end]) & 0xc0U) == 0x80U) {
            --end; // never cut a UTF-8 character
        }
        description.resize(end);
    }
    return description;
}

namespace {

constexpr std::uint64_t usec_per_sec = 1'000'000;
constexpr std::uint64_t default_cpu_period = 100'000;
/// The limits of the kernel's CFS bandwidth controller.
constexpr std::uint64_t cpu_period_min = 1'000;
constexpr std::uint64_t cpu_period_max = 1'000'000;
/// CPUQuota= is a percentage in systemd's eyes, and one percent of a second is 10 ms.
constexpr std::uint64_t cpu_quota_step = 10'000;

constexpr std::uint64_t blkio_weight_min = 10;
constexpr std::uint64_t blkio_weight_max = 1000;

constexpr std::string_view no_property = "systemd has no unit property for it";

Error not_supported(const PropertyList& list, std::string_view pointer, std::string_view why) {
    Error error = list.error("cannot apply the limit", pointer);
    error.because(why);
    return error;
}

void add_cpu_quota(PropertyList& list, const oci::Cpu& cpu) {
    constexpr std::string_view quota_pointer = "/linux/resources/cpu/quota";
    constexpr std::string_view period_pointer = "/linux/resources/cpu/period";
    const std::uint64_t period = cpu.period.value_or(0);
    const bool has_period = period != 0;
    if (has_period) {
        if (period < cpu_period_min || period > cpu_period_max) {
            throw list.error("bad CPU period", period_pointer)
                .because(std::to_string(period) + " is not from 1000 to 1000000 microseconds");
        }
        list.set(period_pointer, "CPUQuotaPeriodUSec", period);
    }
    if (!cpu.quota || (*cpu.quota == 0 && !has_period)) {
        return;
    }
    if (*cpu.quota < -1) {
        throw list.error("bad CPU quota", quota_pointer)
            .because("it is negative")
            .mend("-1 means unlimited");
    }
    list.set(quota_pointer,
             "CPUQuotaPerSecUSec",
             *cpu.quota <= 0 ? infinity
                             : cpu_quota_per_second(static_cast<std::uint64_t>(*cpu.quota),
                                                    has_period ? period : default_cpu_period));
}

void add_cpu_properties(PropertyList& list, const oci::Cpu& cpu) {
    for (const auto& [value, name] : {
             std::pair{cpu.burst.value_or(0) != 0, "burst"},
             std::pair{cpu.realtime_runtime.value_or(0) != 0, "realtimeRuntime"},
             std::pair{cpu.realtime_period.value_or(0) != 0, "realtimePeriod"},
         }) {
        if (value) {
            throw not_supported(list, std::string("/linux/resources/cpu/") + name, no_property);
        }
    }
    const std::int64_t idle = cpu.idle.value_or(0);
    if (idle != 0 && idle != 1) {
        throw list.error("bad value", "/linux/resources/cpu/idle").because("it is neither 0 nor 1");
    }
    // SCHED_IDLE has no weight: the kernel refuses to set both, and idle is the stronger wish.
    if (idle == 1) {
        list.set("/linux/resources/cpu/idle", "CPUWeight", std::uint64_t{0});
    } else if (const std::uint64_t shares = cpu.shares.value_or(0); shares != 0) {
        list.set("/linux/resources/cpu/shares", "CPUWeight", cpu_weight_from_shares(shares));
    }
    add_cpu_quota(list, cpu);
}

void add_number_list(PropertyList& list,
                     std::string_view pointer,
                     std::string_view property,
                     const std::string& text) {
    if (text.empty()) {
        return;
    }
    const auto numbers = parse_cpu_list(text);
    if (!numbers || numbers->empty()) {
        throw list.error("bad list '" + text + "'", pointer).mend("write it like 0-3,7");
    }
    list.set(pointer, property, number_mask(*numbers));
}

void add_cpuset_properties(PropertyList& list, const oci::Cpu& cpu) {
    add_number_list(list, "/linux/resources/cpu/cpus", "AllowedCPUs", cpu.cpus);
    add_number_list(list, "/linux/resources/cpu/mems", "AllowedMemoryNodes", cpu.mems);
}

/// Bytes as OCI writes them, -1 for unlimited, as D-Bus takes them.
std::uint64_t memory_bytes(const PropertyList& list, std::string_view pointer, std::int64_t bytes) {
    if (bytes < -1) {
        throw list.error("bad number of bytes", pointer)
            .because("it is negative")
            .mend("-1 means unlimited");
    }
    return bytes == -1 ? infinity : static_cast<std::uint64_t>(bytes);
}

/// OCI counts memory and swap together, cgroup v2 swap alone. Zero swap is sent as well: systemd
/// would reset on its next reload what it was not told.
void add_swap(PropertyList& list, std::int64_t limit, std::int64_t swap) {
    constexpr std::string_view pointer = "/linux/resources/memory/swap";
    constexpr std::string_view property = "MemorySwapMax";
    if (swap == 0) {
        if (limit == -1) {
            list.set(pointer, property, infinity);
        }
        return;
    }
    const std::uint64_t total = memory_bytes(list, pointer, swap);
    if (total == infinity) {
        list.set(pointer, property, infinity);
        return;
    }
    if (limit <= 0) {
        throw list.error("bad swap limit", pointer)
            .because("it counts memory and swap together, and there is no memory limit")
            .mend("set a memory limit too");
    }
    if (swap < limit) {
        throw list.error("bad swap limit", pointer)
            .because(std::to_string(swap) + " bytes of memory and swap together are below the " +
                     std::to_string(limit) + " bytes of the memory limit");
    }
    list.set(pointer, property, static_cast<std::uint64_t>(swap - limit));
}

void refuse_memory_v1(const PropertyList& list, const oci::Memory& memory) {
    constexpr std::uint64_t default_swappiness = 60;
    constexpr std::uint64_t unset_swappiness = UINT64_MAX; // docker's -1
    const std::uint64_t swappiness = memory.swappiness.value_or(0);
    for (const auto& [value, name] : {
             std::pair{memory.kernel.value_or(0) > 0, "kernel"},
             std::pair{memory.kernel_tcp.value_or(0) > 0, "kernelTCP"},
             std::pair{swappiness != 0 && swappiness != default_swappiness &&
                           swappiness != unset_swappiness,
                       "swappiness"},
             std::pair{memory.disable_oom_killer.value_or(false), "disableOOMKiller"},
         }) {
        if (value) {
            throw not_supported(list,
                                std::string("/linux/resources/memory/") + name,
                                "cgroup v2 has nothing like it");
        }
    }
}

void add_memory_properties(PropertyList& list, const oci::Memory& memory) {
    refuse_memory_v1(list, memory);
    const std::int64_t limit = memory.limit.value_or(0);
    for (const auto& [value, pointer, property] : {
             std::tuple{limit, "/linux/resources/memory/limit", "MemoryMax"},
             std::tuple{memory.reservation.value_or(0),
                        "/linux/resources/memory/reservation",
                        "MemoryLow"},
         }) {
        if (value != 0) {
            list.set(pointer, property, memory_bytes(list, pointer, value));
        }
    }
    add_swap(list, limit, memory.swap.value_or(0));
}

void add_pids_properties(PropertyList& list, std::int64_t limit) {
    // Zero tasks is no possible limit; runc reads it as one.
    list.set("/linux/resources/pids/limit",
             "TasksMax",
             limit < 0 ? infinity : std::max<std::uint64_t>(1, static_cast<std::uint64_t>(limit)));
}

std::uint64_t io_weight(const PropertyList& list, std::string_view pointer, std::uint64_t weight) {
    if (weight < blkio_weight_min || weight > blkio_weight_max) {
        throw list.error("bad weight", pointer)
            .because(std::to_string(weight) + " is not from 10 to 1000");
    }
    return io_weight_from_blkio(weight);
}

void add_io_weights(PropertyList& list, const oci::BlockIo& io) {
    const std::string base = "/linux/resources/blockIO";
    constexpr std::string_view leaf = "cgroup v2 has no leaf weight";
    if (io.leaf_weight.value_or(0) != 0) {
        throw not_supported(list, base + "/leafWeight", leaf);
    }
    if (const std::uint64_t weight = io.weight.value_or(0); weight != 0) {
        list.set(base + "/weight", "IOWeight", io_weight(list, base + "/weight", weight));
    }
    for (std::size_t index = 0; index < io.weight_device.size(); ++index) {
        const oci::WeightDevice& device = io.weight_device[index];
        const std::string pointer = base + "/weightDevice/" + std::to_string(index);
        if (device.leaf_weight.value_or(0) != 0) {
            throw not_supported(list, pointer + "/leafWeight", leaf);
        }
        if (const std::uint64_t weight = device.weight.value_or(0); weight != 0) {
            list.add_device_limit(pointer,
                                  "IODeviceWeight",
                                  block_device_path(device.major, device.minor),
                                  io_weight(list, pointer + "/weight", weight));
        }
    }
}

void add_io_properties(PropertyList& list, const oci::BlockIo& io) {
    add_io_weights(list, io);
    for (const auto& [devices, key, property] : {
             std::tuple{&io.throttle_read_bps_device, "ReadBps", "IOReadBandwidthMax"},
             std::tuple{&io.throttle_write_bps_device, "WriteBps", "IOWriteBandwidthMax"},
             std::tuple{&io.throttle_read_iops_device, "ReadIOPS", "IOReadIOPSMax"},
             std::tuple{&io.throttle_write_iops_device, "WriteIOPS", "IOWriteIOPSMax"},
         }) {
        for (std::size_t index = 0; index < devices->size(); ++index) {
            const oci::ThrottleDevice& device = (*devices)[index];
            // A rate of 0 took a limit away in cgroup v1.
            list.add_device_limit("/linux/resources/blockIO/throttle" + std::string(key) +
                                      "Device/" + std::to_string(index),
                                  property,
                                  block_device_path(device.major, device.minor),
                                  device.rate == 0 ? infinity : device.rate);
        }
    }
}

void refuse_other_controllers(const PropertyList& list, const oci::Resources& resources) {
    if (!resources.hugepage_limits.empty()) {
        throw not_supported(list, "/linux/resources/hugepageLimits/0", no_property);
    }
    if (!resources.rdma.empty()) {
        throw not_supported(
            list, "/linux/resources/rdma/" + resources.rdma.begin()->first, no_property);
    }
    if (resources.network && resources.network->class_id.value_or(0) != 0) {
        throw not_supported(
            list, "/linux/resources/network/classID", "cgroup v2 has no net_cls controller");
    }
    if (resources.network && !resources.network->priorities.empty()) {
        throw not_supported(
            list, "/linux/resources/network/priorities/0", "cgroup v2 has no net_prio controller");
    }
}

} // namespace

std::vector<UnitProperty> resource_properties(const oci::Resources& resources,
                                              const host::Facts& facts,
                                              const ResourceOptions& options) {
    PropertyList list(facts, options);
    refuse_other_controllers(list, resources);
    if (resources.cpu) {
        add_cpu_properties(list, *resources.cpu);
        add_cpuset_properties(list, *resources.cpu);
    }
    if (resources.memory) {
        add_memory_properties(list, *resources.memory);
    }
    if (resources.pids_limit) {
        add_pids_properties(list, *resources.pids_limit);
    }
    if (resources.block_io) {
        add_io_properties(list, *resources.block_io);
    }
    add_unified_properties(list, resources.unified);
    add_device_properties(list, resources.devices);
    return std::move(list).take();
}

std::uint64_t cpu_weight_from_shares(std::uint64_t shares) {
    constexpr std::uint64_t shares_min = 2;
    constexpr std::uint64_t shares_max = 262144;
    if (shares <= shares_min) {
        return 1;
    }
    if (shares >= shares_max) {
        return weight_max;
    }
    // One division, so that 1024 gives an exponent of exactly 2.
    const double log = std::log2(static_cast<double>(shares));
    const double exponent = (log * log + 125 * log - 126) / 612;
    return static_cast<std::uint64_t>(std::ceil(std::pow(10, exponent)));
}

std::uint64_t cpu_quota_per_second(std::uint64_t quota, std::uint64_t period) {
    const std::uint64_t seconds_of_cpu = quota / period;
    if (seconds_of_cpu >= infinity / usec_per_sec - 1) {
        return infinity;
    }
    const std::uint64_t per_second =
        seconds_of_cpu * usec_per_sec + (quota % period) * usec_per_sec / period;
    const bool is_exact = (quota % period) * usec_per_sec % period == 0;
    return (per_second + (is_exact ? 0 : 1) + cpu_quota_step - 1) / cpu_quota_step * cpu_quota_step;
}

std::vector<std::uint8_t> number_mask(const std::vector<unsigned>& numbers) {
    std::vector<std::uint8_t> mask;
    for (const unsigned number : numbers) {
        if (mask.size() <= number / 8) {
            mask.resize(number / 8 + 1);
        }
        mask[number / 8] |= static_cast<std::uint8_t>(1U << (number % 8));
    }
    return mask;
}

std::uint64_t io_weight_from_blkio(std::uint64_t weight) {
    return 1 +
           (weight - blkio_weight_min) * (weight_max - 1) / (blkio_weight_max - blkio_weight_min);
}

} // namespace sctr::plan
