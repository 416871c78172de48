// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/health_verbs.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "container/announce.hpp"
#include "container/engine.hpp"
#include "container/health_watch.hpp"
#include "linux/syscalls.hpp"

namespace sctr::container {

namespace {

HealthState require_health(const std::string& directory, const std::string& id) {
    auto state = load_health(directory);
    if (!state) {
        throw Error("the container has no health check")
            .at(id)
            .mend("run it with --health-cmd COMMAND");
    }
    return std::move(*state);
}

/// Becomes readable with each change in a directory.
UniqueFd watch_directory(const std::string& directory) {
    UniqueFd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!changes.valid() ||
        ::inotify_add_watch(changes.get(), directory.c_str(), IN_MOVED_TO | IN_ONLYDIR) < 0) {
        throw Error("cannot watch the container").at(directory).because(errno);
    }
    return changes;
}

} // namespace

HealthState check_health(const RecordStore& store, const Record& record, const oci::Spec& config) {
    const std::string directory = store.root() + "/" + record.id;
    const HealthState known = require_health(directory, record.id);
    HealthResult result = HealthRun(due_check(known), record, config).wait();
    auto [before, after] = store_check(directory, std::move(result));
    if (before.health != after.health) {
        announce({Event::health_status}, record, config, {.health = to_string(after.health)});
    }
    return std::move(after);
}

void wait_for_health(const RecordStore& store, const std::string& id, Health wanted) {
    const std::string directory = store.root() + "/" + id;
    const Record record = store.load(id);
    const UniqueFd pidfd(sys::pidfd_open(record.pid));
    const UniqueFd changes = watch_directory(directory);
    while (pidfd.valid() && is_alive(record.pid, record.start_time)) {
        if (require_health(directory, id).health == wanted) {
            return;
        }
        std::array<struct pollfd, 2> items{{{changes.get(), POLLIN, 0}, {pidfd.get(), POLLIN, 0}}};
        if (::poll(items.data(), items.size(), -1) < 0 && errno != EINTR) {
            throw Error("cannot wait for the container").at(id).because(errno);
        }
        std::array<char, 4096> events{};
        while (::read(changes.get(), events.data(), events.size()) > 0) {
        }
    }
    throw Error(std::string("the container has ended without having been ") + to_string(wanted))
        .at(id);
}

} // namespace sctr::container
