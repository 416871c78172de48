// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// The OCI runtime configuration (runtime-spec 1.3, config.md and config-linux.md) as plain data.
///
/// Names are the spec's own in snake_case. An absent field is an empty optional, or an empty
/// string or container where the spec does not tell absent from empty. Comments are added only
/// where the spec's name does not say the unit or the values.
namespace sctr::oci {

struct Box {
    std::uint64_t height = 0;
    std::uint64_t width = 0;

    bool operator==(const Box&) const = default;
};

struct User {
    uid_t uid = 0;
    gid_t gid = 0;
    std::optional<mode_t> umask;
    std::vector<gid_t> additional_gids;
    std::string username;

    bool operator==(const User&) const = default;
};

/// Sets of capability names ("CAP_CHOWN"). Absent and empty are the same: no capability.
struct Capabilities {
    std::vector<std::string> bounding;
    std::vector<std::string> effective;
    std::vector<std::string> inheritable;
    std::vector<std::string> permitted;
    std::vector<std::string> ambient;

    bool operator==(const Capabilities&) const = default;
};

struct Rlimit {
    std::string type; ///< "RLIMIT_NOFILE"
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;

    bool operator==(const Rlimit&) const = default;
};

struct Scheduler {
    std::string policy; ///< "SCHED_OTHER", ...
    std::int32_t nice = 0;
    std::int32_t priority = 0;
    std::vector<std::string> flags;
    std::uint64_t runtime = 0;  ///< nanoseconds
    std::uint64_t deadline = 0; ///< nanoseconds
    std::uint64_t period = 0;   ///< nanoseconds

    bool operator==(const Scheduler&) const = default;
};

struct IoPriority {
    std::string class_; ///< "IOPRIO_CLASS_BE", ...
    std::int32_t priority = 0;

    bool operator==(const IoPriority&) const = default;
};

struct ExecCpuAffinity {
    std::string initial; ///< CPU list
    std::string final_;  ///< CPU list

    bool operator==(const ExecCpuAffinity&) const = default;
};

struct Process {
    bool terminal = false;
    std::optional<Box> console_size;
    User user;
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::string cwd = "/";
    std::optional<Capabilities> capabilities;
    std::vector<Rlimit> rlimits;
    bool no_new_privileges = false;
    std::string apparmor_profile;
    std::optional<int> oom_score_adj;
    std::optional<Scheduler> scheduler;
    std::string selinux_label;
    std::optional<IoPriority> io_priority;
    std::optional<ExecCpuAffinity> exec_cpu_affinity;

    bool operator==(const Process&) const = default;
};

struct Root {
    std::string path;
    bool readonly = false;

    bool operator==(const Root&) const = default;
};

struct IdMapping {
    std::uint32_t container_id = 0;
    std::uint32_t host_id = 0;
    std::uint32_t size = 0;

    bool operator==(const IdMapping&) const = default;
};

struct Mount {
    std::string destination;
    std::string type;
    std::string source;
    std::vector<std::string> options;
    std::vector<IdMapping> uid_mappings;
    std::vector<IdMapping> gid_mappings;

    bool operator==(const Mount&) const = default;
};

struct Hook {
    std::string path;
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::optional<int> timeout; ///< seconds

    bool operator==(const Hook&) const = default;
};

struct Hooks {
    std::vector<Hook> prestart;
    std::vector<Hook> create_runtime;
    std::vector<Hook> create_container;
    std::vector<Hook> start_container;
    std::vector<Hook> poststart;
    std::vector<Hook> poststop;

    bool operator==(const Hooks&) const = default;
};

enum class NamespaceType { pid, network, mount, ipc, uts, user, cgroup, time };

struct Namespace {
    NamespaceType type{};
    std::string path; ///< join this one; empty: make a new one

    bool operator==(const Namespace&) const = default;
};

struct TimeOffset {
    std::int64_t secs = 0;
    std::uint32_t nanosecs = 0;

    bool operator==(const TimeOffset&) const = default;
};

struct Device {
    std::string path;
    std::string type; ///< "c", "b", "u", "p"
    std::int64_t major = 0;
    std::int64_t minor = 0;
    std::optional<mode_t> file_mode;
    std::optional<uid_t> uid;
    std::optional<gid_t> gid;

    bool operator==(const Device&) const = default;
};

struct NetDevice {
    std::string name; ///< name inside the container; empty: as on the host

    bool operator==(const NetDevice&) const = default;
};

struct DeviceCgroup {
    bool allow = false;
    std::string type; ///< "a", "c", "b"; empty: all
    std::optional<std::int64_t> major;
    std::optional<std::int64_t> minor;
    std::string access; ///< of "rwm"; empty: all

    bool operator==(const DeviceCgroup&) const = default;
};

struct Memory {
    std::optional<std::int64_t> limit;       ///< bytes, -1 unlimited
    std::optional<std::int64_t> reservation; ///< bytes, -1 unlimited
    std::optional<std::int64_t> swap;        ///< bytes of memory and swap together, -1 unlimited
    std::optional<std::int64_t> kernel;
    std::optional<std::int64_t> kernel_tcp;
    std::optional<std::uint64_t> swappiness;
    std::optional<bool> disable_oom_killer;
    std::optional<bool> use_hierarchy;
    std::optional<bool> check_before_update;

