// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "container/announce.hpp"
#include "container/clean_up.hpp"
#include "container/console.hpp"
#include "container/engine.hpp"
#include "container/hooks.hpp"
#include "container/launch.hpp"
#include "container/notify.hpp"
#include "container/seccomp_cache.hpp"
#include "container/seccomp_listener.hpp"
#include "container/subgroup.hpp"
#include "host/facts.hpp"
#include "linux/syscalls.hpp"
#include "linux/unix_socket.hpp"
#include "plan/launch_plan.hpp"

namespace sctr::container {

namespace {

using plan::protocol::Kind;

constexpr const char* start_socket = "start";

/// When its cgroup namespace is made and its command does not run yet.
void delegate_cgroup(const plan::Request& request, pid_t pid) {
    const std::string subgroup = subgroups_of(request.spec).delegated;
    if (request.has_scope && !subgroup.empty()) {
        enter_subgroup(pid, subgroup, host_root(request.spec));
    }
}

void create_locked(systemd::EarlyBus bus,
                   plan::LaunchPlan plan,
                   const plan::Request& request,
                   const CreateOptions& options,
                   const LockedRecord& directory,
                   const sys::SignalQueue& signals) {
    UndoList undo;
    undo.add([&] { clean_up(request.spec, hook_state(request, 0), options.warn); });
    undo.add([&] { directory.remove(); });
    if (!options.notify_socket.empty()) {
        notify::make_directory(directory.directory(), options.notify_socket);
    }
    const UniqueFd listener = sys::raise_fd(sys::listen_in(directory.directory(), start_socket));
    LaunchOptions launching{.interactive = true,
                            .supervised = false,
                            .pid_file = options.pid_file,
                            .inherited = {listener.get()},
                            .finish = [&](InitProcess& process) {
                                process.await_created(signals);
                                delegate_cgroup(request, process.child().pid());
                                hand_over(process, options);
                            }};
    plan.init.start_socket = listener.get();
    plan.init.process.preserved_fds = options.preserved_fds;
    launching.inherited.insert(
        launching.inherited.end(), options.preserved_fds.begin(), options.preserved_fds.end());
    Running created =
        launch(std::move(bus), std::move(plan), request, launching, directory, signals, undo);
    created.process.child().release();
    undo.dismiss();
    announce({Event::create}, created.record, request.spec, {.log = "engine"});
}

} // namespace

void create(const plan::Request& request, const CreateOptions& options) {
    check_console(request.spec.process, options.console_socket);
    systemd::EarlyBus bus(systemd::own_instance());
    const RecordStore store(options.state_root);
    plan::LaunchPlan plan = plan::make(request, facts_for(request), SeccompCache(store));
    const sys::SignalQueue signals;
    const LockedRecord directory = store.create(request.id);
    create_locked(std::move(bus), std::move(plan), request, options, directory, signals);
}

void start(const RecordStore& store, const std::string& id) {
    const LockedRecord directory = store.lock(id);
    Record record = store.load(id);
    const oci::Spec config = store.load_config(id);
    if (const Status status = current_status(record); status != Status::created) {
        throw Error("cannot start the container")
            .at(id)
            .because(std::string("it is ") + to_string(status) + " and not created");
    }
    const UniqueFd init(sys::pidfd_open(record.pid));
    const sys::SignalQueue signals;
    notify::Proxy readiness(directory.directory());
    Control control(sys::connect_in(directory.directory(), start_socket));
    // Once it is asked for, the command runs whatever becomes of us, and nobody else would say so.
    record.started = true;
    directory.save(record);
    control.send(Kind::start);
    ::unlinkat(AT_FDCWD, (directory.directory() + "/" + start_socket).c_str(), 0);
    const auto take_listener = listener_sender(config, record, Status::created);
    bool executing = false;
    while (!control.is_closed()) {
        await_packet(control.fd(), signals, executing);
        const auto packet = control.receive();
        executing = executing || (packet && packet->message.kind == Kind::executing);
        if (packet && packet->message.kind == Kind::seccomp_listener) {
            take_listener(packet->fd.get(), record.pid);
            control.send(Kind::listener_taken);
        }
    }
    if (!executing) {
        throw Error("cannot start the container").at(id).because("sctr-init was killed");
    }
    try {
        announce({Event::start}, record, config);
        oci::State state = hook_state(record, config);
        state.pid = record.pid; // a short command may have ended, and the hook is about its start
        run_poststart_hooks(config, std::move(state), signals);
    } catch (...) {
        sys::pidfd_send_signal(init.get(), SIGKILL);
        throw;
    }
    directory.unlock();
    readiness.forward_until_ready(record.pid, init.get(), signals);
}

} // namespace sctr::container
