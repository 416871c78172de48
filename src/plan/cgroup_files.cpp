// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/cgroup_files.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "plan/property_list.hpp"

namespace sctr::plan {

namespace {

/// Properties of one number, each the only one of its file.
struct NumberFile {
    std::string_view property;
    const char* file;
};

constexpr std::array number_files{
    NumberFile{"MemoryMin", "memory.min"},
    NumberFile{"MemoryLow", "memory.low"},
    NumberFile{"MemoryHigh", "memory.high"},
    NumberFile{"MemoryMax", "memory.max"},
    NumberFile{"MemorySwapMax", "memory.swap.max"},
    NumberFile{"MemoryZSwapMax", "memory.zswap.max"},
    NumberFile{"TasksMax", "pids.max"},
    NumberFile{"IOWeight", "io.weight"},
};

/// Properties of a number for each device: lines of their file.
struct DeviceFile {
    std::string_view property;
    const char* file;
    const char* key;
};

constexpr std::array device_files{
    DeviceFile{"IODeviceWeight", "io.weight", ""},
    DeviceFile{"IOReadBandwidthMax", "io.max", "rbps="},
    DeviceFile{"IOWriteBandwidthMax", "io.max", "wbps="},
    DeviceFile{"IOReadIOPSMax", "io.max", "riops="},
    DeviceFile{"IOWriteIOPSMax", "io.max", "wiops="},
};

std::string number_or_max(std::uint64_t number) {
    return number == infinity ? "max" : std::to_string(number);
}

/// "0,2,3" of a bit set as number_mask() makes it.
std::string number_list(const std::vector<std::uint8_t>& mask) {
    std::string text;
    for (std::size_t number = 0; number < mask.size() * 8; ++number) {
        if ((mask[number / 8] >> (number % 8) & 1U) != 0) {
            text += (text.empty() ? "" : ",") + std::to_string(number);
        }
    }
    return text;
}

class Translation {
  public:
    explicit Translation(const std::vector<UnitProperty>& properties) : properties_(properties) {}

    CgroupPlan run() {
        for (const NumberFile& each : number_files) {
            if (const auto* value = find<std::uint64_t>(each.property)) {
                add(each.file, number_or_max(*value));
            }
        }
        add_cpu();
        add_devices();
        if (const auto* policy = find<std::string>("OOMPolicy"); policy && *policy == "kill") {
            add("memory.oom.group", "1");
        }
        return std::move(plan_);
    }

  private:
    template <typename Value> const Value* find(std::string_view name) const {
        const auto found = std::ranges::find(properties_, name, &UnitProperty::name);
        return found == properties_.end() ? nullptr : std::get_if<Value>(&found->value);
    }

    void add(const char* file, std::string text) { plan_.files.push_back({file, std::move(text)}); }

    void add_cpu() {
        if (const auto* weight = find<std::uint64_t>("CPUWeight")) {
            // Zero is systemd's word for idle, and a file of its own in the kernel.
            *weight == 0 ? add("cpu.idle", "1") : add("cpu.weight", std::to_string(*weight));
        }
        constexpr std::uint64_t usec_per_sec = 1'000'000;
        constexpr std::uint64_t usual_period = 100'000;
        const auto* period = find<std::uint64_t>("CPUQuotaPeriodUSec");
        if (const auto* quota = find<std::uint64_t>("CPUQuotaPerSecUSec")) {
            const std::uint64_t length =
                period == nullptr || *period == infinity ? usual_period : *period;
            const std::string text =
                *quota == infinity ? "max" : std::to_string(*quota * length / usec_per_sec);
            add("cpu.max", text + " " + std::to_string(length));
        }
        for (const auto& [property, file] : {std::pair{"AllowedCPUs", "cpuset.cpus"},
                                             std::pair{"AllowedMemoryNodes", "cpuset.mems"}}) {
            if (const auto* mask = find<std::vector<std::uint8_t>>(property)) {
                add(file, number_list(*mask));
            }
        }
    }

    void add_devices() {
        constexpr std::string_view block = "/dev/block/";
        for (const DeviceFile& each : device_files) {
            const auto* limits = find<DeviceLimits>(each.property);
            for (const auto& [path, number] : limits ? *limits : DeviceLimits{}) {
                const std::string device =
                    path.starts_with(block) ? path.substr(block.size()) : path;
                add(each.file, device + " " + each.key + number_or_max(number));
            }
        }
        if (const auto* policy = find<std::string>("DevicePolicy")) {
            plan_.filters_devices = *policy != "auto";
        }
        if (const auto* devices = find<StringPairs>("DeviceAllow")) {
            plan_.devices = *devices;
        }
    }

    const std::vector<UnitProperty>& properties_;
    CgroupPlan plan_;
};

} // namespace

CgroupPlan cgroup_files(const std::vector<UnitProperty>& properties) {
    return Translation(properties).run();
}

} // namespace sctr::plan
