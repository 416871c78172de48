// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/record.hpp"

#include <poll.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "linux/procfs.hpp"
#include "linux/syscalls.hpp"

namespace sctr::container {

namespace {

using nlohmann::json;

/// Of the format: higher when an older sctr must not touch what a newer one has written.
constexpr int version = 1;

void read(const json& value, const char* name, auto& field) {
    if (const auto found = value.find(name); found != value.end()) {
        found->get_to(field);
    }
}

Record from_json(const json& value) {
    Record record;
    value.at("id").get_to(record.id);
    value.at("unit").get_to(record.unit);
    value.at("pid").get_to(record.pid);
    value.at("startTime").get_to(record.start_time);
    value.at("bootId").get_to(record.boot_id);
    read(value, "serviceUnit", record.service_unit);
    read(value, "description", record.description);
    read(value, "image", record.image);
    read(value, "supervisorPid", record.supervisor_pid);
    read(value, "supervisorStartTime", record.supervisor_start);
    read(value, "cgroup", record.cgroup);
    read(value, "cgroupId", record.cgroup_id);
    read(value, "owner", record.owner);
    read(value, "rootfs", record.rootfs);
    read(value, "bundle", record.bundle);
    read(value, "createdUsec", record.created_usec);
    read(value, "started", record.started);
    read(value, "kept", record.kept);
    read(value, "stopSignal", record.stop_signal);
    read(value, "stopTimeoutUsec", record.stop_timeout_usec);
    read(value, "oomKilled", record.oom_killed);
    read(value, "finishedUsec", record.finished_usec);
    if (const auto status = value.find("exitStatus"); status != value.end()) {
        record.exit_status = status->get<int>();
    }
    return record;
}

} // namespace

const char* to_string(Status status) {
    switch (status) {
    case Status::creating:
        return "creating";
    case Status::created:
        return "created";
    case Status::running:
        return "running";
    case Status::paused:
        return "paused";
    case Status::stopped:
        return "stopped";
    }
    return "";
}

std::string to_json(const Record& record) {
    json value = {
        {"version", version},
        {"id", record.id},
        {"unit", record.unit},
        {"serviceUnit", record.service_unit},
        {"description", record.description},
        {"image", record.image},
        {"pid", record.pid},
        {"startTime", record.start_time},
        {"supervisorPid", record.supervisor_pid},
        {"supervisorStartTime", record.supervisor_start},
        {"bootId", record.boot_id},
        {"cgroup", record.cgroup},
        {"cgroupId", record.cgroup_id},
        {"owner", record.owner},
        {"rootfs", record.rootfs},
        {"bundle", record.bundle},
        {"createdUsec", record.created_usec},
        {"started", record.started},
        {"kept", record.kept},
        {"stopSignal", record.stop_signal},
        {"stopTimeoutUsec", record.stop_timeout_usec},
        {"oomKilled", record.oom_killed},
    };
    if (record.exit_status) {
        value["exitStatus"] = *record.exit_status;
    }
    if (record.finished_usec != 0) {
        value["finishedUsec"] = record.finished_usec;
    }
    // A path may be any bytes.
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<Record> record_from_json(const std::string& text) {
    try {
        const json value = json::parse(text);
        int found = version;
        read(value, "version", found);
        if (found > version) {
            throw Error("cannot read the container's state")
                .because("it was written by a newer sctr (version " + std::to_string(found) + ")")
                .mend("use that one");
        }
        return from_json(value);
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

bool wait_for_supervisor(const Record& record) {
    const UniqueFd supervisor(sys::pidfd_open(record.supervisor_pid));
    if (!supervisor.valid() || !has_supervisor(record)) {
        return false;
    }
    constexpr int patience_ms = 10'000;
    struct pollfd item{supervisor.get(), POLLIN, 0};
    return ::poll(&item, 1, patience_ms) > 0;
}

bool is_alive(pid_t pid, std::uint64_t start_time) {
    return pid > 0 && sys::process_start_time(pid) == start_time;
}

bool is_living(const Record& record) {
    return is_alive(record.pid, record.start_time) && record.boot_id == sys::boot_id();
}

bool has_supervisor(const Record& record) {
    return is_alive(record.supervisor_pid, record.supervisor_start) &&
           record.boot_id == sys::boot_id();
}

Status current_status(const Record& record) {
    // With a status its pid is anybody's.
    if (record.exit_status || !is_living(record)) {
        return Status::stopped;
    }
    const auto events =
        has_own_cgroup(record)
            ? sys::read_small_file("/sys/fs/cgroup" + sys::cgroup_of(record.pid) + "/cgroup.events")
            : std::nullopt;
    if (events && events->find("frozen 1") != std::string::npos) {
        return Status::paused;
    }
    return record.started ? Status::running : Status::created;
}

bool has_own_cgroup(const Record& record) {
    return !record.unit.empty() || is_nested(record);
}

bool is_nested(const Record& record) {
    return record.unit.empty() && !record.cgroup.empty();
}

void require_own_cgroup(const Record& record, const std::string& what) {
    if (!has_own_cgroup(record)) {
        throw Error("cannot " + what + " the container")
            .at(record.id)
            .because("it has no cgroup of its own")
            .mend("create it without --cgroup-manager disabled");
    }
}

} // namespace sctr::container
