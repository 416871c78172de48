// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/unit_status.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <format>
#include <limits>
#include <map>
#include <string_view>

namespace sctr::systemd {

namespace {

std::string hex(const std::vector<std::uint8_t>& bytes) {
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += std::format("{:02x}", byte);
    }
    return text;
}

constexpr std::array<std::string_view, 6> limit_names = {
    "MemoryMax", "MemorySwapMax", "CPUQuotaPerSecUSec", "CPUWeight", "TasksMax", "IOWeight"};

/// A weight has no infinity: systemd uses that number for one that is not set.
bool is_unset(std::string_view name, std::uint64_t value) {
    return name.ends_with("Weight") && value == std::numeric_limits<std::uint64_t>::max();
}

/// Ranges of the bits that are set, as systemd.resource-control(5) writes AllowedCPUs.
std::string cpu_list(const std::vector<std::uint8_t>& mask) {
    const auto is_set = [&](std::size_t cpu) {
        return cpu / 8 < mask.size() && (mask[cpu / 8] >> cpu % 8 & 1U) != 0;
    };
    std::string text;
    for (std::size_t cpu = 0; cpu < mask.size() * 8; ++cpu) {
        if (!is_set(cpu)) {
            continue;
        }
        std::size_t last = cpu;
        while (is_set(last + 1)) {
            ++last;
        }
        text += text.empty() ? "" : ",";
        text += last == cpu ? std::to_string(cpu) : std::format("{}-{}", cpu, last);
        cpu = last;
    }
    return text;
}

void read_limit(UnitStatus& status, const std::string& name, const sdbus::Variant& value) {
    if (name == "AllowedCPUs") {
        status.allowed_cpus = cpu_list(value.get<std::vector<std::uint8_t>>());
    } else if (std::ranges::contains(limit_names, name)) {
        if (const auto number = value.get<std::uint64_t>(); !is_unset(name, number)) {
            status.limits.emplace(name, number);
        }
    }
}

} // namespace

UnitStatus read_status(sdbus::MethodReply& reply) {
    UnitStatus status;
    const std::map<std::string_view, std::string*> wanted{
        {"LoadState", &status.load_state},
        {"ActiveState", &status.active_state},
        {"SubState", &status.sub_state},
        {"Result", &status.result},
        {"ControlGroup", &status.control_group},
        {"FreezerState", &status.freezer_state},
        {"Description", &status.description},
    };
    reply.deserializeDictionary<std::string, sdbus::Variant>([&](const auto& property) {
        if (const auto found = wanted.find(property.first); found != wanted.end()) {
            *found->second = property.second.template get<std::string>();
        } else if (property.first == "Delegate") {
            status.delegate = property.second.template get<bool>();
        } else if (property.first == "InvocationID") {
            status.invocation_id = hex(property.second.template get<std::vector<std::uint8_t>>());
        } else if (property.first == "ActiveEnterTimestamp") {
            status.active_usec =
                static_cast<std::int64_t>(property.second.template get<std::uint64_t>());
        } else {
            read_limit(status, property.first, property.second);
        }
    });
    return status;
}

std::vector<std::string> read_names(sdbus::MethodReply& reply) {
    using Unit = sdbus::Struct<std::string, // name
                               std::string, // description
                               std::string, // load state
                               std::string, // active state
                               std::string, // sub state
                               std::string, // the unit that it follows
                               sdbus::ObjectPath,
                               std::uint32_t, // of its job
                               std::string,
                               sdbus::ObjectPath>;
    std::vector<Unit> units;
    reply >> units;
    std::vector<std::string> names;
    names.reserve(units.size());
    for (const Unit& unit : units) {
        names.push_back(unit.get<0>());
    }
    return names;
}

} // namespace sctr::systemd
