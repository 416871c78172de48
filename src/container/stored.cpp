// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/stored.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "base/strings.hpp"
#include "container/service_job.hpp"
#include "container/service_runs.hpp"
#include "container/supervise.hpp"
#include "container/unit_files.hpp"
#include "linux/durable_file.hpp"
#include "linux/procfs.hpp"
#include "linux/syscalls.hpp"

namespace sctr::container {

namespace {

using plan::service_name;

bool is_enabled(const systemd::ServiceStatus& status) {
    return status.unit_file_state.starts_with("enabled");
}

/// How a container went that has ended. Where its supervisor was killed, its service has that
/// written down (ExecStopPost=), which is waited for, and systemd asked: a subscription to its
/// signals would have it tell everybody of every unit.
std::optional<LastRun> settled_run(const std::function<std::optional<LastRun>()>& load,
                                   const std::string& unit) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    std::optional<systemd::Services> services;
    bool ends = true;
    for (;;) {
        auto run = load();
        if (!run || run->finished_usec != 0 || run->boot_id != sys::boot_id() || unit.empty() ||
            !ends || std::chrono::steady_clock::now() >= deadline) {
            return run;
        }
        if (!services) {
            services.emplace(systemd::own_instance());
        } else {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        const std::string state = services->status(unit).active_state;
        ends = state == "active" || state == "deactivating";
    }
}

} // namespace

Stored Stored::own() {
    return {DefinitionStore(DefinitionStore::default_root(), remove_unit_files),
            RecordStore(RecordStore::default_root()),
            systemd::own_instance()};
}

systemd::Services& Stored::services() {
    if (!services_) {
        services_.emplace(instance_);
    }
    return *services_;
}

systemd::ServiceStatus Stored::status(const std::string& name) {
    return services().status(service_name(name));
}

void Stored::add(const Definition& definition, const plan::ServiceOptions& options) {
    const std::string& name = definition.name;
    bool changed = false;
    definitions_.add(definition,
                     [&] { changed = write_drop_in(name, plan::service_drop_in(options)); });
    UndoList undo;
    undo.add([&] { definitions_.remove(name); });
    if (changed) {
        services().reload();
    }
    undo.dismiss();
}

void Stored::recover() {
    if (definitions_.recover()) {
        services().reload();
    }
}

void Stored::require(const std::string& name) const {
    if (!has(name)) {
        static_cast<void>(definitions_.load(name)); // throws what says so
    }
}

bool Stored::is_running(const std::string& name) const {
    return records_.has(name) && current_status(records_.load(name)) != Status::stopped;
}

void Stored::start(const std::string& name) {
    require(name);
    start(name, service_name(name));
}

void Stored::start(const std::string& name, const std::string& unit) {
    services().keep(unit);
    services().reset_failed(unit); // the restarts that it may have are counted from here on
    // Where it has ended and systemd is about to know, a start would have nothing to do.
    const bool has_ended = !is_running(name) && services().status(unit).active_state == "active";
    run_service_job(services(),
                    name,
                    unit,
                    "cannot start the container",
                    has_ended ? &systemd::Services::restart : &systemd::Services::start);
}

void Stored::restart(const std::string& name) {
    require(name);
    restart(name, service_name(name));
}

void Stored::restart(const std::string& name, const std::string& unit) {
    services().keep(unit);
    services().reset_failed(unit); // as start
    run_service_job(
        services(), name, unit, "cannot restart the container", &systemd::Services::restart);
}

void Stored::stop(const std::string& name, std::optional<std::chrono::microseconds> timeout) {
    require(name);
    stop(name, service_name(name), timeout);
}

void Stored::stop(const std::string& name,
                  const std::string& unit,
                  std::optional<std::chrono::microseconds> timeout) {
    if (timeout && records_.has(name)) {
        set_stop_timeout(name, *timeout);
    }
    // Not kept: one that runs while its file is gone could not be.
    run_service_job(services(), name, unit, "cannot stop the container", &systemd::Services::stop);
}

void Stored::set_stop_timeout(const std::string& name, std::chrono::microseconds timeout) {
    try {
        sys::replace_file(records_.root() + "/" + name + "/" + stop_timeout_file,
                          std::to_string(timeout.count()),
                          0600,
                          sys::Durability::memory,
                          "cannot set the timeout of the stop");
    } catch (const Error&) {
        if (timeout.count() > 0) {
            throw;
        }
        kill(records_, name, SIGKILL, false); // a full disk must keep nobody from this
    }
}

void Stored::enable(const std::string& name) {
    const UniqueFd locked = definitions_.lock(name);
    services().enable(service_name(name));
    sync_boot_links();
    services().reload();
}

void Stored::disable(const std::string& name) {
    const UniqueFd locked = definitions_.lock(name);
    services().disable(service_name(name));
    sync_boot_links();
    services().reload();
}

systemd::ServiceStatus Stored::status_at_rest(const std::string& name) {
    systemd::ServiceStatus found = status(name);
    // Where it is to be started again, this would keep it from that.
    if (found.active_state == "deactivating" && found.restart == "no") {
        services().stop(service_name(name)); // it has ended, and systemd is about to know
        found = status(name);
    }
    return found;
}

void Stored::remove(const std::string& name, bool force) {
    const UniqueFd locked = definitions_.lock(name);
    const systemd::ServiceStatus before = status_at_rest(name);
    if (is_active(before)) {
        if (!force) {
            throw Error("cannot remove the container")
                .at(name)
                .because("its service is " + before.active_state)
                .mend("stop it first, or use 'sctr rm -f " + name + "'");
        }
        stop(name, std::chrono::microseconds(0));
    }
    if (definitions_.remove(name)) {
        services().reload();
    }
    services().reset_failed(service_name(name));
}

void Stored::rename(const std::string& name, const std::string& new_name) {
    const UniqueFd locked = definitions_.lock(name);
    const systemd::ServiceStatus before = status_at_rest(name);
    if (is_active(before)) {
        throw Error("cannot rename the container")
            .at(name)
            .because("its service is " + before.active_state + ", and a unit keeps its name")
            .mend("stop it first");
    }
    Definition definition = definitions_.load(name);
    definition.name = new_name;
    std::erase(definition.flags, "--name=" + name); // of the last time
    definition.flags.push_back("--name=" + new_name);
    definitions_.copy(name, definition, [&] { write_drop_in(new_name, read_drop_in(name)); });
    UndoList undo;
    undo.add([&] { definitions_.remove(new_name); });
    if (is_enabled(before)) {
        services().enable(service_name(new_name));
        sync_boot_links();
    }
    undo.dismiss();
    definitions_.remove(name);
    services().reset_failed(service_name(name));
    services().reload();
}

void Stored::replace(const Definition& definition, const plan::ServiceOptions& options) {
    const UniqueFd locked = definitions_.lock(definition.name);
    const std::string text = plan::service_drop_in(options);
    const std::string old = read_drop_in(definition.name);
    UndoList undo;
    if (text != old) {
        write_drop_in(definition.name, text);
        undo.add([&] { write_drop_in(definition.name, old); });
    }
    definitions_.replace(definition);
    undo.dismiss();
    if (text != old) {
        services().reload();
    }
}

void Stored::ended(const std::string& name,
                   const std::string& exit_code,
                   const std::string& exit_status) {
    sweep(records_);
    if (!has(name)) {
        recover(); // removed while it ran, or half removed when the host went down
        return;
    }
    if (auto run = definitions_.last_run(name); run && run->finished_usec == 0) {
        try {
            definitions_.save(name, ended_by(*run, exit_code, exit_status));
        } catch (const Error&) {
            // Then nothing is known of this run, which is no failure of the service.
        }
    }
    if (definitions_.load(name).forget) {
        // systemd must not read its units again before it has forgotten this one (CollectMode=).
        definitions_.remove(name);
    }
}

int wait_for_exit(const DefinitionStore& definitions,
                  const RecordStore& records,
                  const std::string& name) {
    const bool stored = definitions.has(name);
    const ServiceRuns runs(records.root());
    const bool known = stored || runs.load(name);
    std::string unit = stored ? service_name(name) : "";
    if (records.has(name) || !known) {
        const Record record = records.load(name);
        const UniqueFd pidfd(sys::pidfd_open(record.pid));
        if (pidfd.valid() && is_alive(record.pid, record.start_time)) {
            struct pollfd item{pidfd.get(), POLLIN, 0};
            while (::poll(&item, 1, -1) < 0 && errno == EINTR) {
            }
        }
        wait_for_supervisor(record);
        unit = record.service_unit;
    }
    if (known || runs.load(name)) {
        const auto run = settled_run(
            [&] { return stored ? definitions.last_run(name) : runs.load(name); }, unit);
        if (run && run->exit_status) {
            return *run->exit_status;
        }
        throw Error("no exit status is known")
            .at(name)
            .because(run ? "the host went down while it ran, or its disk was full"
                         : "it has never run");
    }
    if (records.has(name)) {
        if (const auto status = records.load(name).exit_status) {
            return *status;
        }
    }
    throw Error("no exit status is known")
        .at(name)
        .because("it was removed when it ended, and only its caller was told")
        .mend("run it with --rm=false, or with -d");
}

} // namespace sctr::container
