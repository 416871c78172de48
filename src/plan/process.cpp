// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/process.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.hpp"
#include "plan/capabilities.hpp"
#include "plan/scheduling.hpp"

namespace sctr::plan {

namespace {

struct ResourceName {
    std::string_view name;
    int resource;
};

constexpr std::array resource_names{
    ResourceName{"RLIMIT_AS", RLIMIT_AS},
    ResourceName{"RLIMIT_CORE", RLIMIT_CORE},
    ResourceName{"RLIMIT_CPU", RLIMIT_CPU},
    ResourceName{"RLIMIT_DATA", RLIMIT_DATA},
    ResourceName{"RLIMIT_FSIZE", RLIMIT_FSIZE},
    ResourceName{"RLIMIT_LOCKS", RLIMIT_LOCKS},
    ResourceName{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    ResourceName{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    ResourceName{"RLIMIT_NICE", RLIMIT_NICE},
    ResourceName{"RLIMIT_NOFILE", RLIMIT_NOFILE},
    ResourceName{"RLIMIT_NPROC", RLIMIT_NPROC},
    ResourceName{"RLIMIT_RSS", RLIMIT_RSS},
    ResourceName{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    ResourceName{"RLIMIT_RTTIME", RLIMIT_RTTIME},
    ResourceName{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    ResourceName{"RLIMIT_STACK", RLIMIT_STACK},
};

RlimitStep rlimit_step(const oci::Rlimit& limit, const std::string& pointer) {
    const auto* found = std::ranges::find(resource_names, limit.type, &ResourceName::name);
    if (found == resource_names.end()) {
        throw Error("unknown resource limit '" + limit.type + "'").at(pointer);
    }
    return {
        .name = limit.type, .resource = found->resource, .soft = limit.soft, .hard = limit.hard};
}

CapabilitySets capability_sets(const oci::Capabilities& names, std::uint64_t last) {
    const std::string pointer = "/process/capabilities/";
    CapabilitySets sets{
        .bounding = capability_mask(names.bounding, last, pointer + "bounding"),
        .effective = capability_mask(names.effective, last, pointer + "effective"),
        .inheritable = capability_mask(names.inheritable, last, pointer + "inheritable"),
        .permitted = capability_mask(names.permitted, last, pointer + "permitted"),
        .ambient = capability_mask(names.ambient, last, pointer + "ambient"),
    };
    // The kernel has no other ambient ones (capabilities(7)); yet `crun spec` asks for them.
    sets.ambient &= sets.permitted & sets.inheritable;
    return sets;
}

std::string apparmor_profile(const oci::Process& process, const host::Facts& facts) {
    const std::string& profile = process.apparmor_profile;
    if (facts.has_apparmor || profile.empty()) {
        return profile;
    }
    if (profile != "unconfined") {
        throw Error("cannot confine the process with AppArmor profile '" + profile + "'")
            .at("/process/apparmorProfile")
            .because("AppArmor is not enabled on this host")
            .mend("boot with apparmor=1 security=apparmor, or ask for no profile");
    }
    return {};
}

std::string selinux_label(const oci::Process& process, const host::Facts& facts) {
    if (!facts.has_selinux && !process.selinux_label.empty()) {
        throw Error("cannot label the process '" + process.selinux_label + "'")
            .at("/process/selinuxLabel")
            .because("SELinux is not enabled on this host");
    }
    return process.selinux_label;
}

std::uint16_t clip_to_terminal(std::uint64_t cells) {
    return static_cast<std::uint16_t>(std::min<std::uint64_t>(cells, 0xffff));
}

} // namespace

ProcessStep
process_step(const oci::Process& process, const oci::Spec& spec, const host::Facts& facts) {
    if (process.args.empty()) {
        throw Error("no command to run").at("/process/args");
    }
    ProcessStep step;
    step.args = process.args;
    step.env = process.env;
    step.cwd = process.cwd;
    step.terminal = process.terminal;
    if (process.console_size) {
        step.console_rows = clip_to_terminal(process.console_size->height);
        step.console_columns = clip_to_terminal(process.console_size->width);
    }
    step.uid = process.user.uid;
    step.gid = process.user.gid;
    step.additional_gids.assign(process.user.additional_gids.begin(),
                                process.user.additional_gids.end());
    step.umask = process.user.umask.value_or(022);
    if (process.capabilities) {
        step.capabilities = capability_sets(*process.capabilities, facts.last_capability);
    }
    step.no_new_privileges = process.no_new_privileges;
    for (std::size_t i = 0; i < process.rlimits.size(); ++i) {
        step.rlimits.push_back(
            rlimit_step(process.rlimits[i], "/process/rlimits/" + std::to_string(i)));
    }
    step.set_oom_score_adj = process.oom_score_adj.has_value();
    step.oom_score_adj = process.oom_score_adj.value_or(0);
    step.is_rootless = facts.is_rootless;
    step.apparmor_profile = apparmor_profile(process, facts);
    step.selinux_label = selinux_label(process, facts);
    step.scheduling = scheduling_step(process, spec.linux);
    const auto keep_groups = spec.annotations.find("run.oci.keep_original_groups"); // as in crun
    step.set_groups = keep_groups == spec.annotations.end() || keep_groups->second != "1";
    return step;
}

oci::Process inherit_from_container(oci::Process process, const oci::Process& container) {
    const auto inherit = [](auto& own, const auto& containers, bool is_absent) {
        if (is_absent) {
            own = containers;
        }
    };
    inherit(process.apparmor_profile, container.apparmor_profile, process.apparmor_profile.empty());
    inherit(process.selinux_label, container.selinux_label, process.selinux_label.empty());
    inherit(process.capabilities, container.capabilities, !process.capabilities);
    inherit(process.rlimits, container.rlimits, process.rlimits.empty());
    inherit(process.oom_score_adj, container.oom_score_adj, !process.oom_score_adj);
    inherit(process.scheduler, container.scheduler, !process.scheduler);
    inherit(process.io_priority, container.io_priority, !process.io_priority);
    inherit(process.exec_cpu_affinity, container.exec_cpu_affinity, !process.exec_cpu_affinity);
    return process;
}

std::vector<std::uint64_t> exec_cpus(const oci::Process& process) {
    if (!process.exec_cpu_affinity) {
        return {};
    }
    const auto& [initial, final] = *process.exec_cpu_affinity;
    if (final.empty() && !initial.empty()) {
        // All of the container's: the kernel takes away what its cgroup does not allow.
        return std::vector<std::uint64_t>(8192 / 64, ~std::uint64_t{0});
    }
    return bit_mask(final, "/process/execCPUAffinity/final");
}

} // namespace sctr::plan
