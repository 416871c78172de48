// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/scope_exit.hpp"
#include "container/announce.hpp"
#include "container/clean_up.hpp"
#include "container/engine.hpp"
#include "container/health_watch.hpp"
#include "container/hooks.hpp"
#include "container/launch.hpp"
#include "container/notify.hpp"
#include "container/seccomp_cache.hpp"
#include "container/subgroup.hpp"
#include "container/supervise.hpp"
#include "host/facts.hpp"
#include "linux/clock.hpp"
#include "linux/procfs.hpp"
#include "linux/terminal.hpp"
#include "network/connection.hpp"
#include "plan/launch_plan.hpp"
#include "plan/machine.hpp"

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

/// Never waits: what people's tools show of a container must not delay it.
void register_machine(Running& running, const RunOptions& options) {
    const Record& record = running.record;
    const auto note = [&options](const Error& error) {
        if (options.note) {
            options.note(error);
        }
    };
    if (!options.machine || !running.manager) {
        return;
    }
    if (!plan::is_machine_name(record.id)) {
        // Under another name nobody would look for it, and two could get the same one.
        note(Error("the container is not registered with systemd-machined")
                 .at(record.id)
                 .because("machine names are host names: 64 characters at most, labels between "
                          "dots that begin and end with a letter, a digit or '_'"));
        return;
    }
    try {
        running.manager->register_machine(
            {.name = record.id, .leader = record.pid, .root = record.rootfs}, note);
    } catch (const Error& error) {
        note(error);
    }
}

void unregister_machine(Running& running) {
    if (!running.manager) {
        return;
    }
    try {
        running.manager->unregister_machine();
    } catch (const Error&) {
        // The connection is gone; machined sees the end of the container by itself.
    }
}

void keep_or_forget(const LockedRecord& directory,
                    Record record,
                    const Outcome& outcome,
                    const RunOptions& options) {
    directory.lock();
    if (options.remove) {
        directory.remove();
        return;
    }
    record.exit_status = outcome.exit_status;
    record.oom_killed = outcome.oom_killed;
    record.finished_usec = sys::now_usec();
    try {
        directory.save(record);
    } catch (const Error& error) {
        if (options.warn) {
            options.warn(error); // and the command's exit status is the caller's due
        }
    }
}

void announce_end(const Record& record,
                  const oci::Spec& config,
                  const Outcome& outcome,
                  bool removed) {
    const EventDetails details{.exit_status = outcome.exit_status};
    if (removed) {
        announce({Event::die, Event::remove}, record, config, details);
    } else {
        announce({Event::die}, record, config, details);
    }
}

RunOutcome to_run_outcome(const Outcome& outcome) {
    return {.exit_status = outcome.exit_status,
            .oom_killed = outcome.oom_killed,
            .stopped = outcome.stopped,
            .unhealthy = outcome.unhealthy};
}

void announce_start(const Running& running, const plan::Request& request) {
    announce({Event::create, Event::start},
             running.record,
             request.spec,
             {.log = running.output ? "journal" : "caller"});
}

std::function<void(const HealthState&)> health_announcer(const Record& record,
                                                         const plan::Request& request) {
    return [&record, &request](const HealthState& state) {
        announce({Event::health_status}, record, request.spec, {.health = to_string(state.health)});
    };
}

/// With the variables of secrets: in memory, as everything of them.
oci::Spec config_of_health(const plan::Request& request) {
    oci::Spec config = config_to_keep(request);
    auto& environment = config.process->env;
    environment.insert(
        environment.end(), request.secret_variables.begin(), request.secret_variables.end());
    return config;
}

network::Who who(const plan::Request& request, const LockedRecord& directory) {
    return {.container = request.id,
            .hostname = request.spec.hostname,
            .directory = directory.directory()};
}

std::function<void(pid_t)> begin_of(network::Connection& connection, const plan::Request& request) {
    if (!request.network.is_attached()) {
        return {};
    }
    return [&connection](pid_t pid) { connection.begin(pid); };
}

void disconnect(network::Connection& connection, const RunOptions& options) {
    try {
        connection.end();
    } catch (const Error& error) {
        if (options.warn) {
            options.warn(error); // and the command's exit status is the caller's due
        }
    }
}

