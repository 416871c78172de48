// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <ranges>
#include <set>
#include <type_traits>

#include "base/error.hpp"
#include "plan/hooks.hpp"
#include "plan/host_trees.hpp"
#include "plan/launch_plan.hpp"
#include "plan/mounts.hpp"
#include "plan/namespaces.hpp"
#include "plan/process.hpp"
#include "plan/seccomp.hpp"
#include "plan/unit_properties.hpp"
#include "plan/user_namespace.hpp"

namespace sctr::plan {

namespace {

void set_property(std::vector<UnitProperty>& properties, UnitProperty property) {
    const auto known = std::ranges::find(properties, property.name, &UnitProperty::name);
    if (known == properties.end()) {
        properties.push_back(std::move(property));
    } else {
        known->value = std::move(property.value);
    }
}

template <typename Item> void append(std::vector<Item>& list, const std::vector<Item>& more) {
    list.insert(list.end(), more.begin(), more.end());
}

/// Adds to a list, as one more line of a unit file does; false for what is no list.
bool extend(PropertyValue& value, const PropertyValue& more) {
    return std::visit(
        [&more]<typename Value>(Value& list) {
            const auto* items = std::get_if<Value>(&more);
            if constexpr (std::is_same_v<Value, InterfaceList>) {
                // systemd's own parser takes one kind of list only, the one that came first.
                if (items != nullptr && items->is_allow_list == list.is_allow_list) {
                    append(list.names, items->names);
                    return true;
                }
            } else if constexpr (!std::is_same_v<Value, std::vector<std::uint8_t>> && requires {
                                     list.front();
                                 } && !std::is_same_v<Value, std::string>) {
                // An empty line empties the list.
                if (items != nullptr && !items->empty()) {
                    append(list, *items);
                    return true;
                }
            }
            return false;
        },
        value);
}

/// The caller's properties replace what is planned; lists that are given more than once add up.
void set_extra_properties(std::vector<UnitProperty>& properties,
                          const std::vector<UnitProperty>& extra) {
    std::set<std::string> seen;
    for (const UnitProperty& property : extra) {
        const auto earlier = std::ranges::find(properties, property.name, &UnitProperty::name);
        if (seen.insert(property.name).second || !extend(earlier->value, property.value)) {
            set_property(properties, property);
        }
    }
}

UnitPlan unit_plan(const Request& request, const host::Facts& facts) {
    UnitPlan unit;
    if (!request.has_scope || !request.cgroup.empty()) {
        return unit;
    }
    unit.name = request.unit_name.empty() ? scope_name(request.id) : request.unit_name;
    auto& properties = unit.properties;
    properties = {
        {"Description", unit_description(request.description)},
        {"Slice", request.slice},
        // The payload may be an init of its own, which needs its part of the tree.
        {"Delegate", true},
        // A failed scope would otherwise stay and block the next start under this name.
        {"CollectMode", std::string("inactive-or-failed")},
        {"KillSignal", static_cast<std::int32_t>(request.stop_signal)},
        {"TimeoutStopUSec", static_cast<std::uint64_t>(request.stop_timeout.count())},
        // An OOM kill of a child is the container's own affair; systemd would end the container.
        {"OOMPolicy", std::string("continue")},
    };
    for (const char* name :
         {"CPUAccounting", "MemoryAccounting", "IOAccounting", "TasksAccounting"}) {
        properties.push_back({name, true});
    }
    const auto name_of = [&request](std::string_view pointer) {
        auto flag = request.flag_of.find(pointer);
        if (flag == request.flag_of.end()) {
            flag = request.flag_of.find(pointer.substr(0, pointer.rfind('/'))); // of a list
        }
        return flag == request.flag_of.end() ? std::string(pointer) : flag->second;
    };
    for (auto& property :
         resource_properties(request.spec.linux.resources, facts, {.name_of = name_of})) {
        set_property(properties, std::move(property));
    }
    for (const auto& property : request.extra_properties) {
        const auto flag = request.flag_of.find(property.name);
        require_controller(property,
                           facts,
                           flag == request.flag_of.end() ? "--property " + property.name
                                                         : flag->second);
    }
    set_extra_properties(properties, request.extra_properties);
    return unit;
}

CgroupPlan cgroup_plan(const Request& request, const host::Facts& facts) {
    CgroupPlan cgroup;
    if (!request.has_scope || request.cgroup.empty()) {
        return cgroup;
    }
    // What concerns the life of a unit is the service's own affair.
    auto properties = resource_properties(request.spec.linux.resources, facts);
    set_extra_properties(properties, request.extra_properties);
    cgroup = cgroup_files(properties);
    cgroup.path = request.cgroup;
    return cgroup;
}

SeccompStep seccomp_step(const Request& request, const SeccompCompiler& compile) {
    if (request.default_seccomp) {
        return default_seccomp_program();
    }
    return request.spec.linux.seccomp ? compile(*request.spec.linux.seccomp) : SeccompStep{};
}

std::string sysctl_path(std::string name) {
    // "net.ipv4.conf.eth0/1.x": a slash in the name stands for a dot in the path (sysctl.d(5)).
    if (const auto first = name.find_first_of("./");
        first != std::string::npos && name[first] == '/') {
        return name;
    }
    for (char& letter : name) {
        letter = letter == '.' ? '/' : letter == '/' ? '.' : letter;
    }
    return name;
}

void require_resctrl(const oci::Spec& spec, const host::Facts& facts) {
    if (spec.linux.intel_rdt && !facts.has_resctrl) {
        throw Error("cannot put the container into a class of Intel RDT")
            .at("/linux/intelRdt")
            .because("resctrl is not mounted at /sys/fs/resctrl")
            .mend("mount -t resctrl resctrl /sys/fs/resctrl, where the CPU has it");
    }
}

} // namespace

namespace {

/// They take the place of what the config says.
void add_secret_variables(const std::vector<std::string>& variables, ProcessStep& process) {
    for (const std::string& variable : variables) {
        const std::string start = variable.substr(0, variable.find('=') + 1);
        std::erase_if(process.env,
                      [&](const std::string& other) { return other.starts_with(start); });
        process.env.push_back(variable);
    }
}

} // namespace

LaunchPlan make(const Request& request, const host::Facts& facts, const SeccompCompiler& compile) {
    const oci::Spec& spec = request.spec;
    if (!spec.process) {
        throw Error("no process to run").at("/process");
    }
    require_resctrl(spec, facts);
    LaunchPlan plan;
    plan.unit = unit_plan(request, facts);
    plan.cgroup = cgroup_plan(request, facts);
    add_namespaces(spec, plan);

    plan.shared_memory_of = request.shared_memory_of;
    InitPlan& init = plan.init;
    init.rootfs = spec.root.path;
    init.overlay = request.overlay;
    init.root_readonly = spec.root.readonly;
    init.no_pivot = request.no_pivot;
    init.no_new_keyring = request.no_new_keyring;
    init.root_propagation = root_propagation(spec);
    init.mounts = mount_steps(spec, facts.has_selinux);
    defer_readonly(init);
    fit_to_user_namespace(spec, facts, plan);
    add_devices(spec, init);
    add_host_trees(spec, facts, plan);
    init.masked_paths = spec.linux.masked_paths;
    init.readonly_paths = spec.linux.readonly_paths;
    init.hostname = spec.hostname;
    init.domainname = spec.domainname;
    for (const auto& [name, value] : spec.linux.sysctl) {
        init.sysctls.push_back({sysctl_path(name), value});
    }

    add_hooks(spec, init);
    init.hold_before_pivot = init.hold_before_pivot || request.network.is_attached();
    plan.network = request.network;
    init.process = process_step(*spec.process, spec, facts);
    init.secrets = request.secrets;
    add_secret_variables(request.secret_variables, init.process);
    init.process.seccomp = seccomp_step(request, compile);
    init.process.create_cwd = request.create_cwd;
    init.process.run_init = request.run_init;
    init.process.die_with_supervisor = request.die_with_supervisor;
    return plan;
}

} // namespace sctr::plan
