// SPDX-License-Identifier: LGPL-2.1-or-later
#include "validate_cases.hpp"

namespace sctr::oci {
namespace {

TEST(Validate, RefusesABadProcess) {
    expect_all_refused({
        {[](Spec& s) { s.process->args = {}; }, "/process/args", "required"},
        {[](Spec& s) { s.process->cwd = ""; }, "/process/cwd", "absolute"},
        {[](Spec& s) { s.process->cwd = "tmp"; }, "/process/cwd", "absolute"},
        {[](Spec& s) { s.process->user.uid = 4294967295; }, "/process/user/uid", "no id"},
        {[](Spec& s) { s.process->user.gid = 4294967295; }, "/process/user/gid", "no id"},
        {[](Spec& s) { s.process->user.additional_gids = {1, 4294967295}; },
         "/process/user/additionalGids/1",
         "no id"},
        {[](Spec& s) { s.process->user.umask = 01000; }, "/process/user/umask", "0 to 511"},
        {[](Spec& s) { s.process->rlimits = {{"RLIMIT_FOO", 1, 1}}; },
         "/process/rlimits/0/type",
         "RLIMIT_NOFILE"},
        {[](Spec& s) { s.process->rlimits = {{"RLIMIT_CPU", 1, 1}, {"RLIMIT_CPU", 1, 1}}; },
         "/process/rlimits/1/type",
         "twice"},
        {[](Spec& s) { s.process->rlimits = {{"RLIMIT_CPU", 2, 1}}; },
         "/process/rlimits/0/soft",
         "2 is above the hard limit, 1"},
        {[](Spec& s) { s.process->oom_score_adj = -1001; },
         "/process/oomScoreAdj",
         "-1001 is out of range; valid: -1000 to 1000"},
        {[](Spec& s) { s.process->oom_score_adj = 1001; }, "/process/oomScoreAdj", "1001"},
        {[](Spec& s) { s.process->io_priority = IoPriority{"IOPRIO_CLASS_NONE", 0}; },
         "/process/ioPriority/class",
         "IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE"},
        {[](Spec& s) { s.process->io_priority = IoPriority{"IOPRIO_CLASS_BE", 8}; },
         "/process/ioPriority/priority",
         "0 to 7"},
        {[](Spec& s) { s.process->exec_cpu_affinity = ExecCpuAffinity{"0-", ""}; },
         "/process/execCPUAffinity/initial",
         "0-3,7"},
        {[](Spec& s) { s.process->exec_cpu_affinity = ExecCpuAffinity{"0", "a"}; },
         "/process/execCPUAffinity/final",
         "0-3,7"},
    });
    expect_all_accepted({
        [](Spec& s) { s.process->rlimits = {{"RLIMIT_CPU", 1, 1}, {"RLIMIT_AS", 0, 1}}; },
        [](Spec& s) { s.process->oom_score_adj = -1000; },
        [](Spec& s) { s.process->oom_score_adj = 1000; },
        [](Spec& s) { s.process->user.umask = 0777; },
        [](Spec& s) { s.process->io_priority = IoPriority{"IOPRIO_CLASS_RT", 7}; },
        [](Spec& s) { s.process->console_size = Box{0, 0}; },
        [](Spec& s) { s.process->capabilities = Capabilities{.bounding = {"CAP_FUTURE"}}; },
    });
}

TEST(Validate, JudgesTheScheduler) {
    const auto with = [](const Scheduler& scheduler) {
        return [scheduler](Spec& s) { s.process->scheduler = scheduler; };
    };
    expect_all_refused({
        {with({.policy = ""}), "/process/scheduler/policy", "SCHED_OTHER"},
        {with({.policy = "SCHED_OTHER", .nice = -21}), "/process/scheduler/nice", "-20 to 19"},
        {with({.policy = "SCHED_OTHER", .nice = 20}), "/process/scheduler/nice", "-20 to 19"},
        {with({.policy = "SCHED_OTHER", .priority = 1}),
         "/process/scheduler/priority",
         "only for SCHED_FIFO and SCHED_RR"},
        {with({.policy = "SCHED_FIFO"}), "/process/scheduler/priority", "1 to 99"},
        {with({.policy = "SCHED_RR", .priority = 100}), "/process/scheduler/priority", "1 to 99"},
        {with({.policy = "SCHED_OTHER", .flags = {"SCHED_FLAG_FOO"}}),
         "/process/scheduler/flags/0",
         "SCHED_FLAG_RESET_ON_FORK"},
        {with({.policy = "SCHED_BATCH", .runtime = 1}),
         "/process/scheduler/runtime",
         "only for SCHED_DEADLINE"},
        {with({.policy = "SCHED_BATCH", .deadline = 1}),
         "/process/scheduler/deadline",
         "only for SCHED_DEADLINE"},
        {with({.policy = "SCHED_BATCH", .period = 1}),
         "/process/scheduler/period",
         "only for SCHED_DEADLINE"},
        {with({.policy = "SCHED_DEADLINE"}), "/process/scheduler/runtime", "above 0"},
        {with({.policy = "SCHED_DEADLINE", .runtime = 2, .deadline = 1}),
         "/process/scheduler/deadline",
         "below the runtime"},
        {with({.policy = "SCHED_DEADLINE", .runtime = 1, .deadline = 3, .period = 2}),
         "/process/scheduler/period",
         "below the deadline"},
    });
    expect_all_accepted({
        with({.policy = "SCHED_OTHER", .nice = 19, .flags = {"SCHED_FLAG_RESET_ON_FORK"}}),
        with({.policy = "SCHED_FIFO", .priority = 99}),
        with({.policy = "SCHED_DEADLINE", .runtime = 2, .deadline = 2}),
        with({.policy = "SCHED_DEADLINE", .runtime = 1, .deadline = 2, .period = 3}),
    });
}

} // namespace
} // namespace sctr::oci