/// Of a list with -1 for those that are not there.
std::vector<int> open_ones(std::vector<int> fds) {
    std::erase(fds, -1);
    return fds;
}

void remove_rest(const plan::Request& request, const RunOptions& options) {
    if (options.remove) {
        clean_up(request.spec, hook_state(request, 0), options.warn);
    }
    if (!options.pid_file.empty()) {
        ::unlink(options.pid_file.c_str());
    }
}

Outcome run_locked(systemd::EarlyBus bus,
                   plan::LaunchPlan plan,
                   const plan::Request& request,
                   const RunOptions& options,
                   const LockedRecord& directory,
                   const sys::SignalQueue& signals) {
    UndoList undo;
    undo.add([&] { clean_up(request.spec, hook_state(request, 0), options.warn); });
    undo.add([&] { directory.remove(); });
    const UniqueFd held = directory.hold();
    network::Connection connection(request.network, who(request, directory));
    const bool stop_rest = may_outlive_init(plan);
    if (!options.notify_socket.empty()) {
        notify::make_directory(directory.directory(), options.notify_socket);
    }
    notify::Proxy readiness(directory.directory());
    plan.init.process.preserved_fds = options.preserved_fds;
    const LaunchOptions launching{
        .interactive = options.interactive,
        .pid_file = options.pid_file,
        .id_file = options.id_file,
        .state_root = options.state_root,
        .inherited = open_ones(options.preserved_fds),
        .service_unit = options.service_unit,
        .begin_network = begin_of(connection, request),
        .finish_network = [&connection] { connection.finish(); },
        .finish =
            [&](InitProcess& process) {
                process.send(plan::protocol::Kind::start);
                process.await_execution(signals);
                run_poststart_hooks(
                    request.spec, hook_state(request, process.child().pid()), signals);
            }};
    // Never destroyed: the bus learns that we are gone from the end of the process, which is near
    // when the container has ended, and needs no farewell that the caller would wait for.
    Running& running = *new Running(
        launch(std::move(bus), std::move(plan), request, launching, directory, signals, undo));
    directory.unlock();
    const Record& record = running.record;
    announce_start(running, request);
    register_machine(running, options);
    connection.follow_host();
    std::optional<HealthWatch> health;
    if (request.health) {
        health.emplace(*request.health, record, config_of_health(request), directory.directory());
    }
    const Supervision supervision{
        .interactive = options.interactive,
        .stop_signal = request.stop_signal,
        .manager = running.manager ? &*running.manager : nullptr,
        .memory_events = memory_events(record),
        .readiness = &readiness,
        .on_oom_kill = [&] { announce({Event::oom}, record, request.spec); },
        .output = running.output.get(),
        .service = options.service,
        .notifies = !options.notify_socket.empty(),
        .unit = record.unit,
        .service_unit = options.service_unit,
        .directory = directory.directory(),
        .stop_timeout = request.stop_timeout,
        .health = health ? &*health : nullptr,
        .ready_when_healthy = options.ready_when_healthy,
        .network = &connection,
        .warn = options.warn,
        .on_directory_change = [&connection] { connection.follow_host(); },
        .on_health = health_announcer(record, request)};
    const Outcome outcome = supervise(running.process, signals, supervision);
    health.reset();
    unregister_machine(running);
    if (stop_rest) {
        end_rest(running);
    }
    disconnect(connection, options);
    undo.dismiss();
    if (options.ended) {
        options.ended(to_run_outcome(outcome));
    }
    running.output.reset(); // the rest is never destroyed
    keep_or_forget(directory, record, outcome, options);
    announce_end(record, request.spec, outcome, options.remove);
    remove_rest(request, options);
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
    // Before there is a record: from here on a signal ends nothing half done.
    const sys::SignalQueue signals;
    const LockedRecord directory = store.create(request.id);
    try {
        const Outcome outcome =
            run_locked(std::move(bus), std::move(plan), request, options, directory, signals);
        return to_run_outcome(outcome);
    } catch (const Interrupted& interrupted) {
        return {.exit_status = 128 + interrupted.signal, .stopped = true};
    }
}

std::string dry_run(const plan::Request& request) {
    return plan::describe(plan::make(request, host::probe()));
}

} // namespace sctr::container
