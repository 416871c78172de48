// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// What sctr-init carries out, as plain data. Written by the plan layer, sent through
/// plan/codec.hpp, read by sctr-init, which has no JSON and no exceptions: everything here is
/// already decided, looked up and validated.
namespace sctr::plan {

/// A namespace that sctr-init unshares, or joins through an inherited fd.
struct NamespaceStep {
    std::uint64_t clone_flag = 0; ///< CLONE_NEW*
    std::int32_t join_fd = -1;    ///< -1: a new one
    std::string join_path;        ///< for messages and for opening on the host side
};

enum class MountKind : std::uint8_t {
    filesystem, ///< a new instance of `fstype`
    bind,       ///< a clone of the tree at `source`
    cgroup,     ///< cgroup2, as the container's cgroup namespace shows it
    remount,    ///< change the attributes of what is mounted at `target`
};

/// One mount. Attributes are MOUNT_ATTR_* of mount_setattr(2), applied before it is attached.
struct MountStep {
    MountKind kind = MountKind::filesystem;
    std::string source;
    std::string target; ///< absolute, inside the container
    std::string fstype;
    std::vector<std::string> data; ///< "key" or "key=value" for fsconfig(2)
    std::uint64_t attr_set = 0;
    std::uint64_t attr_clear = 0;
    std::uint64_t recursive_attr_set = 0;
    std::uint64_t recursive_attr_clear = 0;
    std::uint64_t propagation = 0; ///< MS_PRIVATE, MS_SLAVE, ... with or without MS_REC; 0: as is
    bool recursive = false;        ///< bind: with the mounts below the source
    bool copy_up = false;          ///< tmpfs: begins with what the directory below it has
    bool copy_symlink = false;     ///< bind: of a source that is a symlink, the link itself
    bool cover_symlink = false;    ///< at a target that is a symlink: on the link itself
    bool from_host = false;        ///< the tree comes from the host side (LaunchPlan::host_trees)
    std::string bind_if_refused;   ///< filesystem: what to bind where the kernel refuses it
    std::int32_t tree_fd = -1;     ///< the tree itself, inherited or come; -1: it is opened
};

/// A device node below the container's /dev, made with mknod or, where that is refused in a user
/// namespace, bound from the host.
struct DeviceStep {
    std::string path;
    std::uint32_t mode = 0; ///< type and permission bits, as of mknod(2)
    std::uint64_t device = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    bool must_match = false;   ///< something else that is there already is an error
    bool from_host = false;    ///< the node comes from the host side (LaunchPlan::host_trees)
    std::int32_t tree_fd = -1; ///< within sctr-init: the node's mount, once it is there
};

/// A file in memory. What is in it goes nowhere else: not into records, nor into what is shown.
struct SecretStep {
    std::string target; ///< absolute, inside the container
    std::string text;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t mode = 0;
};

struct SymlinkStep {
    std::string path;
    std::string target;
};

struct SysctlStep {
    std::string path; ///< below /proc/sys, with slashes
    std::string value;
};

struct RlimitStep {
    std::string name; ///< for messages
    std::int32_t resource = 0;
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
};

struct CapabilitySets {
    std::uint64_t bounding = 0;
    std::uint64_t effective = 0;
    std::uint64_t inheritable = 0;
    std::uint64_t permitted = 0;
    std::uint64_t ambient = 0;
};

/// A seccomp program: sock_filter instructions as eight bytes each.
struct SeccompStep {
    std::vector<std::uint64_t> program; ///< empty: no filter
    std::uint32_t flags = 0;            ///< SECCOMP_FILTER_FLAG_*
};

/// For sched_setattr(2).
struct SchedulerStep {
    bool set = false;
    std::uint32_t policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0;
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
};

/// For set_mempolicy(2).
struct MemoryPolicyStep {
    bool set = false;
    std::uint32_t mode = 0; ///< with its flags
    std::vector<std::uint64_t> nodes;
};

/// When and where a process runs, as far as it inherits it.
struct SchedulingStep {
    SchedulerStep scheduler;
    bool set_io_priority = false;
    std::int32_t io_priority = 0; ///< as of ioprio_set(2)
    bool set_personality = false;
    std::uint32_t personality = 0;
    MemoryPolicyStep memory_policy;
    std::vector<std::uint64_t> cpus; ///< mask; empty: as inherited
};

/// The credentials and limits of a process that starts in the container (init or exec).
struct ProcessStep {
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::string cwd = "/";
    bool create_cwd = false; ///< people's --workdir makes what is missing, OCI does not
    bool terminal = false;
    std::uint16_t console_rows = 0;
    std::uint16_t console_columns = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    bool set_groups = true; ///< false: keep those of whoever starts it
    std::vector<std::uint32_t> additional_gids;
    std::uint32_t umask = 022;
    CapabilitySets capabilities;
    bool no_new_privileges = false;
    std::vector<RlimitStep> rlimits;
    bool set_oom_score_adj = false;
    std::int32_t oom_score_adj = 0;
    bool is_rootless = false; ///< a score or groups that only the host's root may set stay
    std::string apparmor_profile;
    std::string selinux_label;
    SchedulingStep scheduling;
    SeccompStep seccomp;
    std::vector<std::int32_t> preserved_fds; ///< become 3, 4, ... of the command; -1: not open
    bool run_init = false;                   ///< not the command itself, but its parent
    bool die_with_supervisor = false;        ///< SIGKILL when the process that started it dies
};

/// An overlay to be the rootfs. Source: the kernel's overlayfs.rst.
struct OverlayStep {
    std::vector<std::string> lower; ///< the uppermost first; empty: no overlay
    std::string upper;
    std::string work;
    bool user_xattrs = false; ///< opaque directories are marked as a plain user can
    bool is_volatile = false; ///< what is written need not reach the disk
};

/// A hook that sctr-init runs, in the container's namespaces.
struct HookStep {
    std::string place; ///< JSON pointer, for messages
    std::string path;
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::int32_t timeout_seconds = 0; ///< 0: none
};

/// Everything sctr-init does for a new container, in the order of init/stages.
struct InitPlan {
    std::vector<NamespaceStep> namespaces; ///< what is not already done by clone3
    /// After joining a user or pid namespace, go on in a child that is born into it.
    bool fork_after_join = false;
    std::uint64_t fork_flags = 0; ///< CLONE_NEWPID, or 0
    bool wait_for_id_maps = false;
    std::vector<std::string> time_offsets; ///< lines for /proc/self/timens_offsets
    std::string rootfs;                    ///< absolute path on the host
    OverlayStep overlay;                   ///< mounted on `rootfs`, if there is one
    bool rootfs_from_host = false;         ///< it comes from the host side, as an open tree
    std::int32_t tree_socket = -1;         ///< where trees come from; -1: there are none
    std::int32_t rootfs_fd = -1;           ///< within sctr-init: the tree, once it is there
    bool root_readonly = false;
    std::uint64_t root_propagation = 0; ///< as MountStep::propagation, set at last
    bool no_pivot = false;
    bool no_new_keyring = false;
    std::vector<MountStep> mounts;
    /// Targets of mounts that become read-only when all is set up below them.
    std::vector<std::string> readonly_mounts;
    std::vector<DeviceStep> devices;
    std::vector<SymlinkStep> symlinks;
    std::vector<SecretStep> secrets;
    std::vector<std::string> masked_paths;
    std::vector<std::string> readonly_paths;
    std::string hostname;
    std::string domainname;
    std::vector<SysctlStep> sysctls;
    std::int32_t start_socket = -1; ///< listens for the one who says `start`; -1: no second party
    /// The host side or hooks have something to do in the namespaces before pivot_root: tell it
    /// when they are ready, and pivot only after `go`.
    bool hold_before_pivot = false;
    std::vector<HookStep> create_container_hooks;
    std::vector<HookStep> start_container_hooks;
    ProcessStep process;
};

/// What sctr-init does to join a running container.
struct ExecPlan {
    std::int32_t init_pidfd = -1;
    std::uint64_t namespaces = 0; ///< CLONE_NEW* to join through init_pidfd in one setns
    bool wait_for_scope = false;  ///< it is moved into the cgroup only now; then comes `go`
    ProcessStep process;
};

} // namespace sctr::plan
