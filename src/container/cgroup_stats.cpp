// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/cgroup_stats.hpp"

#include <charconv>
#include <filesystem>
#include <utility>

#include "base/strings.hpp"
#include "linux/procfs.hpp"

namespace sctr::container {

namespace {

using Numbers = std::map<std::string, std::uint64_t>;

std::uint64_t number_of(const Numbers& numbers, const char* name) {
    const auto found = numbers.find(name);
    return found == numbers.end() ? 0 : found->second;
}

/// "name=value" of a line of words.
std::optional<std::pair<std::string, std::string>> key_value(const std::string& word) {
    auto [key, value] = split_once(word, '=');
    return value ? std::optional(std::pair(std::move(key), std::move(*value))) : std::nullopt;
}

double parse_decimal(const std::string& text) {
    double value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

PressureShare parse_share(const std::vector<std::string>& words) {
    PressureShare share;
    for (const std::string& word : words) {
        const auto pair = key_value(word);
        if (!pair) {
            continue;
        }
        const auto& [key, value] = *pair;
        if (key == "avg10") {
            share.avg10 = parse_decimal(value);
        } else if (key == "avg60") {
            share.avg60 = parse_decimal(value);
        } else if (key == "avg300") {
            share.avg300 = parse_decimal(value);
        } else if (key == "total") {
            share.total_usec = parse_uint(value).value_or(0);
        }
    }
    return share;
}

/// The files of one cgroup.
class Directory {
  public:
    explicit Directory(const std::string& path) : path_(path) {}

    [[nodiscard]] std::string text(const std::string& file) const {
        return sys::read_small_file(path_ + "/" + file).value_or("");
    }

    [[nodiscard]] std::uint64_t amount(const std::string& file) const {
        return parse_amount(text(file)).value_or(0);
    }

    [[nodiscard]] std::optional<Pressure> pressure(const std::string& resource) const {
        return parse_pressure(text(resource + ".pressure"));
    }

    [[nodiscard]] MemoryAmount memory(const std::string& name) const {
        return {.usage = amount(name + ".current"),
                .peak = amount(name + ".peak"),
                .limit = amount(name + ".max")};
    }

    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

CpuStats read_cpu(const Directory& cgroup) {
    const Numbers stat = parse_flat_keyed(cgroup.text("cpu.stat"));
    return {.usage_usec = number_of(stat, "usage_usec"),
            .user_usec = number_of(stat, "user_usec"),
            .system_usec = number_of(stat, "system_usec"),
            .periods = number_of(stat, "nr_periods"),
            .throttled_periods = number_of(stat, "nr_throttled"),
            .throttled_usec = number_of(stat, "throttled_usec"),
            .pressure = cgroup.pressure("cpu")};
}

std::map<std::string, HugetlbStats> read_hugetlb(const Directory& cgroup) {
    constexpr std::string_view start = "hugetlb.";
    constexpr std::string_view end = ".current";
    std::map<std::string, HugetlbStats> sizes;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator(cgroup.path(), gone)) {
        const std::string name = entry.path().filename();
        if (!name.starts_with(start) || !name.ends_with(end) || name.find(".rsvd.") != name.npos) {
            continue;
        }
        const std::string size = name.substr(start.size(), name.size() - start.size() - end.size());
        const Numbers events = parse_flat_keyed(cgroup.text("hugetlb." + size + ".events"));
        sizes[size] = {.usage = cgroup.amount(name), .failures = number_of(events, "max")};
    }
    return sizes;
}

} // namespace

Numbers parse_flat_keyed(std::string_view text) {
    Numbers numbers;
    for (const std::string& line : split(text, '\n')) {
        const auto [name, rest] = split_once(line, ' ');
        if (const auto value = rest ? parse_uint(*rest) : std::nullopt) {
            numbers[name] = *value;
        }
    }
    return numbers;
}

std::vector<DeviceIo> parse_io_stat(std::string_view text) {
    std::vector<DeviceIo> devices;
    for (const std::string& line : split(text, '\n')) {
        const std::vector<std::string> words = split(line, ' ');
        const auto [major, minor] = split_once(words.front(), ':');
        const auto major_number = parse_uint(major);
        const auto minor_number = minor ? parse_uint(*minor) : std::nullopt;
        if (!major_number || !minor_number) {
            continue;
        }
        DeviceIo device{.major = *major_number, .minor = *minor_number};
        for (const std::string& word : words) {
            const auto pair = key_value(word);
            const auto value = pair ? parse_uint(pair->second) : std::nullopt;
            if (!value) {
                continue;
            }
            if (pair->first == "rbytes") {
                device.read_bytes = *value;
            } else if (pair->first == "wbytes") {
                device.write_bytes = *value;
            } else if (pair->first == "rios") {
                device.reads = *value;
            } else if (pair->first == "wios") {
                device.writes = *value;
            }
        }
        devices.push_back(device);
    }
    return devices;
}

std::optional<Pressure> parse_pressure(std::string_view text) {
    std::optional<Pressure> pressure;
    for (const std::string& line : split(text, '\n')) {
        const std::vector<std::string> words = split(line, ' ');
        if (words.front() != "some" && words.front() != "full") {
            continue;
        }
        if (!pressure) {
            pressure.emplace();
        }
        (words.front() == "some" ? pressure->some : pressure->full) = parse_share(words);
    }
    return pressure;
}

std::optional<std::uint64_t> parse_amount(std::string_view text) {
    while (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    return text == "max" ? MemoryAmount::unlimited : parse_uint(text);
}

CgroupStats read_cgroup_stats(const std::string& directory) {
    const Directory cgroup(directory);
    CgroupStats stats;
    stats.cpu = read_cpu(cgroup);
    stats.memory = {.memory = cgroup.memory("memory"),
                    .swap = cgroup.memory("memory.swap"),
                    .detail = parse_flat_keyed(cgroup.text("memory.stat")),
                    .pressure = cgroup.pressure("memory")};
    stats.processes = cgroup.amount("pids.current");
    const std::uint64_t limit = cgroup.amount("pids.max");
    stats.process_limit = limit == MemoryAmount::unlimited ? 0 : limit;
    stats.io = parse_io_stat(cgroup.text("io.stat"));
    stats.io_pressure = cgroup.pressure("io");
    stats.hugetlb = read_hugetlb(cgroup);
    return stats;
}

std::uint64_t oom_kills(std::string_view memory_events) {
    return number_of(parse_flat_keyed(memory_events), "oom_kill");
}

} // namespace sctr::container
