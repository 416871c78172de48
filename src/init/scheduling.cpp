// SPDX-License-Identifier: LGPL-2.1-or-later
#include "init/scheduling.hpp"

#include <linux/ioprio.h>
#include <linux/sched/types.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "init/control.hpp"

namespace sctr::init {

namespace {

/// EPERM has reasons that nobody would guess.
[[noreturn]] void fail_scheduler() noexcept {
    const int error_number = errno;
    std::string_view why;
    if (error_number == EPERM) {
        why = "it needs CAP_SYS_NICE on the host, which no process of a user namespace has; and "
              "SCHED_DEADLINE needs every CPU of the host";
    } else if (error_number == EBUSY) {
        why = "the host has not that much time left for SCHED_DEADLINE";
    }
    fail({.what = "cannot set the scheduler", .where = "/process/scheduler", .why = why},
         error_number);
}

void set_scheduler(const plan::SchedulerStep& scheduler) noexcept {
    if (!scheduler.set) {
        return;
    }
    struct sched_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.sched_policy = scheduler.policy;
    attributes.sched_flags = scheduler.flags;
    attributes.sched_nice = scheduler.nice;
    attributes.sched_priority = scheduler.priority;
    attributes.sched_runtime = scheduler.runtime;
    attributes.sched_deadline = scheduler.deadline;
    attributes.sched_period = scheduler.period;
    if (::syscall(SYS_sched_setattr, 0, &attributes, 0U) < 0) {
        fail_scheduler();
    }
}

void set_memory_policy(const plan::MemoryPolicyStep& policy) noexcept {
    if (!policy.set) {
        return;
    }
    // The kernel reads one bit less than it is told; set_mempolicy(2), Notes.
    const std::size_t bits = policy.nodes.empty() ? 0 : policy.nodes.size() * 64 + 1;
    require(::syscall(SYS_set_mempolicy,
                      policy.mode,
                      policy.nodes.empty() ? nullptr : policy.nodes.data(),
                      bits) == 0,
            "cannot set the memory policy",
            "/linux/memoryPolicy");
}

} // namespace

void set_scheduling(const plan::SchedulingStep& scheduling) noexcept {
    const auto& cpus = scheduling.cpus;
    if (!cpus.empty()) {
        require(::sched_setaffinity(0,
                                    cpus.size() * sizeof cpus.front(),
                                    reinterpret_cast<const cpu_set_t*>(cpus.data())) == 0,
                "cannot run on these CPUs",
                "/process/execCPUAffinity/final");
    }
    set_scheduler(scheduling.scheduler);
    if (scheduling.set_io_priority) {
        require(::syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, scheduling.io_priority) == 0,
                "cannot set the I/O priority",
                "/process/ioPriority");
    }
    set_memory_policy(scheduling.memory_policy);
    if (scheduling.set_personality) {
        require(::personality(scheduling.personality) >= 0,
                "cannot set the personality",
                "/linux/personality");
    }
}

} // namespace sctr::init
