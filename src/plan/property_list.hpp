// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>

#include "base/error.hpp"
#include "plan/unit_properties.hpp"

/// What the parts of resource_properties share.
namespace sctr::plan {

/// D-Bus encoding of "no limit" and "not set" in 64-bit properties (CGROUP_LIMIT_MAX).
inline constexpr std::uint64_t infinity = UINT64_MAX;

/// Weights of cgroup v2 (systemd.resource-control(5), CPUWeight= and IOWeight=).
inline constexpr std::uint64_t weight_max = 10000;

/// Collects properties by name, remembering who asked for each, for messages.
class PropertyList {
  public:
    PropertyList(const host::Facts& facts, const ResourceOptions& options)
        : facts_(facts), options_(options) {}

    /// Sets a property; one that was set before is replaced. A value that limits nothing is left
    /// out where the host lacks the controller: there is nothing to enforce.
    void set(std::string_view pointer, std::string_view name, PropertyValue value);
    /// Adds a path and its value to a property of type a(st).
    void add_device_limit(std::string_view pointer,
                          std::string_view name,
                          std::string path,
                          std::uint64_t value);

    /// Adds a property without a look at what is there; for a reset before a list.
    void append(UnitProperty property) { properties_.push_back(std::move(property)); }

    [[nodiscard]] bool is_new_unit() const { return options_.target == PropertyTarget::new_unit; }

    /// An error about the limit at `pointer`.
    [[nodiscard]] Error error(std::string what, std::string_view pointer) const;

    [[nodiscard]] std::vector<UnitProperty> take() && { return std::move(properties_); }

  private:
    UnitProperty* find(std::string_view name);
    [[nodiscard]] std::string name_of(std::string_view pointer) const;

    const host::Facts& facts_;
    const ResourceOptions& options_;
    std::vector<UnitProperty> properties_;
};

/// "/dev/block/MAJOR:MINOR".
std::string block_device_path(std::int64_t major, std::int64_t minor);

/// linux.resources.devices → DevicePolicy, DeviceAllow.
void add_device_properties(PropertyList& list, const std::vector<oci::DeviceCgroup>& rules);

/// linux.resources.unified → the properties that write the same cgroup files.
void add_unified_properties(PropertyList& list, const std::map<std::string, std::string>& unified);

} // namespace sctr::plan