    bool operator==(const Memory&) const = default;
};

struct Cpu {
    std::optional<std::uint64_t> shares;
    std::optional<std::int64_t> quota;   ///< microseconds in a period, -1 unlimited
    std::optional<std::uint64_t> burst;  ///< microseconds
    std::optional<std::uint64_t> period; ///< microseconds
    std::optional<std::int64_t> realtime_runtime;
    std::optional<std::uint64_t> realtime_period;
    std::string cpus; ///< CPU list
    std::string mems; ///< node list
    std::optional<std::int64_t> idle;

    bool operator==(const Cpu&) const = default;
};

struct WeightDevice {
    std::int64_t major = 0;
    std::int64_t minor = 0;
    std::optional<std::uint16_t> weight;
    std::optional<std::uint16_t> leaf_weight;

    bool operator==(const WeightDevice&) const = default;
};

struct ThrottleDevice {
    std::int64_t major = 0;
    std::int64_t minor = 0;
    std::uint64_t rate = 0; ///< bytes or operations a second

    bool operator==(const ThrottleDevice&) const = default;
};

struct BlockIo {
    std::optional<std::uint16_t> weight;
    std::optional<std::uint16_t> leaf_weight;
    std::vector<WeightDevice> weight_device;
    std::vector<ThrottleDevice> throttle_read_bps_device;
    std::vector<ThrottleDevice> throttle_write_bps_device;
    std::vector<ThrottleDevice> throttle_read_iops_device;
    std::vector<ThrottleDevice> throttle_write_iops_device;

    bool operator==(const BlockIo&) const = default;
};

struct HugepageLimit {
    std::string page_size; ///< "2MB"
    std::uint64_t limit = 0;

    bool operator==(const HugepageLimit&) const = default;
};

struct InterfacePriority {
    std::string name;
    std::uint32_t priority = 0;

    bool operator==(const InterfacePriority&) const = default;
};

struct Network {
    std::optional<std::uint32_t> class_id;
    std::vector<InterfacePriority> priorities;

    bool operator==(const Network&) const = default;
};

struct Rdma {
    std::optional<std::uint32_t> hca_handles;
    std::optional<std::uint32_t> hca_objects;

    bool operator==(const Rdma&) const = default;
};

struct Resources {
    std::vector<DeviceCgroup> devices;
    std::optional<Memory> memory;
    std::optional<Cpu> cpu;
    std::optional<std::int64_t> pids_limit;
    std::optional<BlockIo> block_io;
    std::vector<HugepageLimit> hugepage_limits;
    std::optional<Network> network;
    std::map<std::string, Rdma> rdma;
    std::map<std::string, std::string> unified;

    bool operator==(const Resources&) const = default;
};

struct SeccompArg {
    std::uint32_t index = 0;
    std::uint64_t value = 0;
    std::uint64_t value_two = 0;
    std::string op; ///< "SCMP_CMP_EQ", ...

    bool operator==(const SeccompArg&) const = default;
};

struct SeccompRule {
    std::vector<std::string> names;
    std::string action; ///< "SCMP_ACT_ALLOW", ...
    std::optional<std::uint32_t> errno_ret;
    std::vector<SeccompArg> args;

    bool operator==(const SeccompRule&) const = default;
};

struct Seccomp {
    std::string default_action;
    std::optional<std::uint32_t> default_errno_ret;
    std::vector<std::string> architectures; ///< "SCMP_ARCH_X86_64", ...
    std::vector<std::string> flags;         ///< "SECCOMP_FILTER_FLAG_LOG", ...
    std::string listener_path;
    std::string listener_metadata;
    std::vector<SeccompRule> syscalls;

    bool operator==(const Seccomp&) const = default;
};

struct IntelRdt {
    std::string clos_id;
    std::string l3_cache_schema;
    std::string mem_bw_schema;
    std::vector<std::string> schemata;
    bool enable_monitoring = false;

    bool operator==(const IntelRdt&) const = default;
};

struct Personality {
    std::string domain; ///< "LINUX", "LINUX32"
    std::vector<std::string> flags;

    bool operator==(const Personality&) const = default;
};

struct MemoryPolicy {
    std::string mode; ///< "MPOL_BIND", ...
    std::string nodes;
    std::vector<std::string> flags;

    bool operator==(const MemoryPolicy&) const = default;
};

struct Linux {
    std::vector<IdMapping> uid_mappings;
    std::vector<IdMapping> gid_mappings;
    std::map<std::string, std::string> sysctl;
    Resources resources;
    std::string cgroups_path;
    std::vector<Namespace> namespaces;
    std::vector<Device> devices;
    std::map<std::string, NetDevice> net_devices;
    std::optional<Seccomp> seccomp;
    std::string rootfs_propagation;
    std::vector<std::string> masked_paths;
    std::vector<std::string> readonly_paths;
    std::string mount_label;
    std::optional<IntelRdt> intel_rdt;
    std::optional<MemoryPolicy> memory_policy;
    std::optional<Personality> personality;
    std::map<std::string, TimeOffset> time_offsets; ///< "monotonic", "boottime"

    bool operator==(const Linux&) const = default;
};

struct Spec {
    std::string oci_version = "1.3.0";
    std::optional<Process> process;
    Root root;
    std::string hostname;
    std::string domainname;
    std::vector<Mount> mounts;
    Hooks hooks;
    std::map<std::string, std::string> annotations;
    Linux linux;

    bool operator==(const Spec&) const = default;
};

/// The spec's word for a namespace type ("network").
const char* to_string(NamespaceType type);

} // namespace sctr::oci
