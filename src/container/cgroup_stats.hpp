// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What a container's cgroup has used. Source: Linux, admin-guide/cgroup-v2.rst.
namespace sctr::container {

/// One line of a *.pressure file: shares of time in percent, and their sum in microseconds.
struct PressureShare {
    double avg10 = 0;
    double avg60 = 0;
    double avg300 = 0;
    std::uint64_t total_usec = 0;

    bool operator==(const PressureShare&) const = default;
};

struct Pressure {
    PressureShare some;
    PressureShare full;

    bool operator==(const Pressure&) const = default;
};

struct CpuStats {
    std::uint64_t usage_usec = 0;
    std::uint64_t user_usec = 0;
    std::uint64_t system_usec = 0;
    std::uint64_t periods = 0;
    std::uint64_t throttled_periods = 0;
    std::uint64_t throttled_usec = 0;
    std::optional<Pressure> pressure;

    bool operator==(const CpuStats&) const = default;
};

/// Bytes; a limit of `unlimited` is none.
struct MemoryAmount {
    static constexpr std::uint64_t unlimited = ~std::uint64_t{0};

    std::uint64_t usage = 0;
    std::uint64_t peak = 0;
    std::uint64_t limit = 0;

    bool operator==(const MemoryAmount&) const = default;
};

struct MemoryStats {
    MemoryAmount memory;
    MemoryAmount swap;                           ///< without the memory
    std::map<std::string, std::uint64_t> detail; ///< memory.stat
    std::optional<Pressure> pressure;

    bool operator==(const MemoryStats&) const = default;
};

/// What was read from and written to one block device.
struct DeviceIo {
    std::uint64_t major = 0;
    std::uint64_t minor = 0;
    std::uint64_t read_bytes = 0;
    std::uint64_t write_bytes = 0;
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;

    bool operator==(const DeviceIo&) const = default;
};

struct HugetlbStats {
    std::uint64_t usage = 0;    ///< bytes
    std::uint64_t failures = 0; ///< allocations above the limit

    bool operator==(const HugetlbStats&) const = default;
};

/// Without a controller its numbers are 0.
struct CgroupStats {
    CpuStats cpu;
    MemoryStats memory;
    std::uint64_t processes = 0;
    std::uint64_t process_limit = 0; ///< 0: none
    std::vector<DeviceIo> io;
    std::optional<Pressure> io_pressure;
    std::map<std::string, HugetlbStats> hugetlb; ///< by page size: "2MB"

    bool operator==(const CgroupStats&) const = default;
};

/// Lines of "name number", as cpu.stat, memory.stat and *.events have them. Others are passed over.
std::map<std::string, std::uint64_t> parse_flat_keyed(std::string_view text);

/// io.stat; keys without a place in DeviceIo are passed over.
std::vector<DeviceIo> parse_io_stat(std::string_view text);

/// A *.pressure file; nothing where the kernel says none.
std::optional<Pressure> parse_pressure(std::string_view text);

/// A file with one number or "max"; nothing when it is neither.
std::optional<std::uint64_t> parse_amount(std::string_view text);

/// Reads the files of a cgroup's directory, those that are there.
CgroupStats read_cgroup_stats(const std::string& directory);

/// How often the kernel's OOM killer has struck, from the text of memory.events.
std::uint64_t oom_kills(std::string_view memory_events);

} // namespace sctr::container
