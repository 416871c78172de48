// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/namespaces.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "init/control.hpp"
#include "init/procfs.hpp"
#include "linux/syscalls.hpp"

namespace sctr::init {

namespace {

const char* namespace_name(std::uint64_t flag) noexcept {
    switch (flag) {
    case CLONE_NEWUSER:
        return "user";
    case CLONE_NEWPID:
        return "pid";
    case CLONE_NEWNET:
        return "network";
    case CLONE_NEWNS:
        return "mount";
    case CLONE_NEWIPC:
        return "ipc";
    case CLONE_NEWUTS:
        return "uts";
    case CLONE_NEWTIME:
        return "time";
    default:
        return "cgroup";
    }
}

void join(const plan::NamespaceStep& step) noexcept {
    require(::setns(step.join_fd, static_cast<int>(step.clone_flag)) == 0,
            "cannot join namespace",
            std::string(namespace_name(step.clone_flag)) + " (" + step.join_path + ")");
}

void bring_loopback_up() noexcept {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    require(socket.valid(), "cannot open a socket to bring the loopback interface up");
    struct ifreq request{};
    std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    require(::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0,
            "cannot bring the loopback interface up");
}

/// A new time namespace is entered by children only; joining it makes it this process's too, and
/// its offsets must be written while it has no process.
void enter_new_time_namespace(const plan::InitPlan& plan, int proc) noexcept {
    require(::unshare(CLONE_NEWTIME) == 0, "cannot make namespace", "time");
    for (const std::string& line : plan.time_offsets) {
        require(write_file(proc, "self/timens_offsets", line), "cannot set time offset", line);
    }
    const UniqueFd made = open_below(proc, "self/ns/time_for_children", O_RDONLY, MagicLinks::last);
    require(
        made.valid() && ::setns(made.get(), CLONE_NEWTIME) == 0, "cannot enter namespace", "time");
}

} // namespace

void become_namespace_root() noexcept {
    require(::setresgid(0, 0, 0) == 0 && ::setresuid(0, 0, 0) == 0,
            "cannot become root of the user namespace: id 0 has no mapping");
}

void join_owning_namespaces(const plan::InitPlan& plan) noexcept {
    for (const plan::NamespaceStep& step : plan.namespaces) {
        if (step.join_fd >= 0 && step.clone_flag == CLONE_NEWUSER) {
            join(step);
            become_namespace_root();
        }
    }
    for (const plan::NamespaceStep& step : plan.namespaces) {
        if (step.join_fd >= 0 && step.clone_flag == CLONE_NEWPID) {
            join(step);
        }
    }
}

void continue_in_child(std::uint64_t clone_flags) noexcept {
    struct clone_args arguments{};
    int pidfd = -1;
    // CLONE_PARENT makes the child one of the host side, which can then wait for it.
    arguments.flags = clone_flags | CLONE_PARENT | CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    const pid_t child = sys::clone3(arguments);
    require(child >= 0, "cannot fork into the container's namespaces");
    if (child > 0) {
        send(plan::protocol::Kind::joined, pidfd);
        ::_exit(0);
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); // a fork does not inherit it
}

void enter_namespaces(const plan::InitPlan& plan, int proc) noexcept {
    if (plan.wait_for_id_maps) {
        await(plan::protocol::Kind::id_maps_written);
        become_namespace_root();
    }
    std::uint64_t fresh = 0;
    for (const plan::NamespaceStep& step : plan.namespaces) {
        const bool done = step.clone_flag == CLONE_NEWUSER || step.clone_flag == CLONE_NEWPID;
        if (step.clone_flag == CLONE_NEWCGROUP || done) {
            continue;
        }
        if (step.join_fd >= 0) {
            join(step);
        } else {
            fresh |= step.clone_flag;
        }
    }
    for (const std::uint64_t flag : {CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET}) {
        if ((fresh & flag) != 0) {
            require(::unshare(static_cast<int>(flag)) == 0,
                    "cannot make namespace",
                    namespace_name(flag));
        }
    }
    if ((fresh & CLONE_NEWTIME) != 0) {
        enter_new_time_namespace(plan, proc);
    }
    if ((fresh & CLONE_NEWNET) != 0) {
        bring_loopback_up();
    }
}

void enter_cgroup_namespace(const plan::InitPlan& plan) noexcept {
    for (const plan::NamespaceStep& step : plan.namespaces) {
        if (step.clone_flag != CLONE_NEWCGROUP) {
            continue;
        }
        if (step.join_fd >= 0) {
            join(step);
        } else {
            require(::unshare(CLONE_NEWCGROUP) == 0, "cannot make namespace", "cgroup");
        }
    }
}

void configure_namespaces(const plan::InitPlan& plan, int proc) noexcept {
    if (!plan.hostname.empty()) {
        require(::sethostname(plan.hostname.data(), plan.hostname.size()) == 0,
                "cannot set the host name",
                plan.hostname);
    }
    if (!plan.domainname.empty()) {
        require(::setdomainname(plan.domainname.data(), plan.domainname.size()) == 0,
                "cannot set the domain name",
                plan.domainname);
    }
    for (const plan::SysctlStep& sysctl : plan.sysctls) {
        require(
            write_file(proc, "sys/" + sysctl.path, sysctl.value), "cannot set sysctl", sysctl.path);
    }
}

} // namespace sctr::init
