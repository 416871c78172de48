// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/scope_exit.hpp"
#include "container/clean_up.hpp"
#include "container/engine.hpp"
#include "container/hooks.hpp"
#include "container/launch.hpp"
#include "container/notify.hpp"
#include "container/seccomp_cache.hpp"
#include "container/subgroup.hpp"
#include "container/supervise.hpp"
#include "host/facts.hpp"
#include "linux/procfs.hpp"
#include "linux/terminal.hpp"
#include "plan/launch_plan.hpp"

namespace sctr::container {

namespace {

void check_rootfs(const std::string& path) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) {
        throw Error("cannot use the rootfs").at(path).because(errno).mend("give --rootfs DIR");
    }
    if (!S_ISDIR(info.st_mode)) {
        throw Error("cannot use the rootfs").at(path).because(ENOTDIR);
    }
}

void size_terminal(plan::Request& request) {
    auto& process = request.spec.process;
    if (!process || !process->terminal || process->console_size) {
        return;
    }
    const sys::TerminalSize size = sys::terminal_size(STDIN_FILENO);
    if (size.rows != 0) {
        process->console_size = oci::Box{.height = size.rows, .width = size.columns};
    }
}

std::string memory_events(const Record& record) {
    const std::string cgroup = has_own_cgroup(record) ? sys::cgroup_of(record.pid) : "";
    return cgroup.empty() ? "" : "/sys/fs/cgroup" + cgroup + "/memory.events";
}

/// Without a pid namespace of its own the end of init leaves its children running.
bool may_outlive_init(const plan::LaunchPlan& plan) {
    return (plan.clone_flags & CLONE_NEWPID) == 0 && plan.init.fork_flags == 0;
}

/// What shares the pid namespace of others does not end with init.
void end_rest(Running& running) {
    if (!running.manager) {
        return;
    }
    try {
        running.manager->kill_unit(running.record.unit, "all", SIGKILL);
    } catch (const Error&) {
        // The command's exit status is known, and the caller's due.
    }
}

void keep_or_forget(const LockedRecord& directory,
                    Record record,
                    const Outcome& outcome,
                    bool remove) {
    directory.lock();
    if (remove) {
        directory.remove();
        return;
    }
    record.exit_status = outcome.exit_status;
    record.oom_killed = outcome.oom_killed;
    directory.save(record);
}

RunOutcome to_run_outcome(const Outcome& outcome) {
    return {.exit_status = outcome.exit_status,
            .oom_killed = outcome.oom_killed,
            .stopped = outcome.stopped};
}

Outcome run_locked(systemd::EarlyBus bus,
                   plan::LaunchPlan plan,
                   const plan::Request& request,
                   const RunOptions& options,
                   const LockedRecord& directory) {
    const sys::SignalQueue signals;
    UndoList undo;
    undo.add([&] { clean_up(request.spec, hook_state(request, 0), options.warn); });
    undo.add([&] { directory.remove(); });
    const bool stop_rest = may_outlive_init(plan);
    if (!options.notify_socket.empty()) {
        notify::make_directory(directory.directory(), options.notify_socket);
    }
    notify::Proxy readiness(directory.directory());
    // Never destroyed: the bus learns that we are gone from the end of the process, which is near
    // when the container has ended, and needs no farewell that the caller would wait for.
    const LaunchOptions launching{
        .interactive = options.interactive,
        .pid_file = options.pid_file,
        .id_file = options.id_file,
        .state_root = options.state_root,
        .finish = [&](InitProcess& process) {
            process.send(plan::protocol::Kind::start);
            process.await_execution(signals);
            run_poststart_hooks(request.spec, hook_state(request, process.child().pid()), signals);
        }};
    Running& running = *new Running(
        launch(std::move(bus), std::move(plan), request, launching, directory, signals, undo));
    directory.unlock();
    const Supervision supervision{.interactive = options.interactive,
                                  .stop_signal = request.stop_signal,
                                  .manager = running.manager ? &*running.manager : nullptr,
                                  .memory_events = memory_events(running.record),
                                  .readiness = &readiness,
                                  .service = options.service,
                                  .notifies = !options.notify_socket.empty(),
                                  .unit = running.record.unit,
                                  .directory = directory.directory(),
                                  .stop_timeout = request.stop_timeout};
    const Outcome outcome = supervise(running.process, signals, supervision);
    if (stop_rest) {
        end_rest(running);
    }
    undo.dismiss();
    if (options.ended) {
        options.ended(to_run_outcome(outcome));
    }
    keep_or_forget(directory, running.record, outcome, options.remove);
    if (options.remove) {
        clean_up(request.spec, hook_state(request, 0), options.warn);
    }
    if (!options.pid_file.empty()) {
        ::unlink(options.pid_file.c_str());
    }
    return outcome;
}

} // namespace

RunOutcome run(plan::Request request, const RunOptions& options) {
    check_rootfs(request.spec.root.path);
    if (!subgroups_of(request.spec).delegated.empty()) {
        throw Error("cannot delegate a cgroup in the foreground")
            .at("annotation run.oci.delegate-cgroup")
            .mend("give --detach, or create and start");
    }
    size_terminal(request);
    // Nobody else looks after a container in the foreground.
    request.die_with_supervisor = true;
    systemd::EarlyBus bus(systemd::own_instance());
    const RecordStore store(options.state_root);
    plan::LaunchPlan plan = plan::make(request, facts_for(request), SeccompCache(store));
    const LockedRecord directory = store.create(request.id);
    try {
        const Outcome outcome =
            run_locked(std::move(bus), std::move(plan), request, options, directory);
        return to_run_outcome(outcome);
    } catch (const Interrupted& interrupted) {
        return {.exit_status = 128 + interrupted.signal, .stopped = true};
    }
}

std::string dry_run(const plan::Request& request) {
    return plan::describe(plan::make(request, host::probe()));
}

} // namespace sctr::container
