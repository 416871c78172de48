// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/stats_view.hpp"

#include <array>
#include <format>

#include "cli/record_json.hpp"
#include "cli/table.hpp"

namespace sctr::cli {
namespace {

using container::CgroupStats;
using container::MemoryAmount;
using container::Pressure;
using container::PressureShare;
using container::Usage;
using nlohmann::ordered_json;

constexpr const char* unknown = "-";

bool counts(const Usage& usage, const char* controller) {
    return usage.controllers.contains(controller);
}

std::string memory_text(const Usage& usage) {
    if (!counts(usage, "memory")) {
        return unknown;
    }
    const MemoryAmount& memory = usage.stats.memory.memory;
    std::string text = format_bytes(memory.usage);
    if (memory.limit != MemoryAmount::unlimited) {
        text += " / " + format_bytes(memory.limit);
    }
    return text;
}

std::string memory_share(const Usage& usage) {
    const MemoryAmount& memory = usage.stats.memory.memory;
    if (!counts(usage, "memory") || memory.limit == MemoryAmount::unlimited || memory.limit == 0) {
        return unknown;
    }
    return std::format(
        "{:.1f}%", 100.0 * static_cast<double>(memory.usage) / static_cast<double>(memory.limit));
}

std::string tasks_text(const Usage& usage) {
    if (!counts(usage, "pids")) {
        return unknown;
    }
    std::string text = std::to_string(usage.stats.processes);
    if (usage.stats.process_limit != 0) {
        text += " / " + std::to_string(usage.stats.process_limit);
    }
    return text;
}

std::string io_text(const Usage& usage) {
    if (!counts(usage, "io")) {
        return unknown;
    }
    std::uint64_t read = 0;
    std::uint64_t written = 0;
    for (const container::DeviceIo& device : usage.stats.io) {
        read += device.read_bytes;
        written += device.write_bytes;
    }
    return format_bytes(read) + " / " + format_bytes(written);
}

std::string traffic_text(const Usage& usage) {
    return usage.traffic ? format_bytes(usage.traffic->received_bytes) + " / " +
                               format_bytes(usage.traffic->sent_bytes)
                         : unknown;
}

std::string pressure_text(const std::optional<Pressure>& pressure) {
    return pressure ? std::format("{:.1f}%", pressure->some.avg10) : unknown;
}

ordered_json share_json(const PressureShare& share) {
    return {{"avg10", share.avg10},
            {"avg60", share.avg60},
            {"avg300", share.avg300},
            {"totalUsec", share.total_usec}};
}

/// A limit that is none is left out.
void add_limit(ordered_json& json, std::uint64_t limit, std::uint64_t none) {
    if (limit != none) {
        json["limit"] = limit;
    }
}

ordered_json memory_json(const MemoryAmount& amount) {
    ordered_json json{{"usage", amount.usage}, {"peak", amount.peak}};
    add_limit(json, amount.limit, MemoryAmount::unlimited);
    return json;
}

struct Resource {
    const char* name;
    const std::optional<Pressure>& (*pressure)(const CgroupStats&);
};

constexpr std::array<Resource, 3> resources = {{
    {"cpu", [](const CgroupStats& stats) -> const auto& { return stats.cpu.pressure; }},
    {"memory", [](const CgroupStats& stats) -> const auto& { return stats.memory.pressure; }},
    {"io", [](const CgroupStats& stats) -> const auto& { return stats.io_pressure; }},
}};

ordered_json row_json(const StatsRow& row) {
    const Usage& usage = row.usage;
    const CgroupStats& stats = usage.stats;
    ordered_json cpu{{"usageUsec", stats.cpu.usage_usec},
                     {"userUsec", stats.cpu.user_usec},
                     {"systemUsec", stats.cpu.system_usec}};
    if (row.cpu_percent) {
        cpu["percent"] = *row.cpu_percent;
    }
    if (counts(usage, "cpu")) {
        cpu["throttledUsec"] = stats.cpu.throttled_usec;
    }
    ordered_json json{{"name", usage.id}, {"unit", usage.unit}, {"cpu", std::move(cpu)}};
    if (counts(usage, "memory")) {
        json["memory"] = memory_json(stats.memory.memory);
        json["swap"] = memory_json(stats.memory.swap);
    }
    if (counts(usage, "pids")) {
        ordered_json tasks{{"current", stats.processes}};
        add_limit(tasks, stats.process_limit, 0);
        json["tasks"] = std::move(tasks);
    }
    if (counts(usage, "io")) {
        json["io"] = ordered_json::array();
        for (const container::DeviceIo& device : stats.io) {
            json["io"].push_back({{"device", std::format("{}:{}", device.major, device.minor)},
                                  {"readBytes", device.read_bytes},
                                  {"writeBytes", device.write_bytes},
                                  {"reads", device.reads},
                                  {"writes", device.writes}});
        }
    }
    if (const auto& traffic = usage.traffic) {
        json["network"] = {{"receivedBytes", traffic->received_bytes},
                           {"receivedPackets", traffic->received_packets},
                           {"sentBytes", traffic->sent_bytes},
                           {"sentPackets", traffic->sent_packets},
                           {"countedBy", usage.is_unit_traffic ? "unit" : "devices"}};
    }
    for (const Resource& resource : resources) {
        if (const auto& pressure = resource.pressure(stats)) {
            json["pressure"][resource.name] = {{"some", share_json(pressure->some)},
                                               {"full", share_json(pressure->full)}};
        }
    }
    return json;
}

} // namespace

std::optional<double> cpu_percent(const Usage& earlier, const Usage& now) {
    const std::chrono::duration<double, std::micro> elapsed = now.taken - earlier.taken;
    const std::uint64_t before = earlier.stats.cpu.usage_usec;
    const std::uint64_t after = now.stats.cpu.usage_usec;
    if (elapsed.count() <= 0 || after < before) {
        return std::nullopt;
    }
    return 100.0 * static_cast<double>(after - before) / elapsed.count();
}

std::string format_bytes(std::uint64_t bytes) {
    constexpr std::string_view units = "KMGTPE";
    if (bytes < 1024) {
        return std::to_string(bytes) + "B";
    }
    auto amount = static_cast<double>(bytes);
    char unit = 'B';
    for (const char next : units) {
        if (amount < 1024) {
            break;
        }
        amount /= 1024;
        unit = next;
    }
    return std::format("{:.1f}{}", amount, unit);
}

std::string stats_table(const std::vector<StatsRow>& rows) {
    Table table({"NAME",
                 "CPU",
                 "MEMORY / LIMIT",
                 "MEMORY",
                 "TASKS",
                 "READ / WRITTEN",
                 "RECEIVED / SENT",
                 "CPU-PSI",
                 "MEM-PSI",
                 "IO-PSI"});
    for (const StatsRow& row : rows) {
        const CgroupStats& stats = row.usage.stats;
        table.add({row.usage.id,
                   row.cpu_percent ? std::format("{:.1f}%", *row.cpu_percent) : unknown,
                   memory_text(row.usage),
                   memory_share(row.usage),
                   tasks_text(row.usage),
                   io_text(row.usage),
                   traffic_text(row.usage),
                   pressure_text(stats.cpu.pressure),
                   pressure_text(stats.memory.pressure),
                   pressure_text(stats.io_pressure)});
    }
    return table.text();
}

std::vector<ordered_json> stats_views(const std::vector<StatsRow>& rows) {
    std::vector<ordered_json> views;
    for (const StatsRow& row : rows) {
        ordered_json view = row_json(row);
        for (const char* const name : {"memory", "swap", "tasks", "io", "network", "pressure"}) {
            if (!view.contains(name)) { // the host does not count it
                view[name] = nullptr;
            }
        }
        view["ID"] = row.usage.id;
        view["Container"] = row.usage.id;
        view["CPUPerc"] = row.cpu_percent ? std::format("{:.2f}%", *row.cpu_percent) : unknown;
        view["MemUsage"] = memory_text(row.usage);
        view["MemPerc"] = memory_share(row.usage);
        view["NetIO"] = traffic_text(row.usage);
        view["BlockIO"] = io_text(row.usage);
        view["PIDs"] =
            counts(row.usage, "pids") ? std::to_string(row.usage.stats.processes) : unknown;
        views.push_back(std::move(view));
    }
    return views;
}

std::string stats_json(const std::vector<StatsRow>& rows, bool one_line) {
    auto list = ordered_json::array();
    for (const StatsRow& row : rows) {
        list.push_back(row_json(row));
    }
    return (one_line ? json_line(list) : json_text(list)) + '\n';
}

} // namespace sctr::cli
