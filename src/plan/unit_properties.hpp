// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/facts.hpp"
#include "oci/spec.hpp"
#include "plan/unit.hpp"

/// From linux.resources (runtime-spec, config-linux, Control groups) to unit properties of systemd
/// (systemd.resource-control(5)), for cgroup v2.
namespace sctr::plan {

/// Whether properties are sent with StartTransientUnit or with SetUnitProperties.
enum class PropertyTarget { new_unit, running_unit };

struct ResourceOptions {
    PropertyTarget target = PropertyTarget::new_unit;
    /// What a message calls the limit at a JSON pointer, such as the flag that asked for it.
    /// Empty: the pointer itself.
    std::function<std::string(std::string_view pointer)> name_of;
};

/// What `systemctl` prints on a line of its own: valid UTF-8, as D-Bus wants it, without control
/// characters, and at most 200 bytes (see longest_property_text).
std::string unit_description(std::string_view text);

/// Every limit as a unit property, each property once; what `unified` says wins.
///
/// Zero and absent are the same where the spec has no use for zero. An empty device list leaves
/// access to devices as it is; any other one starts from nothing allowed and gets
/// default_device_rules() at its end, as runc and crun do. Throws Error with the JSON pointer when
/// a value is out of range, when no property can say it, or when the host lacks the controller.
std::vector<UnitProperty> resource_properties(const oci::Resources& resources,
                                              const host::Facts& facts,
                                              const ResourceOptions& options = {});

/// Throws Error when `property` is a limit that needs a cgroup controller which the host does not
/// offer; `where` is the flag or pointer that asked for it. A limit of "infinity" needs none.
void require_controller(const UnitProperty& property,
                        const host::Facts& facts,
                        std::string_view where);

/// Devices that every container has (runtime-spec, config-linux, Default Devices), its terminals,
/// and the making of nodes, which is harmless while opening them is refused.
const std::vector<oci::DeviceCgroup>& default_device_rules();

/// Converts cgroup v1 CPU shares (2 to 262144) to a cgroup v2 weight (1 to 10000); shares beyond
/// the ends give the ends. The curve meets both ends and 1024 → 100, as in runc and crun.
std::uint64_t cpu_weight_from_shares(std::uint64_t shares);

/// Converts microseconds in a period to microseconds in a second, rounded up to 10 ms as systemd
/// itself rounds; `quota` and `period` are above 0.
std::uint64_t cpu_quota_per_second(std::uint64_t quota, std::uint64_t period);

/// The bit set that AllowedCPUs and AllowedMemoryNodes take: bit n%8 of byte n/8 is number n.
std::vector<std::uint8_t> number_mask(const std::vector<unsigned>& numbers);

/// Converts a cgroup v1 blkio weight (10 to 1000) to a cgroup v2 weight (1 to 10000).
std::uint64_t io_weight_from_blkio(std::uint64_t weight);

} // namespace sctr::plan
