// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "cli/request_builder.hpp"
#include "plan/property_text.hpp"

namespace sctr::cli {
namespace {

/// A property as `--property` reads it; what is wrong with the value names the flag.
void add(plan::Request& request, const char* flag, const char* property, const std::string& value) {
    try {
        plan::UnitProperty parsed = plan::parse_property(std::string(property) + "=" + value);
        request.flag_of[parsed.name] = flag;
        request.extra_properties.push_back(std::move(parsed));
    } catch (Error& error) {
        error.at(flag);
        throw;
    }
}

struct OneValue {
    const char* flag;
    const char* property;
    std::optional<std::string> SystemdFlags::* value;
};

constexpr OneValue single_flags[] = {
    {"--runtime-max", "RuntimeMaxSec", &SystemdFlags::runtime_max},
    {"--oom-policy", "OOMPolicy", &SystemdFlags::oom_policy},
    {"--managed-oom-swap", "ManagedOOMSwap", &SystemdFlags::managed_oom_swap},
    {"--managed-oom-memory-pressure",
     "ManagedOOMMemoryPressure",
     &SystemdFlags::managed_oom_pressure},
    {"--managed-oom-memory-pressure-limit",
     "ManagedOOMMemoryPressureLimit",
     &SystemdFlags::managed_oom_pressure_limit},
    {"--managed-oom-preference", "ManagedOOMPreference", &SystemdFlags::managed_oom_preference},
};

struct ManyValues {
    const char* flag;
    const char* property;
    std::vector<std::string> SystemdFlags::* values;
};

constexpr ManyValues list_flags[] = {
    {"--ip-allow", "IPAddressAllow", &SystemdFlags::ip_allow},
    {"--ip-deny", "IPAddressDeny", &SystemdFlags::ip_deny},
    {"--socket-bind-allow", "SocketBindAllow", &SystemdFlags::socket_bind_allow},
    {"--socket-bind-deny", "SocketBindDeny", &SystemdFlags::socket_bind_deny},
};

} // namespace

void add_systemd(plan::Request& request, const SystemdFlags& flags) {
    for (const ManyValues& each : list_flags) {
        for (const std::string& text : flags.*each.values) {
            for (const std::string& value : split(text, ',')) {
                add(request, each.flag, each.property, value);
            }
        }
    }
    for (const OneValue& each : single_flags) {
        if (const auto& value = flags.*each.value) {
            add(request, each.flag, each.property, *value);
        }
    }
    if (flags.ip_accounting) {
        add(request, "--ip-accounting", "IPAccounting", "yes");
    }
    if (flags.restrict_interfaces) {
        std::string names = *flags.restrict_interfaces;
        std::ranges::replace(names, ',', ' ');
        add(request, "--restrict-interfaces", "RestrictNetworkInterfaces", names);
    }
}

} // namespace sctr::cli
