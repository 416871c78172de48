// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/property_list.hpp"

#include <algorithm>
#include <array>

namespace sctr::plan {

namespace {

struct ControllerOfProperty {
    std::string_view property; ///< its D-Bus name
    std::string_view controller;
};

/// Properties that have no effect without a controller. A percentage (the *Scale names of
/// systemd's D-Bus interface) needs what its property needs.
constexpr std::array controllers_of_properties{
    ControllerOfProperty{"AllowedCPUs", "cpuset"},
    ControllerOfProperty{"AllowedMemoryNodes", "cpuset"},
    ControllerOfProperty{"CPUQuotaPerSecUSec", "cpu"},
    ControllerOfProperty{"CPUWeight", "cpu"},
    ControllerOfProperty{"DefaultMemoryLow", "memory"},
    ControllerOfProperty{"DefaultMemoryMin", "memory"},
    ControllerOfProperty{"DefaultStartupMemoryLow", "memory"},
    ControllerOfProperty{"IODeviceLatencyTargetUSec", "io"},
    ControllerOfProperty{"IODeviceWeight", "io"},
    ControllerOfProperty{"IOReadBandwidthMax", "io"},
    ControllerOfProperty{"IOReadIOPSMax", "io"},
    ControllerOfProperty{"IOWeight", "io"},
    ControllerOfProperty{"IOWriteBandwidthMax", "io"},
    ControllerOfProperty{"IOWriteIOPSMax", "io"},
    ControllerOfProperty{"MemoryHigh", "memory"},
    ControllerOfProperty{"MemoryLow", "memory"},
    ControllerOfProperty{"MemoryMax", "memory"},
    ControllerOfProperty{"MemoryMin", "memory"},
    ControllerOfProperty{"MemorySwapMax", "memory"},
    ControllerOfProperty{"MemoryZSwapMax", "memory"},
    ControllerOfProperty{"MemoryZSwapWriteback", "memory"},
    ControllerOfProperty{"StartupAllowedCPUs", "cpuset"},
    ControllerOfProperty{"StartupAllowedMemoryNodes", "cpuset"},
    ControllerOfProperty{"StartupCPUWeight", "cpu"},
    ControllerOfProperty{"StartupIOWeight", "io"},
    ControllerOfProperty{"StartupMemoryHigh", "memory"},
    ControllerOfProperty{"StartupMemoryLow", "memory"},
    ControllerOfProperty{"StartupMemoryMax", "memory"},
    ControllerOfProperty{"StartupMemorySwapMax", "memory"},
    ControllerOfProperty{"StartupMemoryZSwapMax", "memory"},
    ControllerOfProperty{"TasksMax", "pids"},
};

/// The controller that a property needs; empty when it needs none.
std::string_view controller_of(const UnitProperty& property) {
    if (property.name == "OOMPolicy") {
        // Only "kill" sets memory.oom.group; the others are systemd's own reaction.
        const auto* policy = std::get_if<std::string>(&property.value);
        return policy != nullptr && *policy == "kill" ? "memory" : "";
    }
    std::string_view name = property.name;
    if (name.ends_with("Scale")) {
        name.remove_suffix(std::string_view("Scale").size());
    }
    const auto* found =
        std::ranges::find(controllers_of_properties, name, &ControllerOfProperty::property);
    return found == controllers_of_properties.end() ? "" : found->controller;
}

bool is_unlimited(const PropertyValue& value) {
    const auto* number = std::get_if<std::uint64_t>(&value);
    return number != nullptr && *number == infinity;
}

bool is_missing(std::string_view controller, const host::Facts& facts) {
    return !controller.empty() && !facts.controllers.contains(std::string(controller));
}

} // namespace

void require_controller(const UnitProperty& property,
                        const host::Facts& facts,
                        std::string_view where) {
    const std::string_view controller = controller_of(property);
    if (!is_missing(controller, facts) || is_unlimited(property.value)) {
        return;
    }
    const bool of_system = facts.is_root && !facts.is_rootless;
    throw Error("cannot set the limit")
        .at(where)
        .because("the cgroup controller '" + std::string(controller) + "' is not " +
                 (of_system ? "available on this host" : "delegated to this user's systemd"))
        .mend(of_system ? "boot with systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all, and see "
                          "/sys/fs/cgroup/cgroup.controllers"
                        : "let root run `systemctl edit user@.service` and add [Service] "
                          "Delegate=cpu cpuset io memory pids, then log in again");
}

UnitProperty* PropertyList::find(std::string_view name) {
    const auto found = std::ranges::find(properties_, name, &UnitProperty::name);
    return found == properties_.end() ? nullptr : &*found;
}

std::string PropertyList::name_of(std::string_view pointer) const {
    return options_.name_of ? options_.name_of(pointer) : std::string(pointer);
}

Error PropertyList::error(std::string what, std::string_view pointer) const {
    return Error(std::move(what)).at(name_of(pointer));
}

void PropertyList::set(std::string_view pointer, std::string_view name, PropertyValue value) {
    UnitProperty property{std::string(name), std::move(value)};
    if (is_missing(controller_of(property), facts_) && is_unlimited(property.value)) {
        return;
    }
    require_controller(property, facts_, name_of(pointer));
    if (UnitProperty* earlier = find(name)) {
        *earlier = std::move(property);
    } else {
        properties_.push_back(std::move(property));
    }
}

void PropertyList::add_device_limit(std::string_view pointer,
                                    std::string_view name,
                                    std::string path,
                                    std::uint64_t value) {
    DeviceLimits limits;
    if (const UnitProperty* earlier = find(name)) {
        limits = std::get<DeviceLimits>(earlier->value);
        std::erase_if(limits, [&](const auto& limit) { return limit.first == path; });
    }
    limits.emplace_back(std::move(path), value);
    set(pointer, name, std::move(limits));
}

std::string block_device_path(std::int64_t major, std::int64_t minor) {
    return "/dev/block/" + std::to_string(major) + ":" + std::to_string(minor);
}

} // namespace sctr::plan
