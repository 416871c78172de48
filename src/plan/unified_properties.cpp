// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <span>

#include "base/strings.hpp"
#include "plan/property_list.hpp"

/// The files of cgroup v2 that linux.resources.unified names, in the kernel's own notation
/// (Documentation/admin-guide/cgroup-v2.rst), as properties of the unit.
namespace sctr::plan {

namespace {

struct Entry {
    std::string_view pointer;
    std::string_view value;
    std::string_view property; ///< empty where the reader chooses it
};

Error bad_value(const PropertyList& list, const Entry& entry, std::string_view valid) {
    Error error = list.error("bad value '" + std::string(entry.value) + "'", entry.pointer);
    error.mend("write " + std::string(valid));
    return error;
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view blank = " \t\n";
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::optional<std::uint64_t> number_or_max(std::string_view text) {
    return text == "max" ? std::optional(infinity) : parse_uint(text);
}

void set_limit(PropertyList& list, const Entry& entry) {
    const auto value = number_or_max(entry.value);
    if (!value) {
        throw bad_value(list, entry, "a number or max");
    }
    list.set(entry.pointer, entry.property, *value);
}

void set_task_limit(PropertyList& list, const Entry& entry) {
    const auto value = number_or_max(entry.value);
    if (!value) {
        throw bad_value(list, entry, "a number or max");
    }
    list.set(entry.pointer, entry.property, std::max<std::uint64_t>(1, *value));
}

void set_flag(PropertyList& list, const Entry& entry) {
    if (entry.value != "0" && entry.value != "1") {
        throw bad_value(list, entry, "0 or 1");
    }
    list.set(entry.pointer, entry.property, entry.value == "1");
}

void set_oom_group(PropertyList& list, const Entry& entry) {
    if (entry.value != "0" && entry.value != "1") {
        throw bad_value(list, entry, "0 or 1");
    }
    if (!list.is_new_unit()) {
        throw list.error("cannot apply the limit", entry.pointer)
            .because("systemd takes OOMPolicy only when a unit is made");
    }
    list.set(entry.pointer, entry.property, std::string(entry.value == "1" ? "kill" : "continue"));
}

/// "MAX PERIOD" in microseconds; the period may be missing.
void set_cpu_max(PropertyList& list, const Entry& entry) {
    constexpr std::uint64_t default_period = 100'000;
    constexpr std::uint64_t period_min = 1'000;
    constexpr std::uint64_t period_max = 1'000'000;
    const auto parts = words_of(entry.value);
    const std::uint64_t quota = parts.empty() ? 0 : number_or_max(parts[0]).value_or(0);
    const std::uint64_t period =
        parts.size() == 2 ? parse_uint(parts[1]).value_or(0) : default_period;
    if (parts.size() > 2 || quota == 0 || period < period_min || period > period_max) {
        throw bad_value(list, entry, "\"QUOTA PERIOD\" in microseconds, the quota may be max");
    }
    if (parts.size() == 2) {
        list.set(entry.pointer, "CPUQuotaPeriodUSec", period);
    }
    list.set(entry.pointer,
             "CPUQuotaPerSecUSec",
             quota == infinity ? infinity : cpu_quota_per_second(quota, period));
}

std::uint64_t weight(const PropertyList& list, const Entry& entry, std::string_view text) {
    const auto value = parse_uint(text);
    if (!value || *value == 0 || *value > weight_max) {
        throw bad_value(list, entry, "a weight from 1 to 10000");
    }
    return *value;
}

void set_weight(PropertyList& list, const Entry& entry) {
    list.set(entry.pointer, entry.property, weight(list, entry, entry.value));
}

void set_cpu_idle(PropertyList& list, const Entry& entry) {
    if (entry.value != "0" && entry.value != "1") {
        throw bad_value(list, entry, "0 or 1");
    }
    if (entry.value == "1") {
        list.set(entry.pointer, entry.property, std::uint64_t{0});
    }
}

void set_number_list(PropertyList& list, const Entry& entry) {
    const auto numbers = parse_cpu_list(entry.value);
    if (!numbers || numbers->empty()) {
        throw bad_value(list, entry, "a list like 0-3,7");
    }
    list.set(entry.pointer, entry.property, number_mask(*numbers));
}

/// "MAJOR:MINOR" as a path.
std::string device_path(const PropertyList& list, const Entry& entry, std::string_view text) {
    const auto [major, minor] = split_once(text, ':');
    const auto major_number = parse_uint(major);
    const auto minor_number = minor ? parse_uint(*minor) : std::nullopt;
    if (!major_number || !minor_number) {
        throw bad_value(list, entry, "the device as MAJOR:MINOR");
    }
    return block_device_path(static_cast<std::int64_t>(*major_number),
                             static_cast<std::int64_t>(*minor_number));
}

/// Lines of "default WEIGHT" or "MAJOR:MINOR WEIGHT"; a bare weight is the default one.
void set_io_weight(PropertyList& list, const Entry& entry) {
    for (const std::string& line : split(entry.value, '\n')) {
        const auto parts = words_of(line);
        if (parts.size() == 1 || (parts.size() == 2 && parts[0] == "default")) {
            list.set(entry.pointer, "IOWeight", weight(list, entry, parts.back()));
        } else if (parts.size() == 2) {
            list.add_device_limit(entry.pointer,
                                  "IODeviceWeight",
                                  device_path(list, entry, parts[0]),
                                  weight(list, entry, parts[1]));
        } else {
            throw bad_value(list, entry, "\"default WEIGHT\" or \"MAJOR:MINOR WEIGHT\"");
        }
    }
}

struct DeviceKey {
    std::string_view key;
    std::string_view property;
};

constexpr std::array io_max_keys{
    DeviceKey{"rbps", "IOReadBandwidthMax"},
    DeviceKey{"wbps", "IOWriteBandwidthMax"},
    DeviceKey{"riops", "IOReadIOPSMax"},
    DeviceKey{"wiops", "IOWriteIOPSMax"},
};

constexpr std::array io_latency_keys{
    DeviceKey{"target", "IODeviceLatencyTargetUSec"},
};

/// Lines of "MAJOR:MINOR KEY=VALUE ...".
void set_device_keys(PropertyList& list,
                     const Entry& entry,
                     std::span<const DeviceKey> keys,
                     std::string_view valid) {
    for (const std::string& line : split(entry.value, '\n')) {
        const auto parts = words_of(line);
        if (parts.size() < 2) {
            throw bad_value(list, entry, valid);
        }
        const std::string path = device_path(list, entry, parts[0]);
        for (std::size_t index = 1; index < parts.size(); ++index) {
            const auto [key, text] = split_once(parts[index], '=');
            const auto found = std::ranges::find(keys, key, &DeviceKey::key);
            const auto value = text ? number_or_max(*text) : std::nullopt;
            if (found == keys.end() || !value) {
                throw bad_value(list, entry, valid);
            }
            list.add_device_limit(entry.pointer, found->property, path, *value);
        }
    }
}

void set_io_max(PropertyList& list, const Entry& entry) {
    set_device_keys(
        list, entry, io_max_keys, "\"MAJOR:MINOR KEY=VALUE\" with rbps, wbps, riops or wiops");
}

void set_io_latency(PropertyList& list, const Entry& entry) {
    set_device_keys(list, entry, io_latency_keys, "\"MAJOR:MINOR target=MICROSECONDS\"");
}

struct UnifiedKey {
    std::string_view key;
    std::string_view property;
    void (*apply)(PropertyList& list, const Entry& entry);
};

constexpr std::array unified_keys{
    UnifiedKey{"cpu.idle", "CPUWeight", set_cpu_idle},
    UnifiedKey{"cpu.max", "", set_cpu_max},
    UnifiedKey{"cpu.weight", "CPUWeight", set_weight},
    UnifiedKey{"cpuset.cpus", "AllowedCPUs", set_number_list},
    UnifiedKey{"cpuset.mems", "AllowedMemoryNodes", set_number_list},
    UnifiedKey{"io.latency", "", set_io_latency},
    UnifiedKey{"io.max", "", set_io_max},
    UnifiedKey{"io.weight", "", set_io_weight},
    UnifiedKey{"memory.high", "MemoryHigh", set_limit},
    UnifiedKey{"memory.low", "MemoryLow", set_limit},
    UnifiedKey{"memory.max", "MemoryMax", set_limit},
    UnifiedKey{"memory.min", "MemoryMin", set_limit},
    UnifiedKey{"memory.oom.group", "OOMPolicy", set_oom_group},
    UnifiedKey{"memory.swap.max", "MemorySwapMax", set_limit},
    UnifiedKey{"memory.zswap.max", "MemoryZSwapMax", set_limit},
    UnifiedKey{"memory.zswap.writeback", "MemoryZSwapWriteback", set_flag},
    UnifiedKey{"pids.max", "TasksMax", set_task_limit},
};

bool is_idle(const std::map<std::string, std::string>& unified) {
    const auto idle = unified.find("cpu.idle");
    return idle != unified.end() && trim(idle->second) == "1";
}

} // namespace

void add_unified_properties(PropertyList& list, const std::map<std::string, std::string>& unified) {
    for (const auto& [key, value] : unified) {
        const std::string pointer = "/linux/resources/unified/" + key;
        const auto* found = std::ranges::find(unified_keys, key, &UnifiedKey::key);
        if (found == unified_keys.end()) {
            throw list.error("cannot set the cgroup file '" + key + "'", pointer)
                .because("systemd has no unit property for it");
        }
        // One property says both, and idle is the stronger wish, as in linux.resources.cpu.
        if (key == "cpu.weight" && is_idle(unified)) {
            continue;
        }
        found->apply(list, {.pointer = pointer, .value = trim(value), .property = found->property});
    }
}

} // namespace sctr::plan
