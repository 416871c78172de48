// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/property_text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>
#include <optional>

#include "base/error.hpp"
#include "base/strings.hpp"
#include "plan/property_values.hpp"

namespace sctr::plan {

namespace {

namespace values = property_values;
using values::KnownProperty;

constexpr std::string_view emergency_actions =
    "none|exit|exit-force|reboot|reboot-force|reboot-immediate|poweroff|poweroff-force|"
    "poweroff-immediate|soft-reboot|soft-reboot-force|kexec|kexec-force|halt|halt-force|"
    "halt-immediate";

/// A property that has the same name in unit files and on D-Bus.
constexpr KnownProperty same(std::string_view name, values::Parser parse) {
    return {name, name, parse, {}};
}

constexpr KnownProperty choice(std::string_view name, std::string_view words) {
    return {name, name, values::word, words};
}

/// A time: "...Sec" in unit files, "...USec" on D-Bus.
constexpr KnownProperty
renamed(std::string_view name, std::string_view dbus_name, values::Parser parse) {
    return {name, dbus_name, parse, {}};
}

/// What a transient scope takes (D-Bus interfaces org.freedesktop.systemd1.Scope and .Unit).
constexpr std::array known_properties{
    same("After", values::unit_list),
    same("AllowedCPUs", values::numbers),
    same("AllowedMemoryNodes", values::numbers),
    same("BPFProgram", values::bpf_program),
    same("Before", values::unit_list),
    same("BindsTo", values::unit_list),
    same("CPUAccounting", values::boolean),
    renamed("CPUQuota", "CPUQuotaPerSecUSec", values::cpu_quota),
    renamed("CPUQuotaPeriodSec", "CPUQuotaPeriodUSec", values::time_span),
    same("CPUWeight", values::cpu_weight),
    choice("CollectMode", "inactive|inactive-or-failed"),
    same("Conflicts", values::unit_list),
    same("CoredumpReceive", values::boolean),
    same("DefaultDependencies", values::boolean),
    same("DefaultMemoryLow", values::memory),
    same("DefaultMemoryMin", values::memory),
    same("DefaultStartupMemoryLow", values::memory),
    same("Delegate", values::delegate),
    same("DelegateSubgroup", values::text),
    same("Description", values::text),
    same("DeviceAllow", values::device_access),
    choice("DevicePolicy", "auto|closed|strict"),
    same("DisableControllers", values::word_list),
    same("Documentation", values::word_list),
    choice("FailureAction", emergency_actions),
    same("FinalKillSignal", values::signal),
    same("IOAccounting", values::boolean),
    renamed("IODeviceLatencyTargetSec", "IODeviceLatencyTargetUSec", values::device_latency),
    same("IODeviceWeight", values::device_weight),
    same("IOReadBandwidthMax", values::device_rate),
    same("IOReadIOPSMax", values::device_rate),
    same("IOWeight", values::weight),
    same("IOWriteBandwidthMax", values::device_rate),
    same("IOWriteIOPSMax", values::device_rate),
    same("IPAccounting", values::boolean),
    same("IPAddressAllow", values::addresses),
    same("IPAddressDeny", values::addresses),
    same("IPEgressFilterPath", values::word_list),
    same("IPIngressFilterPath", values::word_list),
    same("IgnoreOnIsolate", values::boolean),
    renamed("JobRunningTimeoutSec", "JobRunningTimeoutUSec", values::time_span),
    renamed("JobTimeoutSec", "JobTimeoutUSec", values::time_span),
    choice("KillMode", "control-group|mixed|process|none"),
    same("KillSignal", values::signal),
    choice("ManagedOOMMemoryPressure", "auto|kill"),
    renamed("ManagedOOMMemoryPressureDurationSec",
            "ManagedOOMMemoryPressureDurationUSec",
            values::time_span),
    same("ManagedOOMMemoryPressureLimit", values::percentage),
    choice("ManagedOOMPreference", "none|avoid|omit"),
    choice("ManagedOOMSwap", "auto|kill"),
    same("MemoryAccounting", values::boolean),
    same("MemoryHigh", values::memory),
    same("MemoryLow", values::memory),
    same("MemoryMax", values::memory),
    same("MemoryMin", values::memory),
    renamed("MemoryPressureThresholdSec", "MemoryPressureThresholdUSec", values::time_span),
    choice("MemoryPressureWatch", "auto|on|off|skip"),
    same("MemorySwapMax", values::memory),
    same("MemoryZSwapMax", values::memory),
    same("MemoryZSwapWriteback", values::boolean),
    choice("OOMPolicy", "continue|stop|kill"),
    same("OnFailure", values::unit_list),
    same("OnSuccess", values::unit_list),
    same("PartOf", values::unit_list),
    same("PropagatesStopTo", values::unit_list),
    same("RefuseManualStart", values::boolean),
    same("RefuseManualStop", values::boolean),
    same("Requires", values::unit_list),
    same("RequiresMountsFor", values::word_list),
    same("Requisite", values::unit_list),
    same("RestartKillSignal", values::signal),
    same("RestrictNetworkInterfaces", values::interfaces),
    renamed("RuntimeMaxSec", "RuntimeMaxUSec", values::time_span),
    renamed("RuntimeRandomizedExtraSec", "RuntimeRandomizedExtraUSec", values::time_span),
    same("SendSIGHUP", values::boolean),
    same("SendSIGKILL", values::boolean),
    same("Slice", values::slice),
    same("SocketBindAllow", values::socket_bind),
    same("SocketBindDeny", values::socket_bind),
    same("StartupAllowedCPUs", values::numbers),
    same("StartupAllowedMemoryNodes", values::numbers),
    same("StartupCPUWeight", values::cpu_weight),
    same("StartupIOWeight", values::weight),
    same("StartupMemoryHigh", values::memory),
    same("StartupMemoryLow", values::memory),
    same("StartupMemoryMax", values::memory),
    same("StartupMemorySwapMax", values::memory),
    same("StartupMemoryZSwapMax", values::memory),
    same("StopPropagatedFrom", values::unit_list),
    same("StopWhenUnneeded", values::boolean),
    choice("SuccessAction", emergency_actions),
    same("SurviveFinalKillSignal", values::boolean),
    same("TasksAccounting", values::boolean),
    same("TasksMax", values::tasks),
    renamed("TimeoutStopSec", "TimeoutStopUSec", values::time_span),
    same("Upholds", values::unit_list),
    same("Wants", values::unit_list),
    same("WantsMountsFor", values::word_list),
};

struct ServiceProperty {
    std::string_view name; ///< with a '*' at its end: every name that starts so
    std::string_view flag; ///< of sctr that does the same; empty: none
};

/// What only units have that systemd itself executes (systemd.service(5), systemd.exec(5)).
constexpr std::array service_properties{
    ServiceProperty{"AmbientCapabilities", "--cap-add"},
    ServiceProperty{"AppArmorProfile", "--security-opt"},
    ServiceProperty{"BindPaths", "--volume"},
    ServiceProperty{"BindReadOnlyPaths", "--volume"},
    ServiceProperty{"CPUAffinity", "--cpuset-cpus"},
    ServiceProperty{"CPUScheduling*", ""},
    ServiceProperty{"CapabilityBoundingSet", "--cap-add and --cap-drop"},
    ServiceProperty{"DynamicUser", ""},
    ServiceProperty{"Environment", "--env"},
    ServiceProperty{"EnvironmentFile", "--env-file"},
    ServiceProperty{"Exec*", ""},
    ServiceProperty{"Group", "--user"},
    ServiceProperty{"GuessMainPID", ""},
    ServiceProperty{"IOScheduling*", ""},
    ServiceProperty{"ImportCredential", ""},
    ServiceProperty{"InaccessiblePaths", ""},
    ServiceProperty{"Limit*", "--ulimit"},
    ServiceProperty{"LoadCredential*", ""},
    ServiceProperty{"LockPersonality", ""},
    ServiceProperty{"Log*", ""},
    ServiceProperty{"MemoryDenyWriteExecute", ""},
    ServiceProperty{"MountFlags", "--volume"},
    ServiceProperty{"Nice", ""},
    ServiceProperty{"NoNewPrivileges", "--security-opt no-new-privileges"},
    ServiceProperty{"NotifyAccess", ""},
    ServiceProperty{"OOMScoreAdjust", "--oom-score-adj"},
    ServiceProperty{"PAMName", ""},
    ServiceProperty{"PIDFile", "--pidfile"},
    ServiceProperty{"PassEnvironment", "--env"},
    ServiceProperty{"Personality", ""},
    ServiceProperty{"Private*", ""},
    ServiceProperty{"Protect*", ""},
    ServiceProperty{"ReadOnlyPaths", "--volume"},
    ServiceProperty{"ReadWritePaths", "--volume"},
    ServiceProperty{"RemainAfterExit", ""},
    ServiceProperty{"RemoveIPC", ""},
    ServiceProperty{"Restart", ""},
    ServiceProperty{"RestartSec", ""},
    ServiceProperty{"RestrictAddressFamilies", "--security-opt seccomp=FILE"},
    ServiceProperty{"RestrictNamespaces", "--security-opt seccomp=FILE"},
    ServiceProperty{"RestrictRealtime", "--security-opt seccomp=FILE"},
    ServiceProperty{"RestrictSUIDSGID", "--security-opt seccomp=FILE"},
    ServiceProperty{"Root*", "--rootfs"},
    ServiceProperty{"RuntimeDirectory*", "--tmpfs"},
    ServiceProperty{"SELinuxContext", "--security-opt"},
    ServiceProperty{"SetCredential*", ""},
    ServiceProperty{"Standard*", "--log"},
    ServiceProperty{"StateDirectory*", "--volume"},
    ServiceProperty{"SupplementaryGroups", "--user"},
    ServiceProperty{"Syslog*", ""},
    ServiceProperty{"SystemCall*", "--security-opt seccomp=FILE"},
    ServiceProperty{"TTY*", "--tty"},
    ServiceProperty{"TemporaryFileSystem", "--tmpfs"},
    ServiceProperty{"TimeoutAbortSec", "--stop-timeout"},
    ServiceProperty{"TimeoutSec", "--stop-timeout"},
    ServiceProperty{"TimeoutStartSec", ""},
    ServiceProperty{"Type", ""},
    ServiceProperty{"UMask", ""},
    ServiceProperty{"UnsetEnvironment", "--env"},
    ServiceProperty{"User", "--user"},
    ServiceProperty{"WatchdogSec", ""},
    ServiceProperty{"WorkingDirectory", "--workdir"},
};

bool matches(std::string_view pattern, std::string_view name) {
    if (!pattern.ends_with('*')) {
        return pattern == name;
    }
    return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](unsigned char character) {
        return static_cast<char>(std::tolower(character));
    });
    return result;
}

