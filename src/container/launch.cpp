// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/launch.hpp"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "container/hooks.hpp"
#include "container/host_trees.hpp"
#include "container/id_maps.hpp"
#include "container/nested_cgroup.hpp"
#include "container/net_devices.hpp"
#include "container/own_scopes.hpp"
#include "container/resctrl.hpp"
#include "container/seccomp_listener.hpp"
#include "container/shared_memory.hpp"
#include "container/subgroup.hpp"
#include "linux/clock.hpp"
#include "linux/procfs.hpp"
#include "linux/terminal.hpp"

namespace sctr::container {

namespace {

using plan::protocol::Kind;

/// By the host side, since sctr-init may be in a user namespace that must not lower it.
void set_oom_score(pid_t pid, const plan::ProcessStep& process) {
    if (!process.set_oom_score_adj) {
        return;
    }
    const std::string path = "/proc/" + std::to_string(pid) + "/oom_score_adj";
    const std::string text = std::to_string(process.oom_score_adj);
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    const bool is_set = file.valid() && ::write(file.get(), text.data(), text.size()) ==
                                            static_cast<ssize_t>(text.size());
    if (!is_set && !(process.is_rootless && errno == EACCES)) {
        throw Error("cannot set oom_score_adj").at(text).because(errno);
    }
}

UniqueFd open_null() {
    UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null.valid()) {
        throw Error("cannot open").at("/dev/null").because(errno);
    }
    return sys::raise_fd(std::move(null));
}

/// The tree of another container's /dev/shm, which sctr-init inherits; an invalid fd without one.
UniqueFd share_memory(plan::LaunchPlan& plan) {
    const auto step = std::ranges::find(plan.init.mounts, "/dev/shm", &plan::MountStep::target);
    if (plan.shared_memory_of == 0 || step == plan.init.mounts.end()) {
        return {};
    }
    UniqueFd tree = sys::raise_fd(clone_shared_memory(plan.shared_memory_of));
    step->tree_fd = tree.get();
    return tree;
}

/// Nothing where the output does not go to the journal.
std::unique_ptr<OutputLog>
open_output_log(const plan::LaunchPlan& plan, const plan::Request& request, std::int64_t now_usec) {
    return request.log == plan::LogTarget::journal
               ? std::make_unique<OutputLog>(request, plan.unit.name, now_usec)
               : nullptr;
}

/// By now that is opened which was named by their pids.
void require_joined(const plan::Request& request) {
    for (const plan::JoinedProcess& process : request.joined) {
        if (!is_alive(process.pid, process.start_time)) {
            throw Error("cannot join the namespaces of the other container")
                .because("it has ended");
        }
    }
}

InitProcess start_init(plan::LaunchPlan& plan,
                       const plan::Request& request,
                       const HostTrees& trees,
                       const LaunchOptions& options,
                       const OutputLog* output,
                       int cgroup) {
    const auto namespaces = open_namespaces(plan.init);
    const UniqueFd shared_memory = share_memory(plan);
    require_joined(request);
    const UniqueFd null = open_null();
    InitSpawn spawn;
    spawn.plan = plan::codec::encode(plan.init);
    spawn.clone_flags = plan.clone_flags;
    spawn.cgroup = cgroup;
    if (!options.interactive || plan.init.process.terminal) {
        spawn.standard[0] = null.get();
    }
    if (output != nullptr && !plan.init.process.terminal) {
        spawn.standard[1] = output->write_end(1);
        spawn.standard[2] = output->write_end(2);
    } else if (request.log == plan::LogTarget::none && !plan.init.process.terminal) {
        spawn.standard[1] = null.get();
        spawn.standard[2] = null.get();
    }
    spawn.inherited = options.inherited;
    for (const UniqueFd& fd : namespaces) {
        spawn.inherited.push_back(fd.get());
    }
    for (const int fd : {shared_memory.get(), trees.inherited()}) {
        if (fd >= 0) {
            spawn.inherited.push_back(fd);
        }
    }
    return InitProcess(spawn);
}

/// Lets sctr-init go on into its user and pid namespaces.
void let_in(InitProcess& process,
            const plan::LaunchPlan& plan,
            HostTrees& trees,
            const sys::SignalQueue& signals) {
    if (plan.init.wait_for_id_maps) {
        write_id_maps(process.child().pid(), plan.uid_map, plan.gid_map);
        process.send(Kind::id_maps_written);
    }
    if (plan.init.fork_after_join) {
        process.await_joined(signals);
    }
    trees.serve(plan.host_trees, process.child());
}

/// A plain user's systemd may move no process out of his login session: PID 1 does it, for
/// processes with the user's own uid. So what will have another one is moved first.
bool is_moved_first(const plan::LaunchPlan& plan) {
    return plan.init.wait_for_id_maps && !may_enter_own_scopes();
}

/// Waits until systemd has put the process into its scope, with the limits in force, and meanwhile
/// takes in what sctr-init reports.
void await_scope(systemd::Manager& manager, InitProcess& process, const sys::SignalQueue& signals) {
    for (;;) {
        manager.dispatch();
        if (const auto result = manager.job_result()) {
            if (result->failure) {
                process.receive(); // a process that died first says why
                throw explained(*result->failure);
            }
            return;
        }
        struct pollfd items[] = {{manager.fd(), manager.events(), 0},
                                 {process.control_fd(), POLLIN, 0},
                                 {signals.fd(), POLLIN, 0}};
        if (::poll(items, std::size(items), manager.timeout_ms()) < 0 && errno != EINTR) {
            throw Error("cannot wait for systemd").because(errno);
        }
        if (items[1].revents != 0 && !process.receive()) {
            throw Error("sctr-init ended while the container was being set up");
        }
        abort_if_asked(signals);
    }
}

/// Does what waits for the container's namespaces and must be done before pivot_root, in the order
/// of runtime.md, Lifecycle; by then the process is in its cgroup, which hooks may look for.
/// Returns the files that sctr-init needs for its own hooks.
std::vector<UniqueFd>
prepare(InitProcess& process, const plan::Request& request, const sys::SignalQueue& signals) {
    if (request.spec.linux.intel_rdt) {
        join_resctrl(*request.spec.linux.intel_rdt, request.id, process.child().pid());
    }
    move_net_devices(request.spec.linux.net_devices, process.child().pid());
    const oci::State state = hook_state(request, process.child().pid());
    if (request.spec.hooks == oci::Hooks{}) {
        return {};
    }
    HookOutput output = open_hook_output(request.spec);
    run_runtime_hooks(request.spec, state, output, signals);
    return files_for_init(request.spec, state, std::move(output));
}

/// Whoever was moved first has its namespaces only now.
void connect(InitProcess& process, const LaunchOptions& options, bool moved_first) {
    if (!options.begin_network) {
        return;
    }
    if (moved_first) {
        options.begin_network(process.child().pid());
    }
    options.finish_network();
}

/// Ends the scope of a start whose connection to systemd broke, so that nobody knows what came of
/// it: if it was made around a process that had just died, it stays for good. A scope with
/// processes in it is another container's, or ends with the one that has been killed.
void end_empty_scope(const std::string& unit) {
    try {
        // One that was silent until now is not waited for as long again.
        constexpr systemd::Deadlines brief{.method = std::chrono::seconds(1),
                                           .job = std::chrono::seconds(2)};
        systemd::Manager manager(systemd::own_instance(), brief);
        const auto status = manager.unit_status(unit);
        const auto events =
            status && !status->control_group.empty()
                ? sys::read_small_file("/sys/fs/cgroup" + status->control_group + "/cgroup.events")
                : std::nullopt;
        if (events && events->contains("populated 0")) {
            manager.begin_stop_of_scope(unit);
        }
    } catch (const Error&) {
        // systemd is gone; the caller sees the first error.
    }
}

/// Ends a scope whose start failed. It would end with the last process in it; but what was ending
/// when systemd moved it was never in it (nor need its pidfd say so yet), and then the scope would
/// stay for good.
void end_scope(systemd::Manager& manager, InitProcess& process, const std::string& unit) {
    try {
        manager.cancel_start();
        manager.wait_for_scope();
        process.child().signal(SIGKILL);
        manager.begin_stop_of_scope(unit);
    } catch (const Error&) {
        process.child().signal(SIGKILL);
        process.child().wait();
        end_empty_scope(unit);
    }
}

Record make_record(const plan::LaunchPlan& plan,
                   const plan::Request& request,
                   const LaunchOptions& options,
                   std::int64_t now_usec,
                   pid_t pid) {
    Record record;
    record.id = request.id;
    record.unit = plan.unit.name;
    record.cgroup = plan.cgroup.path;
    record.description = request.description;
    record.image = request.image;
    record.pid = pid;
    record.start_time = sys::process_start_time(pid).value_or(0);
    if (options.supervised) {
        record.supervisor_pid = ::getpid();
        record.supervisor_start = sys::process_start_time(::getpid()).value_or(0);
        record.service_unit = options.service_unit;
        record.started = true; // who reads it waits for the lock, which is held until it is true
    }
    record.boot_id = sys::boot_id();
    record.rootfs = plan.init.rootfs;
    record.owner = host::caller().uid;
    record.created_usec = now_usec;
    record.kept = !options.supervised;
    record.bundle = request.bundle;
    record.stop_signal = request.stop_signal;
    record.stop_timeout_usec = request.stop_timeout.count();
    return record;
}

/// Writes a file that the caller asked for, and takes it back if the start fails later.
void write_for_caller(const std::string& path, const std::string& text, int flags, UndoList& undo) {
    if (path.empty()) {
        return;
    }
    const UniqueFd file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NOCTTY | flags | O_CLOEXEC, 0644));
    if (file.valid()) {
        undo.add([path] { ::unlink(path.c_str()); });
    }
    if (!file.valid() ||
        ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw Error("cannot write the file").at(path).because(errno);
    }
}

