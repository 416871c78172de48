// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <concepts>
#include <type_traits>

#include "oci/spec.hpp"

/// The JSON name of every field, once: parse, serialize and the tests walk the same tables.
///
/// A visitor has four verbs, each taking the JSON name and the member:
/// - required: must be there; always written.
/// - always: may be absent; always written, as the spec requires it of a config.
/// - optional: may be absent; left out when empty or at its default.
/// - wrapped: an optional value that is the only member of an optional object of its own.
namespace sctr::oci {

template <typename T, typename Plain>
concept Of = std::same_as<std::remove_const_t<T>, Plain>;

void fields(auto& visit, Of<Box> auto& box) {
    visit.required("height", box.height);
    visit.required("width", box.width);
}

void fields(auto& visit, Of<User> auto& user) {
    visit.always("uid", user.uid);
    visit.always("gid", user.gid);
    visit.optional("umask", user.umask);
    visit.optional("additionalGids", user.additional_gids);
    visit.optional("username", user.username);
}

void fields(auto& visit, Of<Capabilities> auto& capabilities) {
    visit.optional("bounding", capabilities.bounding);
    visit.optional("effective", capabilities.effective);
    visit.optional("inheritable", capabilities.inheritable);
    visit.optional("permitted", capabilities.permitted);
    visit.optional("ambient", capabilities.ambient);
}

void fields(auto& visit, Of<Rlimit> auto& rlimit) {
    visit.required("type", rlimit.type);
    visit.required("soft", rlimit.soft);
    visit.required("hard", rlimit.hard);
}

void fields(auto& visit, Of<Scheduler> auto& scheduler) {
    visit.required("policy", scheduler.policy);
    visit.optional("nice", scheduler.nice);
    visit.optional("priority", scheduler.priority);
    visit.optional("flags", scheduler.flags);
    visit.optional("runtime", scheduler.runtime);
    visit.optional("deadline", scheduler.deadline);
    visit.optional("period", scheduler.period);
}

void fields(auto& visit, Of<IoPriority> auto& io_priority) {
    visit.required("class", io_priority.class_);
    visit.always("priority", io_priority.priority);
}

void fields(auto& visit, Of<ExecCpuAffinity> auto& affinity) {
    visit.optional("initial", affinity.initial);
    visit.optional("final", affinity.final_);
}

void fields(auto& visit, Of<Process> auto& process) {
    visit.optional("terminal", process.terminal);
    visit.optional("consoleSize", process.console_size);
    visit.always("user", process.user);
    visit.optional("args", process.args);
    visit.optional("env", process.env);
    visit.required("cwd", process.cwd);
    visit.optional("capabilities", process.capabilities);
    visit.optional("rlimits", process.rlimits);
    visit.optional("noNewPrivileges", process.no_new_privileges);
    visit.optional("apparmorProfile", process.apparmor_profile);
    visit.optional("oomScoreAdj", process.oom_score_adj);
    visit.optional("scheduler", process.scheduler);
    visit.optional("selinuxLabel", process.selinux_label);
    visit.optional("ioPriority", process.io_priority);
    visit.optional("execCPUAffinity", process.exec_cpu_affinity);
}

void fields(auto& visit, Of<Root> auto& root) {
    visit.required("path", root.path);
    visit.optional("readonly", root.readonly);
}

void fields(auto& visit, Of<IdMapping> auto& mapping) {
    visit.required("containerID", mapping.container_id);
    visit.required("hostID", mapping.host_id);
    visit.required("size", mapping.size);
}

void fields(auto& visit, Of<Mount> auto& mount) {
    visit.required("destination", mount.destination);
    visit.optional("type", mount.type);
    visit.optional("source", mount.source);
    visit.optional("options", mount.options);
    visit.optional("uidMappings", mount.uid_mappings);
    visit.optional("gidMappings", mount.gid_mappings);
}

void fields(auto& visit, Of<Hook> auto& hook) {
    visit.required("path", hook.path);
    visit.optional("args", hook.args);
    visit.optional("env", hook.env);
    visit.optional("timeout", hook.timeout);
}

void fields(auto& visit, Of<Hooks> auto& hooks) {
    visit.optional("prestart", hooks.prestart);
    visit.optional("createRuntime", hooks.create_runtime);
    visit.optional("createContainer", hooks.create_container);
    visit.optional("startContainer", hooks.start_container);
    visit.optional("poststart", hooks.poststart);
    visit.optional("poststop", hooks.poststop);
}

void fields(auto& visit, Of<Namespace> auto& space) {
    visit.required("type", space.type);
    visit.optional("path", space.path);
}

void fields(auto& visit, Of<TimeOffset> auto& offset) {
    visit.optional("secs", offset.secs);
    visit.optional("nanosecs", offset.nanosecs);
}

void fields(auto& visit, Of<Device> auto& device) {
    visit.required("path", device.path);
    visit.required("type", device.type);
    // A fifo is the one kind of node that has no numbers.
    if (device.type == "p") {
        visit.optional("major", device.major);
        visit.optional("minor", device.minor);
    } else {
        visit.required("major", device.major);
        visit.required("minor", device.minor);
    }
    visit.optional("fileMode", device.file_mode);
    visit.optional("uid", device.uid);
    visit.optional("gid", device.gid);
}

void fields(auto& visit, Of<NetDevice> auto& device) {
    visit.optional("name", device.name);
}

void fields(auto& visit, Of<DeviceCgroup> auto& rule) {
    visit.required("allow", rule.allow);
    visit.optional("type", rule.type);
    visit.optional("major", rule.major);
    visit.optional("minor", rule.minor);
    visit.optional("access", rule.access);
}

void fields(auto& visit, Of<Memory> auto& memory) {
    visit.optional("limit", memory.limit);
    visit.optional("reservation", memory.reservation);
    visit.optional("swap", memory.swap);
    visit.optional("kernel", memory.kernel);
    visit.optional("kernelTCP", memory.kernel_tcp);
    visit.optional("swappiness", memory.swappiness);
    visit.optional("disableOOMKiller", memory.disable_oom_killer);
    visit.optional("useHierarchy", memory.use_hierarchy);
    visit.optional("checkBeforeUpdate", memory.check_before_update);
}

void fields(auto& visit, Of<Cpu> auto& cpu) {
    visit.optional("shares", cpu.shares);
    visit.optional("quota", cpu.quota);
    visit.optional("burst", cpu.burst);
    visit.optional("period", cpu.period);
    visit.optional("realtimeRuntime", cpu.realtime_runtime);
    visit.optional("realtimePeriod", cpu.realtime_period);
    visit.optional("cpus", cpu.cpus);
    visit.optional("mems", cpu.mems);
    visit.optional("idle", cpu.idle);
}

void fields(auto& visit, Of<WeightDevice> auto& device) {
    visit.required("major", device.major);
    visit.required("minor", device.minor);
    visit.optional("weight", device.weight);
    visit.optional("leafWeight", device.leaf_weight);
}

void fields(auto& visit, Of<ThrottleDevice> auto& device) {
    visit.required("major", device.major);
    visit.required("minor", device.minor);
    visit.required("rate", device.rate);
}

void fields(auto& visit, Of<BlockIo> auto& block_io) {
    visit.optional("weight", block_io.weight);
    visit.optional("leafWeight", block_io.leaf_weight);
    visit.optional("weightDevice", block_io.weight_device);
    visit.optional("throttleReadBpsDevice", block_io.throttle_read_bps_device);
    visit.optional("throttleWriteBpsDevice", block_io.throttle_write_bps_device);
    visit.optional("throttleReadIOPSDevice", block_io.throttle_read_iops_device);
    visit.optional("throttleWriteIOPSDevice", block_io.throttle_write_iops_device);
}

void fields(auto& visit, Of<HugepageLimit> auto& hugepage) {
    visit.required("pageSize", hugepage.page_size);
    visit.required("limit", hugepage.limit);
}

void fields(auto& visit, Of<InterfacePriority> auto& interface) {
    visit.required("name", interface.name);
    visit.required("priority", interface.priority);
}

void fields(auto& visit, Of<Network> auto& network) {
    visit.optional("classID", network.class_id);
    visit.optional("priorities", network.priorities);
}

void fields(auto& visit, Of<Rdma> auto& rdma) {
    visit.optional("hcaHandles", rdma.hca_handles);
    visit.optional("hcaObjects", rdma.hca_objects);
}

void fields(auto& visit, Of<Resources> auto& resources) {
    visit.optional("devices", resources.devices);
    visit.optional("memory", resources.memory);
    visit.optional("cpu", resources.cpu);
    visit.wrapped("pids", "limit", resources.pids_limit);
    visit.optional("blockIO", resources.block_io);
    visit.optional("hugepageLimits", resources.hugepage_limits);
    visit.optional("network", resources.network);
    visit.optional("rdma", resources.rdma);
    visit.optional("unified", resources.unified);
}

void fields(auto& visit, Of<SeccompArg> auto& arg) {
    visit.required("index", arg.index);
    visit.required("value", arg.value);
    visit.optional("valueTwo", arg.value_two);
    visit.required("op", arg.op);
}

void fields(auto& visit, Of<SeccompRule> auto& rule) {
    visit.required("names", rule.names);
    visit.required("action", rule.action);
    visit.optional("errnoRet", rule.errno_ret);
    visit.optional("args", rule.args);
}

void fields(auto& visit, Of<Seccomp> auto& seccomp) {
    visit.required("defaultAction", seccomp.default_action);
    visit.optional("defaultErrnoRet", seccomp.default_errno_ret);
    visit.optional("architectures", seccomp.architectures);
    visit.optional("flags", seccomp.flags);
    visit.optional("listenerPath", seccomp.listener_path);
    visit.optional("listenerMetadata", seccomp.listener_metadata);
    visit.optional("syscalls", seccomp.syscalls);
}

void fields(auto& visit, Of<IntelRdt> auto& rdt) {
    visit.optional("closID", rdt.clos_id);
    visit.optional("l3CacheSchema", rdt.l3_cache_schema);
    visit.optional("memBwSchema", rdt.mem_bw_schema);
    visit.optional("schemata", rdt.schemata);
    visit.optional("enableMonitoring", rdt.enable_monitoring);
}

void fields(auto& visit, Of<Personality> auto& personality) {
    visit.required("domain", personality.domain);
    visit.optional("flags", personality.flags);
}

void fields(auto& visit, Of<MemoryPolicy> auto& policy) {
    visit.required("mode", policy.mode);
    visit.optional("nodes", policy.nodes);
    visit.optional("flags", policy.flags);
}

void fields(auto& visit, Of<Linux> auto& linux) {
    visit.optional("uidMappings", linux.uid_mappings);
    visit.optional("gidMappings", linux.gid_mappings);
    visit.optional("sysctl", linux.sysctl);
    visit.optional("resources", linux.resources);
    visit.optional("cgroupsPath", linux.cgroups_path);
    visit.optional("namespaces", linux.namespaces);
    visit.optional("devices", linux.devices);
    visit.optional("netDevices", linux.net_devices);
    visit.optional("seccomp", linux.seccomp);
    visit.optional("rootfsPropagation", linux.rootfs_propagation);
    visit.optional("maskedPaths", linux.masked_paths);
    visit.optional("readonlyPaths", linux.readonly_paths);
    visit.optional("mountLabel", linux.mount_label);
    visit.optional("intelRdt", linux.intel_rdt);
    visit.optional("memoryPolicy", linux.memory_policy);
    visit.optional("personality", linux.personality);
    visit.optional("timeOffsets", linux.time_offsets);
}

void fields(auto& visit, Of<Spec> auto& spec) {
    visit.required("ociVersion", spec.oci_version);
    visit.optional("process", spec.process);
    visit.required("root", spec.root);
    visit.optional("hostname", spec.hostname);
    visit.optional("domainname", spec.domainname);
    visit.optional("mounts", spec.mounts);
    visit.optional("hooks", spec.hooks);
    visit.optional("annotations", spec.annotations);
    visit.optional("linux", spec.linux);
}

} // namespace sctr::oci
