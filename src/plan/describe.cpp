// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/mount.h>
#include <sched.h>

#include <nlohmann/json.hpp>

#include "base/strings.hpp"
#include "plan/launch_plan.hpp"

namespace sctr::plan {

namespace {

using nlohmann::ordered_json;

struct FlagName {
    std::uint64_t flag;
    const char* name;
};

constexpr FlagName namespace_names[] = {{CLONE_NEWUSER, "user"},
                                        {CLONE_NEWPID, "pid"},
                                        {CLONE_NEWNS, "mount"},
                                        {CLONE_NEWNET, "network"},
                                        {CLONE_NEWIPC, "ipc"},
                                        {CLONE_NEWUTS, "uts"},
                                        {CLONE_NEWCGROUP, "cgroup"},
                                        {CLONE_NEWTIME, "time"}};

constexpr FlagName attribute_names[] = {{MOUNT_ATTR_RDONLY, "ro"},
                                        {MOUNT_ATTR_NOSUID, "nosuid"},
                                        {MOUNT_ATTR_NODEV, "nodev"},
                                        {MOUNT_ATTR_NOEXEC, "noexec"},
                                        {MOUNT_ATTR_NOATIME, "noatime"},
                                        {MOUNT_ATTR_STRICTATIME, "strictatime"},
                                        {MOUNT_ATTR_NODIRATIME, "nodiratime"},
                                        {MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"}};

const char* kind_name(MountKind kind) {
    switch (kind) {
    case MountKind::filesystem:
        return "filesystem";
    case MountKind::bind:
        return "bind";
    case MountKind::cgroup:
        return "cgroup";
    case MountKind::remount:
        return "remount";
    }
    return "";
}

ordered_json flags(std::uint64_t set, const char* prefix) {
    auto names = ordered_json::array();
    for (const FlagName& attribute : attribute_names) {
        if ((set & attribute.flag) != 0) {
            names.push_back(std::string(prefix) + attribute.name);
        }
    }
    return names;
}

ordered_json namespaces(const LaunchPlan& plan) {
    auto result = ordered_json::object();
    for (const FlagName& type : namespace_names) {
        if ((plan.clone_flags & type.flag) != 0) {
            result[type.name] = "new";
        }
        for (const NamespaceStep& step : plan.init.namespaces) {
            if (step.clone_flag == type.flag) {
                result[type.name] = step.join_path.empty() ? "new" : step.join_path;
            }
        }
        if (!result.contains(type.name)) {
            result[type.name] = "host";
        }
    }
    return result;
}

ordered_json mount(const MountStep& step) {
    ordered_json result = {{"target", step.target}, {"kind", kind_name(step.kind)}};
    if (!step.fstype.empty()) {
        result["type"] = step.fstype;
    }
    if (step.kind == MountKind::bind) {
        result["source"] = step.source;
        result["recursive"] = step.recursive;
    }
    auto attributes = flags(step.attr_set, "");
    for (auto& name : flags(step.recursive_attr_set, "r")) {
        attributes.push_back(std::move(name));
    }
    result["attributes"] = std::move(attributes);
    if (!step.data.empty()) {
        result["data"] = step.data;
    }
    return result;
}

ordered_json value(const PropertyValue& property) {
    return std::visit(
        [](const auto& plain) -> ordered_json {
            using T = std::decay_t<decltype(plain)>;
            if constexpr (std::is_same_v<T, std::vector<AddressPrefix>>) {
                auto items = ordered_json::array();
                for (const AddressPrefix& item : plain) {
                    items.push_back({{"family", item.family},
                                     {"address", item.address},
                                     {"prefixLength", item.prefix_length}});
                }
                return items;
            } else if constexpr (std::is_same_v<T, std::vector<SocketBindRule>>) {
                auto items = ordered_json::array();
                for (const SocketBindRule& item : plain) {
                    items.push_back({{"family", item.family},
                                     {"protocol", item.protocol},
                                     {"portCount", item.port_count},
                                     {"firstPort", item.first_port}});
                }
                return items;
            } else if constexpr (std::is_same_v<T, InterfaceList>) {
                return {{"allow", plain.is_allow_list}, {"names", plain.names}};
            } else {
                return plain;
            }
        },
        property);
}

ordered_json process(const ProcessStep& step) {
    return {{"args", step.args},
            {"env", step.env},
            {"cwd", step.cwd},
            {"terminal", step.terminal},
            {"uid", step.uid},
            {"gid", step.gid},
            {"additionalGids", step.additional_gids},
            {"umask", step.umask},
            {"boundingCapabilities", step.capabilities.bounding},
            {"effectiveCapabilities", step.capabilities.effective},
            {"noNewPrivileges", step.no_new_privileges},
            {"seccompInstructions", step.seccomp.program.size()}};
}

ordered_json network(const ContainerNetwork& network) {
    ordered_json networks = ordered_json::array();
    for (const NetworkUse& use : network.networks) {
        networks.push_back({{"name", use.name},
                            {"ip", use.ip},
                            {"ip6", use.ip6},
                            {"mac", use.mac},
                            {"aliases", use.aliases},
                            {"interfaceName", use.interface_name}});
    }
    ordered_json ports = ordered_json::array();
    for (const PublishedPort& port : network.ports) {
        ports.push_back({{"hostIp", port.host_ip},
                         {"hostPort", port.host_port},
                         {"containerPort", port.container_port},
                         {"range", port.range},
                         {"protocol", port.protocol}});
    }
    return {
        {"networks", networks}, {"pasta", network.pasta}, {"zone", network.zone}, {"ports", ports}};
}

} // namespace

std::string describe(const LaunchPlan& plan) {
    ordered_json result;
    result["unit"]["name"] = plan.unit.name;
    auto& properties = result["unit"]["properties"] = ordered_json::object();
    for (const UnitProperty& property : plan.unit.properties) {
        properties[property.name] = value(property.value);
    }
    result["namespaces"] = namespaces(plan);
    if (!plan.uid_map.empty()) {
        result["uidMap"] = plan.uid_map;
        result["gidMap"] = plan.gid_map;
    }
    const bool mapped = !plan.host_trees.empty() && plan.host_trees.front().overlay;
    const OverlayStep& overlay = mapped ? *plan.host_trees.front().overlay : plan.init.overlay;
    if (!overlay.lower.empty()) {
        result["overlay"] = {{"lower", overlay.lower},
                             {"upper", overlay.upper},
                             {"volatile", overlay.is_volatile},
                             {"idMapped", mapped}};
    }
    result["rootfs"] = {{"path", plan.init.rootfs}, {"readonly", plan.init.root_readonly}};
    result["mounts"] = ordered_json::array();
    for (const MountStep& step : plan.init.mounts) {
        result["mounts"].push_back(mount(step));
    }
    result["devices"] = ordered_json::array();
    for (const DeviceStep& device : plan.init.devices) {
        result["devices"].push_back(device.path);
    }
    result["maskedPaths"] = plan.init.masked_paths;
    result["readonlyPaths"] = plan.init.readonly_paths;
    result["hostname"] = plan.init.hostname;
    result["network"] = network(plan.network);
    result["sysctl"] = ordered_json::object();
    for (const SysctlStep& sysctl : plan.init.sysctls) {
        result["sysctl"][sysctl.path] = sysctl.value;
    }
    result["process"] = process(plan.init.process);
    // The user's own arguments may be any bytes; the plan is shown all the same.
    return escape_json_controls(result.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

} // namespace sctr::plan
