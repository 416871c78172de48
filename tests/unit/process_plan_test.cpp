// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include <limits>

#include "base/error.hpp"
#include "plan/codec.hpp"
#include "plan/hooks.hpp"
#include "plan/process.hpp"
#include "plan/scheduling.hpp"

namespace sctr::plan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

oci::Process simple_process() {
    oci::Process process;
    process.args = {"true"};
    return process;
}

/// The message of the error; empty when there is none.
template <typename Act> std::string failure(const Act& act) {
    try {
        act();
    } catch (const Error& error) {
        return error.where() + ": " + error.what();
    }
    return {};
}

TEST(ProcessStep, HasTheSpecsDefaults) {
    const ProcessStep step = process_step(simple_process(), {}, {});
    EXPECT_EQ(step.umask, 022U);
    EXPECT_EQ(step.cwd, "/");
    EXPECT_TRUE(step.set_groups);
    EXPECT_FALSE(step.no_new_privileges);
    EXPECT_FALSE(step.set_oom_score_adj);
    EXPECT_EQ(step.capabilities.bounding, 0U);
    EXPECT_FALSE(step.scheduling.scheduler.set);
    EXPECT_FALSE(step.scheduling.set_io_priority);
    EXPECT_FALSE(step.scheduling.set_personality);
    EXPECT_FALSE(step.scheduling.memory_policy.set);
    EXPECT_THAT(step.scheduling.cpus, IsEmpty());
}

TEST(ProcessStep, HasTheAmbientCapabilitiesThatTheKernelWillRaise) {
    const struct {
        std::vector<std::string> permitted;
        std::vector<std::string> inheritable;
        std::uint64_t ambient;
    } cases[] = {
        {{"CAP_KILL", "CAP_CHOWN"}, {"CAP_KILL", "CAP_CHOWN"}, 1U << CAP_KILL | 1U << CAP_CHOWN},
        {{"CAP_KILL", "CAP_CHOWN"}, {"CAP_CHOWN"}, 1U << CAP_CHOWN},
        {{"CAP_KILL"}, {"CAP_KILL", "CAP_CHOWN"}, 1U << CAP_KILL},
        {{"CAP_KILL", "CAP_CHOWN"}, {}, 0},
    };

    for (const auto& [permitted, inheritable, ambient] : cases) {
        oci::Process process = simple_process();
        process.capabilities = oci::Capabilities{.inheritable = inheritable,
                                                 .permitted = permitted,
                                                 .ambient = {"CAP_KILL", "CAP_CHOWN"}};
        EXPECT_EQ(process_step(process, {}, {}).capabilities.ambient, ambient);
    }
}

