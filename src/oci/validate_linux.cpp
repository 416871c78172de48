// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <set>

#include "oci/rules.hpp"

namespace sctr::oci {
namespace {

constexpr std::array<std::string_view, 9> propagations = {
    "",
    "shared",
    "slave",
    "private",
    "unbindable",
    "rshared",
    "rslave",
    "rprivate",
    "runbindable",
};

constexpr std::array<std::string_view, 7> memory_modes = {
    "MPOL_DEFAULT",
    "MPOL_PREFERRED",
    "MPOL_BIND",
    "MPOL_INTERLEAVE",
    "MPOL_LOCAL",
    "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
};

constexpr std::array<std::string_view, 3> memory_flags = {
    "MPOL_F_STATIC_NODES",
    "MPOL_F_RELATIVE_NODES",
    "MPOL_F_NUMA_BALANCING",
};

/// config-linux.md, Namespaces.
void check_namespaces(const Place& place, const std::vector<Namespace>& namespaces) {
    std::set<NamespaceType> seen;
    for (std::size_t i = 0; i < namespaces.size(); ++i) {
        const auto& [type, path] = namespaces[i];
        const Place here(place, i);
        require(seen.insert(type).second,
                Place(here, "type"),
                std::string(to_string(type)) + " is given twice");
        if (!path.empty()) {
            require_absolute(Place(here, "path"), path);
        }
    }
}

/// config-linux.md, User namespace mappings. Engines send the mappings of a joined namespace too.
void check_user_namespace(const Place& place, const Linux& linux) {
    const auto* const user = find_namespace(linux, NamespaceType::user);
    const bool is_new = user != nullptr && user->path.empty();
    const auto check = [&](const Place& here, const std::vector<IdMapping>& mappings) {
        require(user != nullptr || mappings.empty(), here, "needs a namespace of type user");
        require(!is_new || !mappings.empty(), here, "required for a new user namespace");
        check_id_mappings(here, mappings);
    };
    check(Place(place, "uidMappings"), linux.uid_mappings);
    check(Place(place, "gidMappings"), linux.gid_mappings);
}

/// config-linux.md, Offset for Time Namespace; time_namespaces(7).
void check_time_offsets(const Place& place, const Linux& linux) {
    constexpr std::array<std::string_view, 2> clocks = {"monotonic", "boottime"};
    if (linux.time_offsets.empty()) {
        return;
    }
    const auto* const time = find_namespace(linux, NamespaceType::time);
    require(time != nullptr, place, "needs a namespace of type time");
    require(time->path.empty(), place, "cannot be set in a time namespace that is joined");
    for (const auto& [clock, offset] : linux.time_offsets) {
        const Place here(place, clock);
        require_one_of(here, clock, clocks);
        require_range(Place(here, "nanosecs"), offset.nanosecs, 0, 999'999'999);
    }
}

/// config-linux.md, Devices; the ranges are those of dev_t in the kernel.
void check_devices(const Place& place, const std::vector<Device>& devices) {
    constexpr std::array<std::string_view, 4> types = {"c", "b", "u", "p"};
    for (std::size_t i = 0; i < devices.size(); ++i) {
        const auto& device = devices[i];
        const Place here(place, i);
        require_absolute(Place(here, "path"), device.path);
        require_one_of(Place(here, "type"), device.type, types);
        if (device.type != "p") {
            require_range(Place(here, "major"), device.major, 0, (1 << 12) - 1);
            require_range(Place(here, "minor"), device.minor, 0, (1 << 20) - 1);
        }
    }
}

/// dev_valid_name of the kernel.
bool is_interface_name(const std::string& name) {
    return !name.empty() && name.size() < 16 && name != "." && name != ".." &&
           name.find_first_of("/: \t\n\v\f\r") == std::string::npos;
}

/// config-linux.md, Network Devices.
void check_net_devices(const Place& place, const Linux& linux) {
    std::set<std::string_view> seen;
    for (const auto& [host_name, device] : linux.net_devices) {
        const Place here(place, host_name);
        require(find_namespace(linux, NamespaceType::network) != nullptr,
                here,
                "needs a namespace of type network");
        for (const auto& name : {host_name, device.name.empty() ? host_name : device.name}) {
            require(is_interface_name(name),
                    here,
                    "\"" + name +
                        "\" is not the name of a network device: 1 to 15 bytes, without slash, "
                        "colon and blank");
        }
        const auto& inside = device.name.empty() ? host_name : device.name;
        require(seen.insert(inside).second, here, "two devices get the name " + inside);
    }
}

/// config-linux.md, Memory policy; set_mempolicy(2).
void check_memory_policy(const Place& place, const MemoryPolicy& policy) {
    require_one_of(Place(place, "mode"), policy.mode, memory_modes);
    require_each_of(Place(place, "flags"), policy.flags, memory_flags);
    const Place nodes(place, "nodes");
    require_cpu_list(nodes, policy.nodes);
    if (policy.mode == "MPOL_DEFAULT" || policy.mode == "MPOL_LOCAL") {
        require(policy.nodes.empty(), nodes, policy.mode + " takes no nodes");
    } else if (policy.mode != "MPOL_PREFERRED") {
        require(!policy.nodes.empty(), nodes, policy.mode + " needs nodes");
    }
}

/// config-linux.md, IntelRdt. closID becomes the name of a directory.
void check_intel_rdt(const Place& place, const IntelRdt& rdt) {
    // "/" is the class of everything that has no other.
    require((rdt.clos_id == "/" || !rdt.clos_id.contains('/')) && rdt.clos_id != "." &&
                rdt.clos_id != "..",
            Place(place, "closID"),
            "\"" + rdt.clos_id + "\" is not the name of a directory");
    require(rdt.mem_bw_schema.empty() ||
                (rdt.mem_bw_schema.starts_with("MB:") && !rdt.mem_bw_schema.contains('\n')),
            Place(place, "memBwSchema"),
            "must be one line that starts with MB:");
}

/// config-linux.md, Personality: no flag is defined so far.
void check_personality(const Place& place, const Personality& personality) {
    constexpr std::array<std::string_view, 2> domains = {"LINUX", "LINUX32"};
    require_one_of(Place(place, "domain"), personality.domain, domains);
    require(personality.flags.empty(), Place(place, "flags"), "no flags are defined");
}

/// config-linux.md, Masked Paths and Readonly Paths.
void check_hidden_paths(const Place& place, const Linux& linux) {
    const bool has_mount = find_namespace(linux, NamespaceType::mount) != nullptr;
    const auto check = [has_mount](const Place& here, const std::vector<std::string>& paths) {
        require_absolute(here, paths);
        require(paths.empty() || has_mount, here, "needs a namespace of type mount");
    };
    check(Place(place, "maskedPaths"), linux.masked_paths);
    check(Place(place, "readonlyPaths"), linux.readonly_paths);
}

} // namespace

void check_linux(const Place& place, const Spec& spec) {
    const auto& linux = spec.linux;
    check_namespaces(Place(place, "namespaces"), linux.namespaces);
    check_user_namespace(place, linux);
    check_time_offsets(Place(place, "timeOffsets"), linux);
    check_sysctl(Place(place, "sysctl"), spec);
    check_resources(Place(place, "resources"), linux.resources);
    check_devices(Place(place, "devices"), linux.devices);
    check_net_devices(Place(place, "netDevices"), linux);
    if (linux.seccomp) {
        check_seccomp(Place(place, "seccomp"), *linux.seccomp);
    }
    require_one_of(Place(place, "rootfsPropagation"), linux.rootfs_propagation, propagations);
    check_hidden_paths(place, linux);
    if (linux.intel_rdt) {
        check_intel_rdt(Place(place, "intelRdt"), *linux.intel_rdt);
    }
    if (linux.memory_policy) {
        check_memory_policy(Place(place, "memoryPolicy"), *linux.memory_policy);
    }
    if (linux.personality) {
        check_personality(Place(place, "personality"), *linux.personality);
    }
}

} // namespace sctr::oci
