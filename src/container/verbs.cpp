// SPDX-License-Identifier: LGPL-2.1-or-later
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include "base/error.hpp"
#include "container/announce.hpp"
#include "container/clean_up.hpp"
#include "container/engine.hpp"
#include "container/nested_cgroup.hpp"
#include "linux/procfs.hpp"
#include "linux/syscalls.hpp"
#include "network/connection.hpp"
#include "plan/unit.hpp"
#include "systemd/manager.hpp"

namespace sctr::container {

namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// Init of a living container; an invalid fd when it has ended.
UniqueFd open_init(const Record& record) {
    UniqueFd pidfd(sys::pidfd_open(record.pid));
    // Asked after opening: the pid may have been taken over before.
    return current_status(record) == Status::stopped ? UniqueFd() : std::move(pidfd);
}

Error not_running(const std::string& id) {
    Error error("container not running");
    error.at(id).mend("see 'sctr ps -a'");
    return error;
}

bool wait_for_end(int pidfd, microseconds timeout) {
    const auto deadline = steady_clock::now() + timeout;
    struct pollfd item{pidfd, POLLIN, 0};
    for (;;) {
        const auto rest = std::max(milliseconds(0),
                                   std::chrono::ceil<milliseconds>(deadline - steady_clock::now()));
        const int result =
            ::poll(&item, 1, static_cast<int>(std::min<std::int64_t>(rest.count(), 1 << 30)));
        if (result > 0) {
            return true;
        }
        if (result == 0 || errno != EINTR) {
            return false;
        }
    }
}

void kill_now(const Record& record, int pidfd) {
    sys::pidfd_send_signal(pidfd, SIGKILL);
    constexpr microseconds patience = std::chrono::seconds(30);
    if (!wait_for_end(pidfd, patience)) {
        throw Error("the container does not end after SIGKILL")
            .at(record.id)
            .because("a process of it hangs in the kernel")
            .mend("systemctl status " + record.unit);
    }
}

/// True while there are processes in the scope of an engine's container.
bool is_populated(const Record& record) {
    const auto events =
        sys::read_small_file("/sys/fs/cgroup" + record.cgroup + "/cgroup.events").value_or("");
    return !record.cgroup.empty() && events.find("populated 1") != std::string::npos;
}

/// What cannot be removed now goes with the service.
void remove_nested(const Record& record) {
    try {
        nested::remove(record.cgroup, record.cgroup_id);
    } catch (const Error&) {
    }
}

/// Where a supervisor was killed nobody ends what shares another pid namespace and outlives init.
void end_rest(const Record& record) {
    if (record.exit_status || !has_own_cgroup(record)) {
        return;
    }
    if (is_nested(record)) {
        remove_nested(record);
        return;
    }
    try {
        systemd::Manager manager(systemd::own_instance());
        manager.kill_unit(record.unit, "all", SIGKILL);
        manager.stop_abandoned_scope(record.unit);
    } catch (const Error&) {
        // Whoever comes next finds the name in use, and is told what to do.
    }
}

void freeze(const Record& record) {
    if (is_nested(record)) {
        nested::freeze(record.cgroup);
    } else {
        systemd::Manager(systemd::own_instance()).freeze_unit(record.unit);
    }
}

void thaw(const Record& record) {
    if (is_nested(record)) {
        nested::thaw(record.cgroup);
    } else {
        systemd::Manager(systemd::own_instance()).thaw_unit(record.unit);
    }
}

/// For events, which are told of whatever was half written.
oci::Spec config_or_none(const RecordStore& store, const std::string& id) {
    try {
        return store.load_config(id);
    } catch (const Error&) {
        return {};
    }
}

/// Of a people's container whose supervisor was killed nobody else knows that it has ended; that
/// of an engine's is told by systemd.
void announce_removal(const Record& record, const oci::Spec& config) {
    if (record.kept || record.exit_status) {
        announce({Event::remove}, record, config);
    } else {
        announce({Event::die, Event::remove}, record, config);
    }
}

void forget(const RecordStore& store,
            const Record& record,
            const LockedRecord& directory,
            const Warn& warn) {
    const oci::Spec config = config_or_none(store, record.id);
    directory.remove();
    announce_removal(record, config);
    clean_up(record, config, warn);
}

/// Without the lock, which a start that hangs holds: in the container's own hook or command, that
/// ends with init.
void kill_unlocked(const RecordStore& store, const std::string& id) {
    Record record;
    try {
        record = store.load(id);
        if (!has_own_cgroup(record)) {
            kill_all(store, id, SIGKILL); // nobody could say later which processes were its own
        }
    } catch (const Error&) {
        return; // there is none, or it has ended meanwhile
    }
    if (const UniqueFd pidfd = open_init(record); pidfd.valid()) {
        kill_now(record, pidfd.get());
    }
}

/// The lock, or after a while the container without it: whoever still holds it waits for something
/// on the host, such as a hook, and finds the container gone when that ends.
LockedRecord lock_or_take(const RecordStore& store, const std::string& id) {
    constexpr auto patience = std::chrono::seconds(2);
    constexpr auto pause = milliseconds(5);
    LockedRecord record = store.open(id);
    for (const auto end = steady_clock::now() + patience; steady_clock::now() < end;
         std::this_thread::sleep_for(pause)) {
        if (record.try_lock()) {
            break;
        }
    }
    if (!record.is_current()) {
        throw Error("container does not exist").at(id);
    }
    return record;
}

} // namespace

