// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include "base/strings.hpp"
#include "cli/request_builder.hpp"
#include "cli/values.hpp"
#include "plan/property_text.hpp"

namespace sctr::cli {
namespace {

constexpr std::int64_t unlimited = -1;
constexpr std::int64_t least_memory = 6 << 20; // As docker: below it runc's init did not start.
constexpr std::int64_t cpu_period_usec = 100'000;
constexpr const char* memory_form = "6m or more (k, m, g for units), or -1 for no limit";

/// A memory limit in bytes; 0 means no limit to docker.
std::int64_t parse_memory(const char* flag, const std::string& text) {
    const auto bytes = parse_size(text);
    if (!bytes) {
        throw bad_value(flag, text, "not a size", memory_form);
    }
    if (*bytes == unlimited || *bytes == 0) {
        return unlimited;
    }
    if (*bytes < least_memory) {
        throw bad_value(flag, text, "too little to run anything", memory_form);
    }
    return *bytes;
}

/// docker's default, so that a limit on memory is not a door to all of the swap.
std::int64_t default_swap(std::int64_t limit) {
    return limit > std::numeric_limits<std::int64_t>::max() / 2 ? unlimited : 2 * limit;
}

std::int64_t parse_swap(const LimitFlags& flags, std::int64_t limit) {
    const std::string& text = *flags.memory_swap;
    const auto total = parse_size(text);
    constexpr const char* form = "the total of memory and swap (--memory or more), or -1";
    if (!total) {
        throw bad_value("--memory-swap", text, "not a size", form);
    }
    if (*total == unlimited) {
        return unlimited;
    }
    if (*total == 0) {
        return default_swap(limit);
    }
    if (*total < limit) {
        throw bad_value("--memory-swap", text, "below --memory " + *flags.memory, form);
    }
    return *total;
}

void add_memory(oci::Resources& resources, const LimitFlags& flags) {
    if (!flags.memory && !flags.memory_reservation && !flags.memory_swap) {
        return;
    }
    oci::Memory& memory = resources.memory.emplace();
    if (flags.memory) {
        memory.limit = parse_memory("--memory", *flags.memory);
    }
    const bool limited = memory.limit.value_or(unlimited) != unlimited;
    if (flags.memory_swap && !limited) {
        throw Error("--memory-swap needs --memory").mend("give both: it is the total of the two");
    }
    if (limited) {
        memory.swap =
            flags.memory_swap ? parse_swap(flags, *memory.limit) : default_swap(*memory.limit);
    }
    if (flags.memory_reservation) {
        memory.reservation = parse_memory("--memory-reservation", *flags.memory_reservation);
        if (limited && *memory.reservation > *memory.limit) {
            throw bad_value("--memory-reservation",
                            *flags.memory_reservation,
                            "above --memory " + *flags.memory,
                            "a size up to --memory");
        }
    }
}

/// What OCI has no field for, as the cgroup file's own value.
void add_unified_memory(oci::Resources& resources, const LimitFlags& flags) {
    if (flags.memory_high) {
        const std::int64_t bytes = parse_memory("--memory-high", *flags.memory_high);
        resources.unified["memory.high"] = bytes == unlimited ? "max" : std::to_string(bytes);
    }
    if (flags.memory_zswap_max) {
        constexpr const char* form = "a size (k, m, g for units), 0 for none, or -1 for no limit";
        const auto bytes = parse_size(*flags.memory_zswap_max);
        if (!bytes) {
            throw bad_value("--memory-zswap-max", *flags.memory_zswap_max, "not a size", form);
        }
        resources.unified["memory.zswap.max"] =
            *bytes == unlimited ? "max" : std::to_string(*bytes);
    }
}

/// CPUs as a quota in each period (docker: --cpus).
std::int64_t parse_cpus(const std::string& text) {
    constexpr const char* form = "a number of CPUs from 0.01 to 8192, as 1.5";
    double cpus = 0;
    const char* end = text.data() + text.size();
    const auto [stop, failure] = std::from_chars(text.data(), end, cpus, std::chars_format::fixed);
    if (failure != std::errc{} || stop != end) {
        throw bad_value("--cpus", text, "not a number", form);
    }
    if (!(cpus >= 0.01 && cpus <= 8192)) { // cpu.max takes no less than a millisecond a period.
        throw bad_value("--cpus", text, "out of range", form);
    }
    return std::llround(cpus * static_cast<double>(cpu_period_usec));
}

/// Of cpu.max, as the cgroup takes them: microseconds (cgroup-v2, "cpu.max").
void add_quota(oci::Cpu& cpu, const LimitFlags& flags) {
    constexpr std::int64_t shortest = 1'000;
    constexpr std::int64_t longest = 1'000'000;
    if (flags.cpus && (flags.cpu_period || flags.cpu_quota)) {
        throw Error("--cpus says what --cpu-quota and --cpu-period say").mend("give one");
    }
    if (flags.cpus) {
        cpu.quota = parse_cpus(*flags.cpus);
        cpu.period = cpu_period_usec;
    }
    if (flags.cpu_period && !flags.cpu_quota) {
        throw Error("--cpu-period needs --cpu-quota").mend("give both, or --cpus");
    }
    if (flags.cpu_quota) {
        constexpr std::int64_t most = std::int64_t{1} << 40;
        const std::int64_t quota = parse_in_range("--cpu-quota", *flags.cpu_quota, -1, most);
        if (quota > 0 && quota < shortest) {
            throw bad_value("--cpu-quota",
                            *flags.cpu_quota,
                            "less than a millisecond",
                            "1000 microseconds or more, or -1 for no limit");
        }
        cpu.quota = quota == 0 ? unlimited : quota;
        cpu.period = static_cast<std::uint64_t>(
            flags.cpu_period ? parse_in_range("--cpu-period", *flags.cpu_period, shortest, longest)
                             : cpu_period_usec);
    }
}

std::string parse_list(const char* flag, const std::string& text) {
    if (!parse_cpu_list(text)) {
        throw bad_value(flag, text, "not a list", "numbers and ranges, as 0-3,7");
    }
    return text;
}

void add_cpu(oci::Resources& resources, const LimitFlags& flags) {
    if (flags.cpu_weight && flags.cpu_shares) {
        throw Error("--cpu-weight and --cpu-shares are two scales of one thing").mend("give one");
    }
    if (flags.cpu_weight) {
        resources.unified["cpu.weight"] =
            std::to_string(parse_in_range("--cpu-weight", *flags.cpu_weight, 1, 10000));
    }
    if (!flags.cpus && !flags.cpu_quota && !flags.cpu_period && !flags.cpu_shares &&
        !flags.cpuset_cpus && !flags.cpuset_mems) {
        return;
    }
    oci::Cpu& cpu = resources.cpu.emplace();
    add_quota(cpu, flags);
    if (flags.cpu_shares) {
        cpu.shares = static_cast<std::uint64_t>(
            parse_in_range("--cpu-shares", *flags.cpu_shares, 2, 262144));
    }
    if (flags.cpuset_cpus) {
        cpu.cpus = parse_list("--cpuset-cpus", *flags.cpuset_cpus);
    }
    if (flags.cpuset_mems) {
        cpu.mems = parse_list("--cpuset-mems", *flags.cpuset_mems);
    }
}

void add_pids(oci::Resources& resources, const std::string& text) {
    constexpr std::int64_t most = 4'194'304; // PID_MAX_LIMIT
    const std::int64_t limit = parse_in_range("--pids-limit", text, -1, most);
    resources.pids_limit = limit == 0 ? unlimited : limit; // docker: 0 is no limit
}

/// Splits DEVICE:RATE at the last colon.
std::pair<std::string, std::string> split_rate(const char* flag, const std::string& text) {
    const auto colon = text.rfind(':');
    if (colon == std::string::npos || !text.starts_with('/')) {
        throw bad_value(flag, text, "", "DEVICE:RATE, as /dev/sda:1m");
    }
    return {text.substr(0, colon), text.substr(colon + 1)};
}

oci::ThrottleDevice
parse_throttle(const char* flag, const std::string& text, bool bytes, const RootfsFacts& facts) {
    const auto [path, rate_text] = split_rate(flag, text);
    const auto rate = bytes ? parse_size(rate_text) : parse_int(rate_text);
    if (!rate || *rate < 1) {
        throw bad_value(flag,
                        text,
                        "no rate",
                        bytes ? "bytes a second after the colon, as /dev/sda:1m"
                              : "operations a second after the colon, as /dev/sda:100");
    }
    const auto found = facts.devices.find(path);
    if (found == facts.devices.end() || found->second.size() != 1 ||
        found->second.front().type != 'b') {
        throw bad_value(flag, text, "not a block device", "a disk, as /dev/sda");
    }
    const HostDevice& device = found->second.front();
    return {
        .major = device.major, .minor = device.minor, .rate = static_cast<std::uint64_t>(*rate)};
}

struct ThrottleFlag {
    const char* name;
    bool bytes;
    std::vector<std::string> LimitFlags::* values;
    std::vector<oci::ThrottleDevice> oci::BlockIo::* target;
};

constexpr ThrottleFlag throttle_flags[] = {
    {"--device-read-bps",
     true,
     &LimitFlags::device_read_bps,
     &oci::BlockIo::throttle_read_bps_device},
    {"--device-write-bps",
     true,
     &LimitFlags::device_write_bps,
     &oci::BlockIo::throttle_write_bps_device},
    {"--device-read-iops",
     false,
     &LimitFlags::device_read_iops,
     &oci::BlockIo::throttle_read_iops_device},
    {"--device-write-iops",
     false,
     &LimitFlags::device_write_iops,
     &oci::BlockIo::throttle_write_iops_device},
};

void add_io(oci::Resources& resources, const LimitFlags& flags, const RootfsFacts& facts) {
    if (flags.io_weight) {
        resources.unified["io.weight"] =
            std::to_string(parse_in_range("--io-weight", *flags.io_weight, 1, 10000));
    }
    for (const ThrottleFlag& flag : throttle_flags) {
        for (const std::string& text : flags.*flag.values) {
            if (!resources.block_io) {
                resources.block_io.emplace();
            }
            ((*resources.block_io).*flag.target)
                .push_back(parse_throttle(flag.name, text, flag.bytes, facts));
        }
    }
}

std::string parse_slice(const LimitFlags& flags) {
    const std::string& text = *flags.slice;
    const std::string name = text.ends_with(".slice") ? text : text + ".slice";
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789:-_.\\";
    const std::string stem = name.substr(0, name.size() - 6);
    if (stem.empty() || stem.find_first_not_of(letters) != std::string::npos ||
        (stem != "-" && (stem.starts_with('-') || stem.ends_with('-') || stem.contains("--")))) {
        throw bad_value("--slice", text, "", "a slice unit, as machine.slice or a-b.slice");
    }
    return name;
}

/// Messages of the plan name the flag instead of the place in the config.
const std::map<std::string, std::string, std::less<>> flag_of_pointer = {
    {"/linux/resources/memory/limit", "--memory"},
    {"/linux/resources/memory/reservation", "--memory-reservation"},
    {"/linux/resources/memory/swap", "--memory-swap"},
    {"/linux/resources/unified/memory.high", "--memory-high"},
    {"/linux/resources/unified/memory.zswap.max", "--memory-zswap-max"},
    {"/linux/resources/cpu/quota", "--cpus"},
    {"/linux/resources/cpu/period", "--cpus"},
    {"/linux/resources/cpu/shares", "--cpu-shares"},
    {"/linux/resources/cpu/cpus", "--cpuset-cpus"},
    {"/linux/resources/cpu/mems", "--cpuset-mems"},
    {"/linux/resources/unified/cpu.weight", "--cpu-weight"},
    {"/linux/resources/unified/io.weight", "--io-weight"},
    {"/linux/resources/pids/limit", "--pids-limit"},
    {"/linux/resources/blockIO/throttleReadBpsDevice", "--device-read-bps"},
    {"/linux/resources/blockIO/throttleWriteBpsDevice", "--device-write-bps"},
    {"/linux/resources/blockIO/throttleReadIOPSDevice", "--device-read-iops"},
    {"/linux/resources/blockIO/throttleWriteIOPSDevice", "--device-write-iops"},
};

} // namespace

void add_limits(plan::Request& request, const LimitFlags& flags, const RootfsFacts& facts) {
    oci::Resources& resources = request.spec.linux.resources;
    add_memory(resources, flags);
    add_unified_memory(resources, flags);
    add_cpu(resources, flags);
    if (flags.pids_limit) {
        add_pids(resources, *flags.pids_limit);
    }
    add_io(resources, flags, facts);
    if (flags.oom_score_adj) {
        request.spec.process->oom_score_adj =
            static_cast<int>(parse_in_range("--oom-score-adj", *flags.oom_score_adj, -1000, 1000));
    }
    for (const std::string& text : flags.properties) {
        request.extra_properties.push_back(plan::parse_property(text));
    }
    request.flag_of.insert(flag_of_pointer.begin(), flag_of_pointer.end());
    if (flags.slice) {
        request.slice = parse_slice(flags);
    }
}

std::set<std::string> device_sources(const MountFlags& mounts, const LimitFlags& limits) {
    std::set<std::string> paths;
    for (const std::string& text : mounts.devices) {
        paths.insert(split(text, ':').front());
    }
    for (const ThrottleFlag& flag : throttle_flags) {
        for (const std::string& text : limits.*flag.values) {
            paths.insert(split_rate(flag.name, text).first);
        }
    }
    return paths;
}

} // namespace sctr::cli