/// Whatever is to be written, and what of others is to be swept.
void write_down(const Record& record,
                const plan::Request& request,
                const LaunchOptions& options,
                const LockedRecord& directory,
                UndoList& undo) {
    directory.save(record);
    directory.save_config(config_to_keep(request));
    write_for_caller(options.pid_file, std::to_string(record.pid), O_TRUNC, undo);
    write_for_caller(options.id_file, record.id, O_EXCL, undo);
    if (!options.state_root.empty()) {
        sweep(RecordStore(options.state_root));
    }
}

} // namespace

oci::Spec config_to_keep(const plan::Request& request) {
    oci::Spec config = request.spec;
    if (request.default_seccomp) {
        config.annotations[plan::default_seccomp_annotation] = "true";
    }
    return config;
}

std::vector<UniqueFd> open_namespaces(plan::InitPlan& plan) {
    std::vector<UniqueFd> opened;
    for (plan::NamespaceStep& step : plan.namespaces) {
        if (step.join_path.empty()) {
            continue;
        }
        UniqueFd fd(::open(step.join_path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd.valid()) {
            throw Error("cannot open the namespace").at(step.join_path).because(errno);
        }
        const int type = ::ioctl(fd.get(), NS_GET_NSTYPE);
        if (type < 0 || static_cast<std::uint64_t>(type) != step.clone_flag) {
            throw Error("cannot join the namespace")
                .at(step.join_path)
                .because("it is not a namespace of the type that is asked for");
        }
        opened.push_back(sys::raise_fd(std::move(fd)));
        step.join_fd = opened.back().get();
    }
    return opened;
}

host::Facts facts_for(const plan::Request& request) {
    return request.unenforced_limits ? facts_with_every_controller() : host::probe();
}

host::Facts facts_with_every_controller() {
    host::Facts facts = host::probe();
    facts.controllers = {"cpu", "cpuset", "io", "memory", "pids"};
    return facts;
}

Running launch(systemd::EarlyBus bus,
               plan::LaunchPlan plan,
               const plan::Request& request,
               const LaunchOptions& options,
               const LockedRecord& directory,
               const sys::SignalQueue& signals,
               UndoList& undo) {
    give_environment(plan.init);
    HostTrees trees(plan);
    // Fork first, then ask: while systemd moves a process into a cgroup, the kernel makes every
    // fork of the machine wait.
    const std::int64_t now = sys::now_usec();
    auto output = open_output_log(plan, request, now);
    UndoList nested_undo;
    const nested::Cgroup cgroup =
        plan.cgroup.path.empty() ? nested::Cgroup() : nested::make(plan.cgroup, nested_undo);
    InitProcess process =
        start_init(plan, request, trees, options, output.get(), cgroup.directory.get());
    set_oom_score(process.child().pid(), plan.init.process);
    const bool has_scope = !plan.unit.name.empty();
    const bool moved_first = has_scope && is_moved_first(plan);
    if (!moved_first) {
        let_in(process, plan, trees, signals);
    }
    std::optional<systemd::Manager> manager;
    UndoList scope;
    if (has_scope) {
        manager.emplace(std::move(bus));
        scope.add([&] { end_scope(*manager, process, plan.unit.name); });
        manager->start_scope(
            plan.unit,
            {.pidfd = process.child().pidfd(), .pid = process.child().pid(), .controller = true});
    }
    if (moved_first) {
        await_scope(*manager, process, signals);
        let_in(process, plan, trees, signals);
    }

    // While systemd works: whatever the host side has to write down.
    if (output) {
        output->started(process.child().pid());
    }
    Record record = make_record(plan, request, options, now, process.child().pid());
    record.cgroup_id = cgroup.id;
    if (is_notified(plan.init.process.seccomp)) {
        process.on_listener(listener_sender(request.spec, record, Status::created));
    }
    write_down(record, request, options, directory, undo);

    if (options.begin_network && !moved_first) {
        process.await_prepared(signals); // by then systemd is not nearly done
        options.begin_network(process.child().pid());
    }
    if (manager && !moved_first) {
        await_scope(*manager, process, signals);
    }
    if (manager && !options.supervised) {
        record.cgroup = sys::cgroup_of(record.pid);
    }
    if (manager || is_nested(record)) {
        if (const std::string subgroup = subgroups_of(request.spec).own; !subgroup.empty()) {
            enter_subgroup(record.pid, subgroup, host_root(request.spec));
        }
    }
    if (plan.init.hold_before_pivot) {
        process.await_prepared(signals);
    }
    connect(process, options, moved_first);
    process.send(Kind::go, prepare(process, request, signals));
    options.finish(process);
    if (!record.cgroup.empty()) {
        directory.save(record);
    }
    scope.dismiss();
    nested_undo.dismiss();
    return {std::move(process), std::move(manager), std::move(record), std::move(output)};
}

} // namespace sctr::container