TEST(ProcessStep, KnowsEveryLimitOfTheSpec) {
    const struct {
        const char* name;
        int resource;
    } cases[] = {
        {"RLIMIT_AS", RLIMIT_AS},
        {"RLIMIT_CORE", RLIMIT_CORE},
        {"RLIMIT_CPU", RLIMIT_CPU},
        {"RLIMIT_DATA", RLIMIT_DATA},
        {"RLIMIT_FSIZE", RLIMIT_FSIZE},
        {"RLIMIT_LOCKS", RLIMIT_LOCKS},
        {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
        {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
        {"RLIMIT_NICE", RLIMIT_NICE},
        {"RLIMIT_NOFILE", RLIMIT_NOFILE},
        {"RLIMIT_NPROC", RLIMIT_NPROC},
        {"RLIMIT_RSS", RLIMIT_RSS},
        {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
        {"RLIMIT_RTTIME", RLIMIT_RTTIME},
        {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
        {"RLIMIT_STACK", RLIMIT_STACK},
    };

    constexpr auto unlimited = std::numeric_limits<std::uint64_t>::max();
    oci::Process process = simple_process();
    for (const auto& each : cases) {
        process.rlimits = {{.type = each.name, .soft = 1, .hard = unlimited}};
        const ProcessStep step = process_step(process, {}, {});
        ASSERT_EQ(step.rlimits.size(), 1U);
        EXPECT_EQ(step.rlimits[0].resource, each.resource) << each.name;
        EXPECT_EQ(step.rlimits[0].soft, 1U);
        EXPECT_EQ(step.rlimits[0].hard, RLIM_INFINITY);
    }
    process.rlimits = {{.type = "RLIMIT_CORE"}, {.type = "RLIMIT_NONE"}};
    EXPECT_THAT(failure([&] { process_step(process, {}, {}); }), StartsWith("/process/rlimits/1:"));
}

TEST(ProcessStep, LabelsNeedTheirSecurityModule) {
    const struct {
        const char* apparmor;
        const char* selinux;
        host::Facts facts;
        const char* planned_apparmor;
        const char* failure;
    } cases[] = {
        {"p", "", {.has_apparmor = true}, "p", ""},
        {"unconfined", "", {.has_apparmor = true}, "unconfined", ""},
        {"unconfined", "", {}, "", ""},
        {"", "", {}, "", ""},
        {"p", "", {}, "", "/process/apparmorProfile: "},
        {"p", "", {.has_selinux = true}, "", "/process/apparmorProfile: "},
        {"", "u:r:t:s0", {}, "", "/process/selinuxLabel: "},
        {"", "u:r:t:s0", {.has_selinux = true}, "", ""},
    };

    for (const auto& each : cases) {
        oci::Process process = simple_process();
        process.apparmor_profile = each.apparmor;
        process.selinux_label = each.selinux;
        ProcessStep step;
        EXPECT_THAT(failure([&] { step = process_step(process, {}, each.facts); }),
                    StartsWith(each.failure));
        EXPECT_EQ(step.apparmor_profile, each.planned_apparmor);
    }
}

TEST(ProcessStep, KeepsGroupsWhereTheAnnotationSaysSo) {
    const struct {
        const char* value;
        bool set_groups;
    } cases[] = {{"1", false}, {"0", true}, {"", true}, {"true", true}};

    for (const auto& each : cases) {
        oci::Spec spec;
        spec.annotations["run.oci.keep_original_groups"] = each.value;
        EXPECT_EQ(process_step(simple_process(), spec, {}).set_groups, each.set_groups)
            << each.value;
    }
}

TEST(Scheduling, TurnsPoliciesIntoNumbers) {
    const struct {
        const char* name;
        std::uint32_t policy;
    } cases[] = {
        {"SCHED_OTHER", SCHED_NORMAL},
        {"SCHED_FIFO", SCHED_FIFO},
        {"SCHED_RR", SCHED_RR},
        {"SCHED_BATCH", SCHED_BATCH},
        {"SCHED_IDLE", SCHED_IDLE},
        {"SCHED_DEADLINE", SCHED_DEADLINE},
    };

    for (const auto& each : cases) {
        oci::Process process;
        process.scheduler =
            oci::Scheduler{.policy = each.name,
                           .nice = -5,
                           .priority = 7,
                           .flags = {"SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM"},
                           .runtime = 1,
                           .deadline = 2,
                           .period = 3};
        const SchedulerStep step = scheduling_step(process, {}).scheduler;
        EXPECT_TRUE(step.set);
        EXPECT_EQ(step.policy, each.policy) << each.name;
        EXPECT_EQ(step.flags, unsigned{SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_RECLAIM});
        EXPECT_EQ(step.nice, -5);
        EXPECT_EQ(step.priority, 7U);
        EXPECT_EQ(step.runtime, 1U);
        EXPECT_EQ(step.deadline, 2U);
        EXPECT_EQ(step.period, 3U);
    }
}

TEST(Scheduling, TurnsIoPriorityPersonalityAndMemoryPolicyIntoNumbers) {
    oci::Process process;
    process.io_priority = oci::IoPriority{.class_ = "IOPRIO_CLASS_BE", .priority = 6};
    oci::Linux linux;
    linux.personality = oci::Personality{.domain = "LINUX32"};
    linux.memory_policy = oci::MemoryPolicy{
        .mode = "MPOL_INTERLEAVE", .nodes = "0-1,65", .flags = {"MPOL_F_STATIC_NODES"}};
    const SchedulingStep step = scheduling_step(process, linux);
    EXPECT_TRUE(step.set_io_priority);
    EXPECT_EQ(step.io_priority, IOPRIO_CLASS_BE << 13 | 6);
    EXPECT_TRUE(step.set_personality);
    EXPECT_EQ(step.personality, unsigned{PER_LINUX32});
    EXPECT_TRUE(step.memory_policy.set);
    EXPECT_EQ(step.memory_policy.mode, unsigned{MPOL_INTERLEAVE} | MPOL_F_STATIC_NODES);
    EXPECT_THAT(step.memory_policy.nodes, ElementsAre(0b11, 0b10));
}

TEST(Scheduling, NamesThePlaceOfWhatIsUnknown) {
    const auto with = [](auto change) {
        oci::Process process;
        oci::Linux linux;
        change(process, linux);
        return failure([&] { scheduling_step(process, linux); });
    };
    EXPECT_THAT(
        with([](auto& process, auto&) { process.scheduler.emplace().policy = "SCHED_ISO"; }),
        StartsWith("/process/scheduler/policy:"));
    EXPECT_THAT(with([](auto& process, auto&) {
                    process.scheduler = oci::Scheduler{.policy = "SCHED_IDLE", .flags = {"NONE"}};
                }),
                StartsWith("/process/scheduler/flags/0:"));
    EXPECT_THAT(with([](auto& process, auto&) { process.io_priority.emplace().class_ = "X"; }),
                StartsWith("/process/ioPriority/class:"));
    EXPECT_THAT(with([](auto&, auto& linux) { linux.personality.emplace().domain = "X"; }),
                StartsWith("/linux/personality/domain:"));
    EXPECT_THAT(with([](auto&, auto& linux) { linux.memory_policy.emplace().mode = "X"; }),
                StartsWith("/linux/memoryPolicy/mode:"));
    EXPECT_THAT(with([](auto&, auto& linux) {
                    linux.memory_policy = oci::MemoryPolicy{.mode = "MPOL_BIND", .nodes = "a"};
                }),
                StartsWith("/linux/memoryPolicy/nodes:"));
}

TEST(ExecCpus, AreTheFinalOnesOrAll) {
    oci::Process process;
    EXPECT_THAT(exec_cpus(process), IsEmpty());
    process.exec_cpu_affinity = oci::ExecCpuAffinity{};
    EXPECT_THAT(exec_cpus(process), IsEmpty());
    process.exec_cpu_affinity->final_ = "0,2-3,64";
    EXPECT_THAT(exec_cpus(process), ElementsAre(0b1101, 1));
    process.exec_cpu_affinity = oci::ExecCpuAffinity{.initial = "0", .final_ = ""};
    EXPECT_THAT(exec_cpus(process), testing::Each(~std::uint64_t{0}));
    process.exec_cpu_affinity = oci::ExecCpuAffinity{.initial = "", .final_ = "x"};
    EXPECT_THAT(failure([&] { exec_cpus(process); }),
                StartsWith("/process/execCPUAffinity/final:"));
}

TEST(InheritFromContainer, FillsInWhatAnExecLeavesOut) {
    oci::Process container = simple_process();
    container.apparmor_profile = "profile";
    container.selinux_label = "label";
    container.capabilities = oci::Capabilities{.bounding = {"CAP_KILL"}};
    container.rlimits = {{.type = "RLIMIT_CORE"}};
    container.oom_score_adj = 500;
    container.scheduler = oci::Scheduler{.policy = "SCHED_BATCH"};
    container.io_priority = oci::IoPriority{.class_ = "IOPRIO_CLASS_IDLE"};
    container.exec_cpu_affinity = oci::ExecCpuAffinity{.initial = "0"};
    container.no_new_privileges = true;
    container.user.uid = 7;
    container.env = {"A=1"};

    const oci::Process own = simple_process();
    oci::Process expected = container;
    expected.no_new_privileges = own.no_new_privileges;
    expected.user = own.user;
    expected.env = own.env;
    EXPECT_EQ(inherit_from_container(own, container), expected);
}

TEST(InheritFromContainer, LeavesWhatAnExecSays) {
    oci::Process own = simple_process();
    own.apparmor_profile = "unconfined";
    own.selinux_label = "other";
    own.capabilities = oci::Capabilities{};
    own.rlimits = {{.type = "RLIMIT_AS"}};
    own.oom_score_adj = 0;
    own.scheduler = oci::Scheduler{.policy = "SCHED_OTHER"};
    own.io_priority = oci::IoPriority{.class_ = "IOPRIO_CLASS_BE"};
    own.exec_cpu_affinity = oci::ExecCpuAffinity{};
    oci::Process container = simple_process();
    container.apparmor_profile = "profile";
    container.selinux_label = "label";
    container.capabilities = oci::Capabilities{.bounding = {"CAP_KILL"}};
    container.rlimits = {{.type = "RLIMIT_CORE"}};
    container.oom_score_adj = 500;
    container.scheduler = oci::Scheduler{.policy = "SCHED_BATCH"};
    container.io_priority = oci::IoPriority{.class_ = "IOPRIO_CLASS_IDLE"};
    container.exec_cpu_affinity = oci::ExecCpuAffinity{.initial = "0"};
    EXPECT_EQ(inherit_from_container(own, container), own);
}

TEST(AddHooks, PlansWhatRunsInTheContainer) {
    oci::Spec spec;
    spec.hooks.create_container = {{.path = "/a"},
                                   {.path = "/b", .args = {"x"}, .env = {"E=1"}, .timeout = 5}};
    spec.hooks.start_container = {{.path = "/c"}};
    spec.process = simple_process();
    spec.process->env = {"OF=process"};
    InitPlan plan;
    add_hooks(spec, plan);
    ASSERT_EQ(plan.create_container_hooks.size(), 2U);
    EXPECT_EQ(plan.create_container_hooks[0].timeout_seconds, 0);
    const HookStep& second = plan.create_container_hooks[1];
    EXPECT_EQ(second.place, "/hooks/createContainer/1");
    EXPECT_EQ(second.path, "/b");
    EXPECT_THAT(second.args, ElementsAre("x"));
    EXPECT_THAT(second.env, ElementsAre("E=1"));
    EXPECT_EQ(second.timeout_seconds, 5);
    ASSERT_EQ(plan.start_container_hooks.size(), 1U);
    EXPECT_EQ(plan.start_container_hooks[0].place, "/hooks/startContainer/0");
    EXPECT_THAT(plan.start_container_hooks[0].env, ElementsAre("OF=process"));
}

TEST(AddHooks, HoldsBeforePivotOnlyForWhoNeedsIt) {
    const auto holds = [](auto change) {
        oci::Spec spec;
        change(spec);
        InitPlan plan;
        add_hooks(spec, plan);
        return plan.hold_before_pivot;
    };
    const std::vector<oci::Hook> hook{{.path = "/a"}};
    EXPECT_FALSE(holds([](oci::Spec&) {}));
    EXPECT_TRUE(holds([&](oci::Spec& spec) { spec.hooks.prestart = hook; }));
    EXPECT_TRUE(holds([&](oci::Spec& spec) { spec.hooks.create_runtime = hook; }));
    EXPECT_TRUE(holds([&](oci::Spec& spec) { spec.hooks.create_container = hook; }));
    EXPECT_FALSE(holds([&](oci::Spec& spec) { spec.hooks.start_container = hook; }));
    EXPECT_FALSE(holds([&](oci::Spec& spec) { spec.hooks.poststart = hook; }));
    EXPECT_FALSE(holds([&](oci::Spec& spec) { spec.hooks.poststop = hook; }));
    EXPECT_TRUE(holds([](oci::Spec& spec) { spec.linux.net_devices["eth0"] = {}; }));
}

TEST(Codec, CarriesHooksAndScheduling) {
    InitPlan sent;
    sent.hold_before_pivot = true;
    sent.start_container_hooks = {
        {.place = "/p", .path = "/h", .args = {"a"}, .env = {"E="}, .timeout_seconds = 9}};
    sent.process.scheduling = {.scheduler = {.set = true,
                                             .policy = 6,
                                             .flags = 1,
                                             .nice = -3,
                                             .priority = 4,
                                             .runtime = 5,
                                             .deadline = 6,
                                             .period = 7},
                               .set_io_priority = true,
                               .io_priority = 8,
                               .set_personality = true,
                               .personality = 9,
                               .memory_policy = {.set = true, .mode = 10, .nodes = {11}},
                               .cpus = {12, 13}};
    InitPlan got;
    ASSERT_TRUE(codec::decode(codec::encode(sent), got));
    EXPECT_EQ(codec::encode(got), codec::encode(sent));
    EXPECT_EQ(got.start_container_hooks.at(0).timeout_seconds, 9);
    EXPECT_EQ(got.process.scheduling.scheduler.period, 7U);
    EXPECT_THAT(got.process.scheduling.memory_policy.nodes, ElementsAre(11));
    EXPECT_THAT(got.process.scheduling.cpus, ElementsAre(12, 13));
}

} // namespace
} // namespace sctr::plan
