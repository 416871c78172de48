// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>
#include <set>

#include "oci/rules.hpp"

namespace sctr::oci {
namespace {

constexpr std::array<std::string_view, 16> rlimit_types = {
    "RLIMIT_AS",
    "RLIMIT_CORE",
    "RLIMIT_CPU",
    "RLIMIT_DATA",
    "RLIMIT_FSIZE",
    "RLIMIT_LOCKS",
    "RLIMIT_MEMLOCK",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_NOFILE",
    "RLIMIT_NPROC",
    "RLIMIT_RSS",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
    "RLIMIT_SIGPENDING",
    "RLIMIT_STACK",
};

constexpr std::array<std::string_view, 7> scheduler_policies = {
    "SCHED_OTHER",
    "SCHED_FIFO",
    "SCHED_RR",
    "SCHED_BATCH",
    "SCHED_ISO",
    "SCHED_IDLE",
    "SCHED_DEADLINE",
};

constexpr std::array<std::string_view, 7> scheduler_flags = {
    "SCHED_FLAG_RESET_ON_FORK",
    "SCHED_FLAG_RECLAIM",
    "SCHED_FLAG_DL_OVERRUN",
    "SCHED_FLAG_KEEP_POLICY",
    "SCHED_FLAG_KEEP_PARAMS",
    "SCHED_FLAG_UTIL_CLAMP_MIN",
    "SCHED_FLAG_UTIL_CLAMP_MAX",
};

constexpr std::array<std::string_view, 3> io_classes = {
    "IOPRIO_CLASS_RT",
    "IOPRIO_CLASS_BE",
    "IOPRIO_CLASS_IDLE",
};

/// config.md, User.
void check_user(const Place& place, const User& user) {
    constexpr std::uint32_t no_id = 4294967295; // "leave it as it is" to setuid and setgid
    constexpr auto why = "4294967295 is no id; valid: 0 to 4294967294";
    require(user.uid != no_id, Place(place, "uid"), why);
    require(user.gid != no_id, Place(place, "gid"), why);
    const Place groups(place, "additionalGids");
    for (std::size_t i = 0; i < user.additional_gids.size(); ++i) {
        require(user.additional_gids[i] != no_id, Place(groups, i), why);
    }
    require_range(Place(place, "umask"), user.umask.value_or(0), 0, 0777);
}

/// config.md, POSIX process, rlimits; setrlimit(2).
void check_rlimits(const Place& place, const std::vector<Rlimit>& rlimits) {
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < rlimits.size(); ++i) {
        const auto& [type, soft, hard] = rlimits[i];
        const Place here(place, i);
        require_one_of(Place(here, "type"), type, rlimit_types);
        require(seen.insert(type).second, Place(here, "type"), type + " is given twice");
        require(soft <= hard,
                Place(here, "soft"),
                std::to_string(soft) + " is above the hard limit, " + std::to_string(hard));
    }
}

/// sched(7), SCHED_DEADLINE: runtime <= deadline <= period, where no period means the deadline.
void check_deadline(const Place& place, const Scheduler& scheduler) {
    require(
        scheduler.runtime > 0, Place(place, "runtime"), "SCHED_DEADLINE needs a runtime above 0");
    require(scheduler.runtime <= scheduler.deadline,
            Place(place, "deadline"),
            std::to_string(scheduler.deadline) + " is below the runtime, " +
                std::to_string(scheduler.runtime));
    require(scheduler.period == 0 || scheduler.deadline <= scheduler.period,
            Place(place, "period"),
            std::to_string(scheduler.period) + " is below the deadline, " +
                std::to_string(scheduler.deadline));
}

/// config.md, Linux process, scheduler; sched_setattr(2).
void check_scheduler(const Place& place, const Scheduler& scheduler) {
    require_one_of(Place(place, "policy"), scheduler.policy, scheduler_policies);
    require_each_of(Place(place, "flags"), scheduler.flags, scheduler_flags);
    require_range(Place(place, "nice"), scheduler.nice, -20, 19);
    if (scheduler.policy == "SCHED_FIFO" || scheduler.policy == "SCHED_RR") {
        require_range(Place(place, "priority"), scheduler.priority, 1, 99);
    } else {
        require(scheduler.priority == 0,
                Place(place, "priority"),
                "only for SCHED_FIFO and SCHED_RR, not for " + scheduler.policy);
    }
    if (scheduler.policy == "SCHED_DEADLINE") {
        check_deadline(place, scheduler);
        return;
    }
    const auto why = "only for SCHED_DEADLINE, not for " + scheduler.policy;
    require(scheduler.runtime == 0, Place(place, "runtime"), why);
    require(scheduler.deadline == 0, Place(place, "deadline"), why);
    require(scheduler.period == 0, Place(place, "period"), why);
}

} // namespace

void check_process(const Place& place, const Process& process) {
    require(!process.args.empty(), Place(place, "args"), "empty; the command to run is required");
    require_absolute(Place(place, "cwd"), process.cwd);
    check_user(Place(place, "user"), process.user);
    check_rlimits(Place(place, "rlimits"), process.rlimits);
    require_range(Place(place, "oomScoreAdj"), process.oom_score_adj.value_or(0), -1000, 1000);
    if (process.scheduler) {
        check_scheduler(Place(place, "scheduler"), *process.scheduler);
    }
    if (process.io_priority) {
        const Place here(place, "ioPriority");
        require_one_of(Place(here, "class"), process.io_priority->class_, io_classes);
        require_range(Place(here, "priority"), process.io_priority->priority, 0, 7);
    }
    if (process.exec_cpu_affinity) {
        const Place here(place, "execCPUAffinity");
        require_cpu_list(Place(here, "initial"), process.exec_cpu_affinity->initial);
        require_cpu_list(Place(here, "final"), process.exec_cpu_affinity->final_);
    }
}

} // namespace sctr::oci
