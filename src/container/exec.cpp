// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/strings.hpp"
#include "container/announce.hpp"
#include "container/console.hpp"
#include "container/engine.hpp"
#include "container/init_process.hpp"
#include "container/own_scopes.hpp"
#include "container/seccomp_cache.hpp"
#include "container/seccomp_listener.hpp"
#include "container/supervise.hpp"
#include "container/usage.hpp"
#include "host/facts.hpp"
#include "linux/procfs.hpp"
#include "linux/signals.hpp"
#include "linux/syscalls.hpp"
#include "linux/terminal.hpp"
#include "plan/process.hpp"
#include "plan/scheduling.hpp"
#include "plan/seccomp.hpp"

namespace sctr::container {

namespace {

struct NamespaceFile {
    const char* name;
    std::uint64_t flag;
};

constexpr std::array namespace_files{
    NamespaceFile{"user", CLONE_NEWUSER},
    NamespaceFile{"mnt", CLONE_NEWNS},
    NamespaceFile{"pid", CLONE_NEWPID},
    NamespaceFile{"net", CLONE_NEWNET},
    NamespaceFile{"ipc", CLONE_NEWIPC},
    NamespaceFile{"uts", CLONE_NEWUTS},
    NamespaceFile{"cgroup", CLONE_NEWCGROUP},
    NamespaceFile{"time", CLONE_NEWTIME},
};

/// The namespaces in which `pid` is and we are not: joining our own user namespace again would be
/// refused, and joining the others would be waste.
std::uint64_t foreign_namespaces(pid_t pid) {
    std::uint64_t flags = 0;
    for (const NamespaceFile& file : namespace_files) {
        struct stat theirs{};
        struct stat ours{};
        const std::string name = std::string("/ns/") + file.name;
        if (::stat(("/proc/" + std::to_string(pid) + name).c_str(), &theirs) != 0 ||
            ::stat(("/proc/self" + name).c_str(), &ours) != 0) {
            throw Error("cannot read the container's namespaces").at(file.name).because(errno);
        }
        if (theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev) {
            flags |= file.flag;
        }
    }
    return flags;
}

UniqueFd open_cgroup_directory(const std::string& path) {
    UniqueFd cgroup(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!cgroup.valid()) {
        throw Error("cannot open the container's cgroup").at(path).because(errno);
    }
    return cgroup;
}

void check_subgroup(const Record& record, const std::string& path) {
    require_own_cgroup(record, "choose a cgroup in");
    if (std::ranges::contains(split(path, '/'), "..") || path.find(':') != std::string::npos) {
        throw Error("cannot use the cgroup")
            .at("--cgroup " + path)
            .because("it is not a path below the container's cgroup");
    }
}

/// Init's own cgroup, which may lie below the scope when the container nests cgroups: processes
/// can only be in its leaves (runc#2356).
UniqueFd open_cgroup(pid_t pid) {
    return open_cgroup_directory("/sys/fs/cgroup" + sys::cgroup_of(pid));
}

/// Where the process goes; an invalid fd: where this one is.
UniqueFd open_cgroup(const ExecOptions& options) {
    if (options.cgroup) {
        return open_cgroup_directory("/sys/fs/cgroup" + own_cgroup(options.record) + "/" +
                                     *options.cgroup);
    }
    return has_own_cgroup(options.record) ? open_cgroup(options.record.pid) : UniqueFd();
}

UniqueFd open_init(const Record& record) {
    UniqueFd pidfd(sys::pidfd_open(record.pid));
    // The pid may have been taken over between reading the record and opening it.
    if (!pidfd.valid() || current_status(record) == Status::stopped) {
        throw Error("container not running").at(record.id);
    }
    return sys::raise_fd(std::move(pidfd));
}

plan::SeccompStep seccomp_of(const oci::Spec& config, const SeccompCache& compile) {
    if (config.annotations.contains(plan::default_seccomp_annotation)) {
        return plan::default_seccomp_program();
    }
    return config.linux.seccomp ? compile(*config.linux.seccomp) : plan::SeccompStep{};
}

void write_pid_file(const std::string& path, pid_t pid) {
    if (path.empty()) {
        return;
    }
    const std::string text = std::to_string(pid);
    const UniqueFd file(::open(
        path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0644));
    if (!file.valid() ||
        ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw Error("cannot write the file").at(path).because(errno);
    }
}

/// This process, since the command is born into the container's cgroup.
/// Source: config.md, execCPUAffinity, initial.
void run_on_initial_cpus(const oci::Process& process) {
    if (!process.exec_cpu_affinity || process.exec_cpu_affinity->initial.empty()) {
        return;
    }
    const std::string pointer = "/process/execCPUAffinity/initial";
    const auto mask = plan::bit_mask(process.exec_cpu_affinity->initial, pointer);
    if (::sched_setaffinity(0,
                            mask.size() * sizeof mask.front(),
                            reinterpret_cast<const cpu_set_t*>(mask.data())) < 0) {
        throw Error("cannot run on these CPUs")
            .at(pointer + " (" + process.exec_cpu_affinity->initial + ")")
            .because(errno);
    }
}

InitProcess
start(const ExecOptions& options, plan::ExecPlan plan, const sys::SignalQueue& signals) {
    const Record& record = options.record;
    const UniqueFd pidfd = open_init(record);
    plan.init_pidfd = pidfd.get();
    plan.namespaces = foreign_namespaces(record.pid);
    plan.wait_for_scope = has_own_cgroup(record) && !may_enter_own_scopes();
    if (options.cgroup) {
        check_subgroup(record, *options.cgroup);
    }
    const UniqueFd cgroup = plan.wait_for_scope ? UniqueFd() : open_cgroup(options);
    const UniqueFd null = sys::raise_fd(UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
    InitSpawn spawn;
    spawn.mode = "exec";
    spawn.cgroup = cgroup.get();
    plan.process.preserved_fds = options.preserved_fds;
    spawn.inherited = options.preserved_fds;
    spawn.inherited.push_back(pidfd.get());
    if (!options.interactive || plan.process.terminal) {
        spawn.standard[0] = null.get();
    }
    if (options.detach && !options.keep_output) {
        spawn.standard[1] = null.get();
        spawn.standard[2] = null.get();
    }
    spawn.plan = plan::codec::encode(plan);
    InitProcess process(spawn);
    if (plan.wait_for_scope) {
        move_to_container(record, process.child().pid(), options.cgroup);
        process.send(plan::protocol::Kind::go);
    }
    if (is_notified(plan.process.seccomp)) {
        process.on_listener(listener_sender(options.config, record, Status::running));
    }
    if ((plan.namespaces & CLONE_NEWPID) != 0) {
        process.await_joined(signals);
    }
    return process;
}

} // namespace

std::pair<Record, oci::Spec> load_settled(const RecordStore& store, const std::string& id) {
    const LockedRecord directory = store.lock(id);
    return {store.load(id), store.load_config(id)};
}

std::pair<Record, oci::Spec>
load_running(const RecordStore& store, const std::string& id, bool ignore_paused) {
    auto found = load_settled(store, id);
    const Status status = current_status(found.first);
    switch (status) {
    case Status::running:
        return found;
    case Status::paused:
        if (ignore_paused) {
            return found;
        }
        throw Error("cannot run a command in the container")
            .at(id)
            .because("it is paused")
            .mend(found.first.kept ? "resume it first, or give --ignore-paused"
                                   : "sctr unpause " + id);
    case Status::creating:
    case Status::created:
    case Status::stopped:
        break;
    }
    throw Error("cannot run a command in the container")
        .at(id)
        .because(std::string("it is ") + to_string(status));
}

int exec(const ExecOptions& options) {
    const oci::Process process_config = plan::inherit_from_container(
        options.process, options.config.process.value_or(oci::Process{}));
    plan::ExecPlan plan;
    plan.process = plan::process_step(process_config, options.config, host::probe());
    plan.process.scheduling.cpus = plan::exec_cpus(process_config);
    plan.process.die_with_supervisor = !options.detach;
    plan.process.create_cwd = options.create_cwd;
    if (!options.privileged) {
        plan.process.seccomp =
            seccomp_of(options.config, SeccompCache(RecordStore(options.state_root)));
    }
    const sys::SignalQueue signals;
    try {
        run_on_initial_cpus(process_config);
        InitProcess process = start(options, std::move(plan), signals);
        process.await_execution(signals);
        if (!options.timeout) {
            announce({Event::exec},
                     options.record,
                     options.config,
                     {.command = join(process_config.args, " ")});
        }
        hand_over(process, options);
        write_pid_file(options.pid_file, process.child().pid());
        if (options.detach) {
            process.child().release();
            return 0;
        }
        return supervise(process,
                         signals,
                         {.interactive = options.interactive, .timeout = options.timeout})
            .exit_status;
    } catch (const Interrupted& interrupted) {
        return 128 + interrupted.signal;
    }
}

} // namespace sctr::container
