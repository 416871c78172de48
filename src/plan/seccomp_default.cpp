// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/netlink.h>
#include <sys/personality.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "base/strings.hpp"
#include "plan/seccomp.hpp"

/// What a system call is in these lists for is the reason why it is allowed or denied; calls of
/// other architectures than the native one are named too, and cost nothing there.
namespace sctr::plan {

namespace {

using Names = std::vector<std::string>;

Names names_of(std::string_view text) {
    Names names = split(text, ' ');
    std::erase(names, "");
    return names;
}

constexpr std::string_view files =
    "open openat openat2 creat close close_range read readv pread64 preadv preadv2 write "
    "writev pwrite64 pwritev pwritev2 lseek _llseek sendfile sendfile64 splice tee "
    "copy_file_range readahead fadvise64 fadvise64_64 fallocate truncate truncate64 "
    "ftruncate ftruncate64 fsync fdatasync sync syncfs sync_file_range dup dup2 dup3 fcntl "
    "fcntl64 flock ioctl pipe pipe2 memfd_create memfd_secret umask name_to_handle_at";

constexpr std::string_view directories_and_metadata =
    "access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 fstatat64 "
    "newfstatat statx statfs statfs64 fstatfs fstatfs64 getdents getdents64 getcwd chdir "
    "fchdir mkdir mkdirat rmdir mknod mknodat link linkat symlink symlinkat unlink unlinkat "
    "rename renameat renameat2 readlink readlinkat chmod fchmod fchmodat fchmodat2 chown "
    "chown32 fchown fchown32 fchownat lchown lchown32 utime utimes utimensat "
    "utimensat_time64 futimesat getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr "
    "listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr inotify_init "
    "inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark";

/// The kernel asks for CAP_SYS_ADMIN in the container's own user namespace; without that they
/// serve containers inside containers.
constexpr std::string_view mounts_and_namespaces =
    "mount umount umount2 pivot_root mount_setattr move_mount open_tree fsopen fsconfig "
    "fsmount fspick unshare";

constexpr std::string_view memory =
    "brk mmap mmap2 munmap mremap mprotect msync madvise mincore mlock mlock2 mlockall "
    "munlock munlockall remap_file_pages membarrier pkey_alloc pkey_free pkey_mprotect "
    "get_mempolicy set_mempolicy mbind process_mrelease";

constexpr std::string_view processes =
    "fork vfork clone clone3 execve execveat exit exit_group wait4 waitid waitpid getpid "
    "getppid gettid getpgid getpgrp setpgid getsid setsid prctl ptrace process_vm_readv "
    "process_vm_writev pidfd_open pidfd_getfd pidfd_send_signal set_tid_address "
    "set_thread_area get_thread_area set_robust_list get_robust_list futex futex_time64 rseq "
    "restart_syscall";

constexpr std::string_view scheduling_and_limits =
    "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr "
    "sched_getparam sched_setparam sched_getscheduler sched_setscheduler "
    "sched_get_priority_max sched_get_priority_min sched_rr_get_interval "
    "sched_rr_get_interval_time64 getpriority setpriority ioprio_get ioprio_set getrlimit "
    "ugetrlimit setrlimit prlimit64 getrusage times getcpu";

constexpr std::string_view identity =
    "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getgroups "
    "getgroups32 getresuid getresuid32 getresgid getresgid32 setuid setuid32 setgid setgid32 "
    "setgroups setgroups32 setreuid setreuid32 setregid setregid32 setresuid setresuid32 "
    "setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 capget capset keyctl "
    "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self";

constexpr std::string_view signals =
    "kill tkill tgkill pause signal sigaltstack sigprocmask sigreturn signalfd signalfd4 "
    "rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
    "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo";

/// Setting the clock is refused by the kernel without CAP_SYS_TIME; adjtimex also reads it.
constexpr std::string_view time_and_timers =
    "time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 "
    "clock_nanosleep clock_nanosleep_time64 clock_adjtime clock_adjtime64 adjtimex nanosleep "
    "alarm getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime "
    "timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime "
    "timerfd_gettime64 timerfd_settime timerfd_settime64";

constexpr std::string_view waiting =
    "select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create "
    "epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait "
    "epoll_pwait2 eventfd eventfd2 io_setup io_submit io_cancel io_getevents io_destroy";

constexpr std::string_view sockets =
    "socketcall socketpair bind listen accept accept4 connect shutdown getsockname "
    "getpeername getsockopt setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg "
    "recvmmsg recvmmsg_time64";

constexpr std::string_view system_v_and_posix_ipc =
    "ipc semget semop semctl semtimedop semtimedop_time64 shmget shmat shmdt shmctl msgget "
    "msgsnd msgrcv msgctl mq_open mq_unlink mq_notify mq_getsetattr mq_timedsend "
    "mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64";

/// reboot acts on the container's own pid namespace, syslog follows kernel.dmesg_restrict.
constexpr std::string_view the_system = "uname sysinfo getrandom syslog reboot";

/// Of one architecture only; unknown on the others.
constexpr std::string_view architecture_specific =
#if defined(__x86_64__) || defined(__i386__)
    "arch_prctl modify_ldt";
#elif defined(__aarch64__) || defined(__arm__)
    "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2";
#elif defined(__powerpc64__)
    "swapcontext sync_file_range2";
#elif defined(__s390x__)
    "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr";
#elif defined(__riscv)
    "riscv_flush_icache";
#else
    "";
#endif

/// Dangerous or obsolete: EPERM, so that a program sees a refusal and not an old kernel.
constexpr std::string_view always_denied =
    "add_key request_key kexec_load kexec_file_load migrate_pages move_pages nfsservctl nice "
    "bdflush oldfstat oldlstat oldolduname oldstat olduname pciconfig_iobase pciconfig_read "
    "pciconfig_write sgetmask ssetmask swapoff swapon syscall sysfs uselib userfaultfd ustat "
    "vm86 vm86old vmsplice io_pgetevents io_pgetevents_time64";

/// Allowed to who has one of the capabilities, else EPERM.
struct Privileged {
    std::string_view capabilities;
    std::string_view names;
};

constexpr std::array privileged{
    Privileged{"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    Privileged{"CAP_SYS_ADMIN",
               "fanotify_init lookup_dcookie quotactl quotactl_fd setdomainname sethostname setns"},
    Privileged{"CAP_SYS_ADMIN CAP_BPF", "bpf"},
    Privileged{"CAP_PERFMON", "perf_event_open"},
    Privileged{"CAP_SYS_CHROOT", "chroot"},
    Privileged{"CAP_SYS_MODULE", "delete_module finit_module init_module query_module"},
    Privileged{"CAP_SYS_PACCT", "acct"},
    Privileged{"CAP_SYS_PTRACE", "kcmp process_madvise"},
    Privileged{"CAP_SYS_RAWIO", "ioperm iopl"},
    Privileged{"CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"},
    Privileged{"CAP_SYS_TTY_CONFIG", "vhangup"},
};

oci::SeccompRule allow(Names names, std::vector<oci::SeccompArg> args = {}) {
    return {.names = std::move(names), .action = "SCMP_ACT_ALLOW", .args = std::move(args)};
}

oci::SeccompRule deny(Names names, std::uint32_t error, std::vector<oci::SeccompArg> args = {}) {
    return {.names = std::move(names),
            .action = "SCMP_ACT_ERRNO",
            .errno_ret = error,
            .args = std::move(args)};
}

oci::SeccompArg argument(std::uint32_t index, const char* op, std::uint64_t value) {
    return {.index = index, .value = value, .op = op};
}

void add_privileged(oci::Seccomp& seccomp, const Names& capabilities) {
    for (const Privileged& each : privileged) {
        const bool is_allowed =
            std::ranges::any_of(names_of(each.capabilities), [&](const std::string& name) {
                return std::ranges::contains(capabilities, name);
            });
        seccomp.syscalls.push_back(is_allowed ? allow(names_of(each.names))
                                              : deny(names_of(each.names), EPERM));
    }
}

/// Only what changes how addresses are laid out is worth a refusal: Linux, 32 bits, and System V's
/// uname, apart and together, and the question which it is.
void add_personality(oci::Seccomp& seccomp) {
    constexpr std::uint64_t question = 0xffffffff;
    constexpr std::uint64_t uname_2_6 = 0x20000;
    for (const std::uint64_t persona : {std::uint64_t{PER_LINUX},
                                        std::uint64_t{PER_LINUX32},
                                        uname_2_6,
                                        uname_2_6 | PER_LINUX32,
                                        question}) {
        seccomp.syscalls.push_back(allow({"personality"}, {argument(0, "SCMP_CMP_EQ", persona)}));
    }
}

/// Sockets of every family but AF_VSOCK, which reaches the hypervisor past every network namespace
/// (32-bit programs still have socketcall, which no filter can look into). Without CAP_AUDIT_WRITE
/// the audit protocol of AF_NETLINK gives EINVAL, as from a kernel without audit: login programs go
/// on without it.
///
/// Conditions compare whole registers, of which the kernel takes the lower half. So families are
/// allowed by "equal" and "less" alone: no set bit in the upper half can hide AF_VSOCK. And one
/// rule cannot have two conditions on one argument, so families meet in more than one rule; of
/// those between AF_NETLINK and AF_VSOCK, only AF_PACKET can want protocol 9 for itself.
void add_socket(oci::Seccomp& seccomp, const Names& capabilities) {
    constexpr std::uint32_t family = 0;
    constexpr std::uint32_t protocol = 2;
    std::vector<std::vector<oci::SeccompArg>> allowed;
    if (std::ranges::contains(capabilities, "CAP_AUDIT_WRITE")) {
        allowed = {{argument(family, "SCMP_CMP_LT", AF_VSOCK)}};
    } else {
        allowed = {
            {argument(family, "SCMP_CMP_LT", AF_VSOCK),
             argument(protocol, "SCMP_CMP_NE", NETLINK_AUDIT)},
            {argument(family, "SCMP_CMP_LT", AF_NETLINK)},
            {argument(family, "SCMP_CMP_EQ", AF_PACKET)},
        };
        seccomp.syscalls.push_back(deny({"socket"},
                                        EINVAL,
                                        {argument(family, "SCMP_CMP_EQ", AF_NETLINK),
                                         argument(protocol, "SCMP_CMP_EQ", NETLINK_AUDIT)}));
    }
    for (unsigned newer = AF_VSOCK + 1; newer < AF_MAX; ++newer) {
        allowed.push_back({argument(family, "SCMP_CMP_EQ", newer)});
    }
    for (const auto& args : allowed) {
        seccomp.syscalls.push_back(allow({"socket"}, args));
    }
    seccomp.syscalls.push_back(
        deny({"socket"}, EPERM, {argument(family, "SCMP_CMP_EQ", AF_VSOCK)}));
}

std::vector<std::string> native_architectures() {
#if defined(__x86_64__)
    return {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
    return {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#else
    return {};
#endif
}

} // namespace

oci::Seccomp default_seccomp(const std::vector<std::string>& capabilities) {
    oci::Seccomp seccomp{
        .default_action = "SCMP_ACT_ERRNO",
        // What is unknown here is new: programs fall back to what they did before.
        .default_errno_ret = ENOSYS,
        .architectures = native_architectures(),
    };
    for (const std::string_view names : {files,
                                         directories_and_metadata,
                                         mounts_and_namespaces,
                                         memory,
                                         processes,
                                         scheduling_and_limits,
                                         identity,
                                         signals,
                                         time_and_timers,
                                         waiting,
                                         sockets,
                                         system_v_and_posix_ipc,
                                         the_system,
                                         architecture_specific}) {
        if (!names.empty()) {
            seccomp.syscalls.push_back(allow(names_of(names)));
        }
    }
    seccomp.syscalls.push_back(deny(names_of(always_denied), EPERM));
    add_privileged(seccomp, capabilities);
    add_personality(seccomp);
    add_socket(seccomp, capabilities);
    return seccomp;
}

} // namespace sctr::plan
