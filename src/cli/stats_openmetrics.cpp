// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>
#include <format>
#include <functional>

#include "cli/stats_view.hpp"

namespace sctr::cli {
namespace {

using container::CgroupStats;
using container::DeviceIo;
using container::MemoryAmount;
using container::Pressure;
using container::PressureShare;
using container::Usage;

enum class Kind { counter, gauge };

/// Adds samples of one metric family for one container: labels besides its name, and the value.
using Emit = std::function<void(const std::string& labels, const std::string& value)>;

struct Family {
    const char* name;
    Kind kind;
    const char* unit; ///< the end of the name, or empty
    const char* help;
    const char* controller; ///< without which there is nothing to say; empty: none
    void (*emit)(const Usage& usage, const Emit& emit);
};

/// Microseconds as seconds, without the rounding of a floating-point number.
std::string seconds(std::uint64_t usec) {
    constexpr std::uint64_t second = 1'000'000;
    return std::format("{}.{:06}", usec / second, usec % second);
}

std::string number(std::uint64_t value) {
    return std::to_string(value);
}

void emit_limit(std::uint64_t limit, const Emit& emit) {
    if (limit != MemoryAmount::unlimited) {
        emit("", number(limit));
    }
}

void emit_devices(const CgroupStats& stats, const Emit& emit, std::uint64_t DeviceIo::* value) {
    for (const DeviceIo& device : stats.io) {
        emit(std::format("device=\"{}:{}\"", device.major, device.minor), number(device.*value));
    }
}

void emit_pressure(const CgroupStats& stats, const Emit& emit, PressureShare Pressure::* share) {
    const auto one = [&](const char* resource, const std::optional<Pressure>& pressure) {
        if (pressure) {
            emit(std::format("resource=\"{}\"", resource),
                 seconds(((*pressure).*share).total_usec));
        }
    };
    one("cpu", stats.cpu.pressure);
    one("memory", stats.memory.pressure);
    one("io", stats.io_pressure);
}

void emit_traffic(const Usage& usage, const Emit& emit, std::uint64_t network::Traffic::* value) {
    if (usage.traffic) {
        emit("", number((*usage.traffic).*value));
    }
}

// A counter's samples are called NAME_total.
constexpr std::array<Family, 16> families = {{
    {"sctr_container_cpu_seconds",
     Kind::counter,
     "seconds",
     "CPU time used, by mode.",
     "",
     [](const Usage& usage, const Emit& emit) {
         emit("mode=\"user\"", seconds(usage.stats.cpu.user_usec));
         emit("mode=\"system\"", seconds(usage.stats.cpu.system_usec));
     }},
    {"sctr_container_cpu_throttled_seconds",
     Kind::counter,
     "seconds",
     "Time in which the CPU limit kept it from running.",
     "cpu",
     [](const Usage& usage, const Emit& emit) {
         emit("", seconds(usage.stats.cpu.throttled_usec));
     }},
    {"sctr_container_memory_bytes",
     Kind::gauge,
     "bytes",
     "Memory in use, page cache included.",
     "memory",
     [](const Usage& usage, const Emit& emit) {
         emit("", number(usage.stats.memory.memory.usage));
     }},
    {"sctr_container_memory_peak_bytes",
     Kind::gauge,
     "bytes",
     "Most memory that was ever in use.",
     "memory",
     [](const Usage& usage, const Emit& emit) {
         emit("", number(usage.stats.memory.memory.peak));
     }},
    {"sctr_container_memory_limit_bytes",
     Kind::gauge,
     "bytes",
     "Memory limit; absent when there is none.",
     "memory",
     [](const Usage& usage, const Emit& emit) {
         emit_limit(usage.stats.memory.memory.limit, emit);
     }},
    {"sctr_container_swap_bytes",
     Kind::gauge,
     "bytes",
     "Swap in use.",
     "memory",
     [](const Usage& usage, const Emit& emit) { emit("", number(usage.stats.memory.swap.usage)); }},
    {"sctr_container_tasks",
     Kind::gauge,
     "",
     "Processes and threads.",
     "pids",
     [](const Usage& usage, const Emit& emit) { emit("", number(usage.stats.processes)); }},
    {"sctr_container_tasks_limit",
     Kind::gauge,
     "",
     "Most processes and threads; absent when there is no limit.",
     "pids",
     [](const Usage& usage, const Emit& emit) {
         emit_limit(usage.stats.process_limit == 0 ? MemoryAmount::unlimited
                                                   : usage.stats.process_limit,
                    emit);
     }},
    {"sctr_container_io_read_bytes",
     Kind::counter,
     "bytes",
     "Bytes read from a block device.",
     "io",
     [](const Usage& usage, const Emit& emit) {
         emit_devices(usage.stats, emit, &DeviceIo::read_bytes);
     }},
    {"sctr_container_io_written_bytes",
     Kind::counter,
     "bytes",
     "Bytes written to a block device.",
     "io",
     [](const Usage& usage, const Emit& emit) {
         emit_devices(usage.stats, emit, &DeviceIo::write_bytes);
     }},
    {"sctr_container_io_reads",
     Kind::counter,
     "",
     "Read operations on a block device.",
     "io",
     [](const Usage& usage, const Emit& emit) {
         emit_devices(usage.stats, emit, &DeviceIo::reads);
     }},
    {"sctr_container_io_writes",
     Kind::counter,
     "",
     "Write operations on a block device.",
     "io",
     [](const Usage& usage, const Emit& emit) {
         emit_devices(usage.stats, emit, &DeviceIo::writes);
     }},
    {"sctr_container_network_received_bytes",
     Kind::counter,
     "bytes",
     "Bytes received from networks.",
     "",
     [](const Usage& usage, const Emit& emit) {
         emit_traffic(usage, emit, &network::Traffic::received_bytes);
     }},
    {"sctr_container_network_sent_bytes",
     Kind::counter,
     "bytes",
     "Bytes sent to networks.",
     "",
     [](const Usage& usage, const Emit& emit) {
         emit_traffic(usage, emit, &network::Traffic::sent_bytes);
     }},
    {"sctr_container_pressure_waiting_seconds",
     Kind::counter,
     "seconds",
     "Time in which some task waited for a resource.",
     "",
     [](const Usage& usage, const Emit& emit) {
         emit_pressure(usage.stats, emit, &Pressure::some);
     }},
    {"sctr_container_pressure_stalled_seconds",
     Kind::counter,
     "seconds",
     "Time in which every task waited for a resource.",
     "",
     [](const Usage& usage, const Emit& emit) {
         emit_pressure(usage.stats, emit, &Pressure::full);
     }},
}};

std::string heading(const Family& family) {
    std::string text = std::format(
        "# TYPE {} {}\n", family.name, family.kind == Kind::counter ? "counter" : "gauge");
    if (*family.unit != '\0') {
        text += std::format("# UNIT {} {}\n", family.name, family.unit);
    }
    return text + std::format("# HELP {} {}\n", family.name, family.help);
}

} // namespace

std::string escape_label(std::string_view value) {
    std::string text;
    for (const char character : value) {
        if (character == '\n') {
            text += "\\n";
            continue;
        }
        if (character == '\\' || character == '"') {
            text += '\\';
        }
        text += character;
    }
    return text;
}

std::string stats_openmetrics(const std::vector<Usage>& usages) {
    std::string text;
    for (const Family& family : families) {
        std::string samples;
        for (const Usage& usage : usages) {
            if (*family.controller != '\0' && !usage.controllers.contains(family.controller)) {
                continue;
            }
            family.emit(usage, [&](const std::string& labels, const std::string& value) {
                samples += std::format("{}{}{{name=\"{}\"{}{}}} {}\n",
                                       family.name,
                                       family.kind == Kind::counter ? "_total" : "",
                                       escape_label(usage.id),
                                       labels.empty() ? "" : ",",
                                       labels,
                                       value);
            });
        }
        if (!samples.empty()) {
            text += heading(family) + samples;
        }
    }
    return text + "# EOF\n";
}

} // namespace sctr::cli