/// The number of letters to insert, remove or replace (Levenshtein).
std::size_t distance(std::string_view one, std::string_view other) {
    std::vector<std::size_t> row(other.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < one.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < other.size(); ++j) {
            const std::size_t replaced = diagonal + (one[i] == other[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

/// The known name that was probably meant; empty when none is near.
std::string_view closest(std::string_view name) {
    constexpr std::size_t far = 4;
    std::size_t best_distance = far;
    std::string_view best;
    for (const KnownProperty& known : known_properties) {
        if (known.dbus_name == name) {
            return known.name;
        }
        const std::size_t each = distance(lower(name), lower(known.name));
        if (each < best_distance && each < name.size()) {
            best_distance = each;
            best = known.name;
        }
    }
    return best;
}

Error unknown(std::string_view name) {
    Error error("unknown unit property");
    error.at(name);
    const auto* service = std::ranges::find_if(
        service_properties, [&](const ServiceProperty& each) { return matches(each.name, name); });
    if (service != service_properties.end()) {
        error = Error("bad unit property");
        error.at(name).because("a container is a scope, and scopes do not have it");
        if (!service->flag.empty()) {
            error.mend("use " + std::string(service->flag));
        }
        return error;
    }
    if (const std::string_view near = closest(name); !near.empty()) {
        error.mend("did you mean " + std::string(near) + "?");
    } else {
        error.mend("see systemd.resource-control(5) and systemd.scope(5)");
    }
    return error;
}

} // namespace

UnitProperty parse_property(std::string_view name_equals_value) {
    const auto [name, value] = split_once(name_equals_value, '=');
    if (name_equals_value.size() > longest_property_text) {
        throw Error("bad unit property").at(name).because("longer than 64 KiB");
    }
    if (!value || name.empty()) {
        throw Error("bad unit property")
            .at(name_equals_value)
            .mend("write NAME=VALUE, such as MemoryHigh=1G");
    }
    const auto* known = std::ranges::find(known_properties, name, &KnownProperty::name);
    if (known == known_properties.end()) {
        throw unknown(name);
    }
    return known->parse(*known, *value);
}

} // namespace sctr::plan
