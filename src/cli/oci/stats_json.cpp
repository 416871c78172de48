// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/oci/stats_json.hpp"

#include <optional>

namespace sctr::cli::engine {

namespace {

using container::MemoryAmount;
using nlohmann::ordered_json;

constexpr std::uint64_t nsec_per_usec = 1000;

/// Readers expect no more than what is not 0.
void add(ordered_json& json, const char* name, std::uint64_t value) {
    if (value != 0) {
        json[name] = value;
    }
}

void add_pressure(ordered_json& json, const std::optional<container::Pressure>& pressure) {
    if (!pressure) {
        return;
    }
    const auto share = [](const container::PressureShare& each) -> ordered_json {
        return {{"avg10", each.avg10},
                {"avg60", each.avg60},
                {"avg300", each.avg300},
                {"total", each.total_usec}};
    };
    json["psi"] = {{"some", share(pressure->some)}, {"full", share(pressure->full)}};
}

ordered_json cpu_json(const container::CpuStats& cpu) {
    auto usage = ordered_json::object();
    add(usage, "total", cpu.usage_usec * nsec_per_usec);
    usage["kernel"] = cpu.system_usec * nsec_per_usec;
    usage["user"] = cpu.user_usec * nsec_per_usec;
    auto throttling = ordered_json::object();
    add(throttling, "periods", cpu.periods);
    add(throttling, "throttledPeriods", cpu.throttled_periods);
    add(throttling, "throttledTime", cpu.throttled_usec * nsec_per_usec);
    ordered_json json{{"usage", std::move(usage)}, {"throttling", std::move(throttling)}};
    add_pressure(json, cpu.pressure);
    return json;
}

/// cgroup v2 has none of these files; what reads them finds them all the same.
ordered_json cpuset_json() {
    return {{"cpu_exclusive", 0},
            {"mem_hardwall", 0},
            {"mem_exclusive", 0},
            {"memory_migrate", 0},
            {"memory_spread_page", 0},
            {"memory_spread_slab", 0},
            {"memory_pressure", 0},
            {"sched_load_balance", 0},
            {"sched_relax_domain_level", 0}};
}

ordered_json amount_json(const MemoryAmount& amount) {
    ordered_json json{{"limit", amount.limit}};
    add(json, "usage", amount.usage);
    add(json, "max", amount.peak);
    json["failcnt"] = 0;
    return json;
}

MemoryAmount memory_and_swap(const container::MemoryStats& memory) {
    const bool is_unlimited = memory.memory.limit == MemoryAmount::unlimited ||
                              memory.swap.limit == MemoryAmount::unlimited;
    return {.usage = memory.memory.usage + memory.swap.usage,
            .peak = 0, // theirs need not have been at the same time
            .limit =
                is_unlimited ? MemoryAmount::unlimited : memory.memory.limit + memory.swap.limit};
}

ordered_json memory_json(const container::MemoryStats& memory) {
    auto json = ordered_json::object();
    const auto cache = memory.detail.find("file");
    add(json, "cache", cache == memory.detail.end() ? 0 : cache->second);
    json["usage"] = amount_json(memory.memory);
    json["swap"] = amount_json(memory_and_swap(memory));
    json["kernel"] = amount_json({});
    json["kernelTCP"] = amount_json({});
    if (!memory.detail.empty()) {
        json["raw"] = memory.detail;
    }
    add_pressure(json, memory.pressure);
    return json;
}

ordered_json
io_entry(const container::DeviceIo& device, const char* operation, std::uint64_t value) {
    auto json = ordered_json::object();
    add(json, "major", device.major);
    add(json, "minor", device.minor);
    json["op"] = operation;
    add(json, "value", value);
    return json;
}

ordered_json blkio_json(const container::CgroupStats& stats) {
    auto json = ordered_json::object();
    for (const container::DeviceIo& device : stats.io) {
        json["ioServiceBytesRecursive"].push_back(io_entry(device, "Read", device.read_bytes));
        json["ioServiceBytesRecursive"].push_back(io_entry(device, "Write", device.write_bytes));
        json["ioServicedRecursive"].push_back(io_entry(device, "Read", device.reads));
        json["ioServicedRecursive"].push_back(io_entry(device, "Write", device.writes));
    }
    add_pressure(json, stats.io_pressure);
    return json;
}

ordered_json hugetlb_json(const container::CgroupStats& stats) {
    auto json = ordered_json::object();
    for (const auto& [size, pages] : stats.hugetlb) {
        auto entry = ordered_json::object();
        add(entry, "usage", pages.usage);
        entry["failcnt"] = pages.failures;
        json[size] = std::move(entry);
    }
    return json;
}

} // namespace

ordered_json stats_json(const container::CgroupStats& stats) {
    auto pids = ordered_json::object();
    add(pids, "current", stats.processes);
    add(pids, "limit", stats.process_limit);
    return {{"cpu", cpu_json(stats.cpu)},
            {"cpuset", cpuset_json()},
            {"memory", memory_json(stats.memory)},
            {"pids", std::move(pids)},
            {"blkio", blkio_json(stats)},
            {"hugetlb", hugetlb_json(stats)},
            {"intel_rdt", ordered_json::object()},
            {"network_interfaces", nullptr}};
}

} // namespace sctr::cli::engine