void kill(const RecordStore& store, const std::string& id, int signal, bool all) {
    const Record record = store.load(id);
    const UniqueFd pidfd = open_init(record);
    if (!pidfd.valid()) {
        throw not_running(id);
    }
    if (all && !record.unit.empty()) {
        systemd::Manager(systemd::own_instance()).kill_unit(record.unit, "all", signal);
    } else if (all) {
        kill_all(store, id, signal);
    } else if (sys::pidfd_send_signal(pidfd.get(), signal) < 0) {
        throw errno == ESRCH ? not_running(id)
                             : Error("cannot send the signal").at(id).because(errno);
    }
}

void stop(const RecordStore& store,
          const std::string& id,
          std::optional<std::int64_t> timeout_usec) {
    const Record record = store.load(id);
    const oci::Spec config = config_or_none(store, id);
    const UniqueFd pidfd = open_init(record);
    if (!pidfd.valid()) {
        return;
    }
    if (current_status(record) == Status::paused) {
        // A frozen process takes no signal but SIGKILL.
        unpause(store, id);
    }
    sys::pidfd_send_signal(pidfd.get(), record.stop_signal);
    if (!wait_for_end(pidfd.get(), microseconds(timeout_usec.value_or(record.stop_timeout_usec)))) {
        kill_now(record, pidfd.get());
    }
    announce({Event::stop}, record, config);
    wait_for_supervisor(record);
}

void pause(const RecordStore& store, const std::string& id) {
    const LockedRecord locked = store.lock(id);
    const Record record = store.load(id);
    require_own_cgroup(record, "pause");
    if (current_status(record) != Status::running) {
        throw Error("cannot pause the container")
            .at(id)
            .because(std::string("it is ") + to_string(current_status(record)));
    }
    try {
        freeze(record);
    } catch (const Error&) {
        // A freeze that failed half-way must not leave processes frozen.
        try {
            thaw(record);
        } catch (const Error&) {
        }
        throw;
    }
    announce({Event::pause}, record, config_or_none(store, id));
}

void unpause(const RecordStore& store, const std::string& id) {
    const LockedRecord locked = store.lock(id);
    const Record record = store.load(id);
    if (current_status(record) != Status::paused) {
        throw Error("cannot unpause the container")
            .at(id)
            .because(std::string("it is ") + to_string(current_status(record)));
    }
    thaw(record);
    announce({Event::unpause}, record, config_or_none(store, id));
}

void sweep(const RecordStore& store) {
    store.sweep([&](const Record& record) {
        end_rest(record);
        if (record.created_usec != 0) { // else it never was
            announce_removal(record, config_or_none(store, record.id));
        }
    });
    if (store.root() == RecordStore::default_root()) { // engines have networks of their own
        network::sweep();
    }
}

void kill_all(const RecordStore& store, const std::string& id, int signal) {
    const Record record = store.load(id);
    if (!record.unit.empty()) {
        if (is_populated(record)) {
            systemd::Manager(systemd::own_instance()).kill_unit(record.unit, "all", signal);
        }
    } else if (current_status(record) != Status::stopped) {
        for (const pid_t pid : processes(store, id)) {
            ::kill(pid, signal);
        }
    }
}

void remove_engine(const RecordStore& store, const std::string& id, bool force, const Warn& warn) {
    if (force) {
        kill_unlocked(store, id);
    }
    std::optional<LockedRecord> locked;
    try {
        locked.emplace(force ? lock_or_take(store, id) : store.lock(id));
    } catch (const Error&) {
        if (force) {
            return;
        }
        throw;
    }
    Record record;
    try {
        record = store.load(id);
    } catch (const Error&) {
        locked->remove(); // killed before the record was written
        return;
    }
    if (const UniqueFd pidfd = open_init(record); pidfd.valid()) {
        if (!force) {
            throw Error("cannot delete the container")
                .at(id)
                .because(std::string("it is ") + to_string(current_status(record)) +
                         " and not stopped")
                .mend("kill it first, or give --force");
        }
        kill_now(record, pidfd.get());
    }
    if (is_nested(record)) {
        remove_nested(record);
    } else if (is_populated(record)) {
        systemd::Manager(systemd::own_instance()).kill_unit(record.unit, "all", SIGKILL);
    }
    forget(store, record, *locked, warn);
}

bool end_scope_without_record(const RecordStore& store, const std::string& id) {
    const auto records = store.list();
    return std::ranges::find(records, id, &Record::id) == records.end() &&
           systemd::Manager(systemd::own_instance()).stop_abandoned_scope(plan::scope_name(id));
}

void remove(const RecordStore& store, const std::string& id, bool force, const Warn& warn) {
    if (force && end_scope_without_record(store, id)) {
        return;
    }
    const Record record = store.load(id);
    if (const UniqueFd pidfd = open_init(record); pidfd.valid()) {
        if (!force) {
            throw Error("cannot remove the container")
                .at(id)
                .because(std::string("it is ") + to_string(current_status(record)))
                .mend("stop it first, or use 'sctr rm -f " + id + "'");
        }
        kill_now(record, pidfd.get());
        wait_for_supervisor(record);
    }
    std::optional<LockedRecord> locked;
    try {
        locked.emplace(store.lock(id));
    } catch (const Error&) {
        return; // its supervisor has removed it already
    }
    // The name may be another container's by now.
    const Record current = store.load(id);
    if (current.pid == record.pid && current.start_time == record.start_time) {
        end_rest(current);
        forget(store, current, *locked, warn);
    }
}

} // namespace sctr::container
