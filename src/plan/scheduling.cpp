// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/scheduling.hpp"

#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <sys/personality.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.hpp"
#include "base/strings.hpp"

namespace sctr::plan {

namespace {

struct NamedNumber {
    std::string_view name;
    std::uint32_t number;
};

// SCHED_ISO is a name that the spec lists and that no kernel has.
constexpr std::array policies{
    NamedNumber{"SCHED_OTHER", SCHED_NORMAL},
    NamedNumber{"SCHED_FIFO", SCHED_FIFO},
    NamedNumber{"SCHED_RR", SCHED_RR},
    NamedNumber{"SCHED_BATCH", SCHED_BATCH},
    NamedNumber{"SCHED_IDLE", SCHED_IDLE},
    NamedNumber{"SCHED_DEADLINE", SCHED_DEADLINE},
};

constexpr std::array scheduler_flags{
    NamedNumber{"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
    NamedNumber{"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
    NamedNumber{"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
    NamedNumber{"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
    NamedNumber{"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
    NamedNumber{"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
    NamedNumber{"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
};

constexpr std::array io_classes{
    NamedNumber{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
    NamedNumber{"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
    NamedNumber{"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
};

constexpr std::array domains{
    NamedNumber{"LINUX", PER_LINUX},
    NamedNumber{"LINUX32", PER_LINUX32},
};

constexpr std::array memory_modes{
    NamedNumber{"MPOL_DEFAULT", MPOL_DEFAULT},
    NamedNumber{"MPOL_PREFERRED", MPOL_PREFERRED},
    NamedNumber{"MPOL_BIND", MPOL_BIND},
    NamedNumber{"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
    NamedNumber{"MPOL_LOCAL", MPOL_LOCAL},
    NamedNumber{"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
    NamedNumber{"MPOL_WEIGHTED_INTERLEAVE", MPOL_WEIGHTED_INTERLEAVE},
};

constexpr std::array memory_flags{
    NamedNumber{"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
    NamedNumber{"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
    NamedNumber{"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
};

template <std::size_t size>
std::uint32_t number_of(const std::string& name,
                        const std::array<NamedNumber, size>& known,
                        const std::string& pointer) {
    const auto* const found = std::ranges::find(known, name, &NamedNumber::name);
    if (found == known.end()) {
        throw Error("unknown value").at(pointer).because("this host has no '" + name + "'");
    }
    return found->number;
}

template <std::size_t size>
std::uint32_t flags_of(const std::vector<std::string>& names,
                       const std::array<NamedNumber, size>& known,
                       const std::string& pointer) {
    std::uint32_t flags = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
        flags |= number_of(names[i], known, pointer + "/" + std::to_string(i));
    }
    return flags;
}

SchedulerStep scheduler_step(const oci::Scheduler& scheduler) {
    const std::string pointer = "/process/scheduler";
    return {.set = true,
            .policy = number_of(scheduler.policy, policies, pointer + "/policy"),
            .flags = flags_of(scheduler.flags, scheduler_flags, pointer + "/flags"),
            .nice = scheduler.nice,
            .priority = static_cast<std::uint32_t>(scheduler.priority),
            .runtime = scheduler.runtime,
            .deadline = scheduler.deadline,
            .period = scheduler.period};
}

MemoryPolicyStep memory_policy_step(const oci::MemoryPolicy& policy) {
    const std::string pointer = "/linux/memoryPolicy";
    return {.set = true,
            .mode = number_of(policy.mode, memory_modes, pointer + "/mode") |
                    flags_of(policy.flags, memory_flags, pointer + "/flags"),
            .nodes = bit_mask(policy.nodes, pointer + "/nodes")};
}

} // namespace

SchedulingStep scheduling_step(const oci::Process& process, const oci::Linux& linux) {
    SchedulingStep step;
    if (process.scheduler) {
        step.scheduler = scheduler_step(*process.scheduler);
    }
    if (process.io_priority) {
        const auto io_class =
            number_of(process.io_priority->class_, io_classes, "/process/ioPriority/class");
        step.set_io_priority = true;
        step.io_priority = static_cast<std::int32_t>(
            IOPRIO_PRIO_VALUE(io_class, static_cast<std::uint32_t>(process.io_priority->priority)));
    }
    if (linux.personality) {
        step.set_personality = true;
        step.personality =
            number_of(linux.personality->domain, domains, "/linux/personality/domain");
    }
    if (linux.memory_policy) {
        step.memory_policy = memory_policy_step(*linux.memory_policy);
    }
    return step;
}

std::vector<std::uint64_t> bit_mask(const std::string& list, const std::string& pointer) {
    if (list.empty()) {
        return {};
    }
    const auto numbers = parse_cpu_list(list);
    if (!numbers) {
        throw Error("not a list of numbers such as 0-3,7").at(pointer).because("'" + list + "'");
    }
    std::vector<std::uint64_t> mask(numbers->back() / 64 + 1);
    for (const unsigned number : *numbers) {
        mask[number / 64] |= std::uint64_t{1} << number % 64;
    }
    return mask;
}

} // namespace sctr::plan
