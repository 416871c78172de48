// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/validate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.hpp"
#include "oci/names.hpp"

namespace sctr::oci {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using Change = std::function<void(Spec&)>;

struct BadCase {
    Change change;
    const char* pointer;
    const char* why;
};

/// A valid config with a new namespace of every type.
Spec valid_spec() {
    Spec spec{.process = Process{.args = {"sh"}}, .root = {.path = "rootfs"}};
    for (const auto type : all_namespace_types) {
        spec.linux.namespaces.push_back({.type = type});
    }
    spec.linux.uid_mappings = {{.container_id = 0, .host_id = 100000, .size = 65536}};
    spec.linux.gid_mappings = {{.container_id = 0, .host_id = 100000, .size = 65536}};
    return spec;
}

void drop_namespace(Spec& spec, NamespaceType type) {
    std::erase_if(spec.linux.namespaces, [type](const Namespace& n) { return n.type == type; });
}

void join_namespace(Spec& spec, NamespaceType type) {
    for (auto& entry : spec.linux.namespaces) {
        if (entry.type == type) {
            entry.path = "/proc/1/ns/x";
        }
    }
}

std::string error_after(const Change& change) {
    auto spec = valid_spec();
    change(spec);
    try {
        validate(spec);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

void expect_all_refused(const std::vector<BadCase>& cases) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
        EXPECT_THAT(error_after(cases[i].change),
                    AllOf(StartsWith("invalid config: " + std::string(cases[i].pointer) + ": "),
                          HasSubstr(cases[i].why)))
            << "case " << i;
    }
}

void expect_all_accepted(const std::vector<Change>& changes) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
        EXPECT_EQ(error_after(changes[i]), "no error") << "case " << i;
    }
}

TEST(Validate, JudgesTheVersion) {
    for (const auto* good : {"1.0.0", "1.3.0", "1.0.2-dev", "1.0.0-rc5+git.007", "1.10.20"}) {
        EXPECT_EQ(error_after([good](Spec& s) { s.oci_version = good; }), "no error") << good;
    }
    for (const auto* bad : {"",
                            "1",
                            "1.0",
                            "1.0.0.0",
                            "0.5.0",
                            "2.0.0",
                            "10.0.0",
                            "v1.0.0",
                            "1.0.x",
                            "1.00.0",
                            "1.0.0-",
                            "1.0.0-01",
                            "1.0.0-a..b",
                            "1.0.0+",
                            "1.0.0 ",
                            "-1.0.0"}) {
        EXPECT_THAT(error_after([bad](Spec& s) { s.oci_version = bad; }),
                    StartsWith("invalid config: /ociVersion: \"" + std::string(bad) + "\""));
    }
}

TEST(Validate, AcceptsAConfigWithoutProcess) {
    expect_all_accepted({[](Spec& s) { s.process.reset(); }});
}

TEST(Validate, RefusesBadTopLevelFields) {
    expect_all_refused({
        {[](Spec& s) { s.root.path = ""; }, "/root/path", "required"},
        {[](Spec& s) { s.annotations[""] = "x"; }, "/annotations", "empty"},
        {[](Spec& s) { s.mounts = {{.destination = ""}}; }, "/mounts/0/destination", "empty"},
        {[](Spec& s) { s.mounts = {{.destination = "/a", .uid_mappings = {{0, 0, 1}}}}; },
         "/mounts/0",
         "together"},
        {[](Spec& s) {
             s.mounts = {
                 {.destination = "/a", .uid_mappings = {{0, 0, 1}}, .gid_mappings = {{0, 0, 0}}}};
         },
         "/mounts/0/gidMappings/0/size",
         "at least one"},
        {[](Spec& s) {
             s.hostname = "web";
             drop_namespace(s, NamespaceType::uts);
         },
         "/hostname",
         "namespace of type uts"},
        {[](Spec& s) {
             s.domainname = "example";
             drop_namespace(s, NamespaceType::uts);
         },
         "/domainname",
         "namespace of type uts"},
    });
    expect_all_accepted({
        [](Spec& s) { s.mounts = {{.destination = "relative"}}; },
        [](Spec& s) {
            s.hostname = "web";
            join_namespace(s, NamespaceType::uts);
        },
    });
}

TEST(Validate, JudgesHooks) {
    const Hook relative{.path = "bin/hook"};
    const Hook hasty{.path = "/bin/hook", .timeout = 0};
    expect_all_refused({
        {[&](Spec& s) { s.hooks.prestart = {relative}; }, "/hooks/prestart/0/path", "absolute"},
        {[&](Spec& s) { s.hooks.create_runtime = {relative}; },
         "/hooks/createRuntime/0/path",
         "\"bin/hook\" is not an absolute path"},
        {[&](Spec& s) { s.hooks.create_container = {hasty}; },
         "/hooks/createContainer/0/timeout",
         "0 seconds"},
        {[&](Spec& s) { s.hooks.start_container = {{.path = "/a"}, relative}; },
         "/hooks/startContainer/1/path",
         "absolute"},
        {[&](Spec& s) { s.hooks.poststart = {hasty}; }, "/hooks/poststart/0/timeout", "1 and more"},
        {[&](Spec& s) { s.hooks.poststop = {relative}; }, "/hooks/poststop/0/path", "absolute"},
    });
    expect_all_accepted({[](Spec& s) { s.hooks.poststop = {{.path = "/a", .timeout = 1}}; }});
}

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

TEST(Validate, JudgesNamespaces) {
    expect_all_refused({
        {[](Spec& s) { s.linux.namespaces.push_back({.type = NamespaceType::pid}); },
         "/linux/namespaces/8/type",
         "pid is given twice"},
        {[](Spec& s) { s.linux.namespaces.at(0).path = "proc/1/ns/pid"; },
         "/linux/namespaces/0/path",
         "absolute"},
        {[](Spec& s) { drop_namespace(s, NamespaceType::user); },
         "/linux/uidMappings",
         "namespace of type user"},
        {[](Spec& s) { s.linux.uid_mappings.clear(); }, "/linux/uidMappings", "required"},
        {[](Spec& s) { s.linux.gid_mappings.clear(); }, "/linux/gidMappings", "required"},
        {[](Spec& s) {
             s.linux.time_offsets["boottime"] = {};
             drop_namespace(s, NamespaceType::time);
         },
         "/linux/timeOffsets",
         "namespace of type time"},
        {[](Spec& s) {
             s.linux.time_offsets["boottime"] = {};
             join_namespace(s, NamespaceType::time);
         },
         "/linux/timeOffsets",
         "joined"},
        {[](Spec& s) { s.linux.time_offsets["realtime"] = {}; },
         "/linux/timeOffsets/realtime",
         "monotonic, boottime"},
        {[](Spec& s) { s.linux.time_offsets["monotonic"] = {.nanosecs = 1'000'000'000}; },
         "/linux/timeOffsets/monotonic/nanosecs",
         "out of range"},
        {[](Spec& s) {
             s.linux.masked_paths = {"/proc/kcore"};
             drop_namespace(s, NamespaceType::mount);
         },
         "/linux/maskedPaths",
         "namespace of type mount"},
    });
    expect_all_accepted({
        [](Spec& s) { s.linux.time_offsets["monotonic"] = {.secs = -1, .nanosecs = 999'999'999}; },
        [](Spec& s) { join_namespace(s, NamespaceType::user); },
        [](Spec& s) {
            join_namespace(s, NamespaceType::user);
            s.linux.uid_mappings.clear();
            s.linux.gid_mappings.clear();
        },
        [](Spec& s) { s.linux = {}; },
    });
}

TEST(Validate, JudgesIdMappings) {
    const auto with = [](const std::vector<IdMapping>& mappings) {
        return [mappings](Spec& s) { s.linux.gid_mappings = mappings; };
    };
    expect_all_refused({
        {with({{0, 0, 0}}), "/linux/gidMappings/0/size", "at least one"},
        {with({{0, 100, 10}, {9, 200, 10}}), "/linux/gidMappings", "container id 9"},
        {with({{9, 200, 10}, {0, 100, 10}}), "/linux/gidMappings", "container id 9"},
        {with({{0, 100, 10}, {10, 109, 10}}), "/linux/gidMappings", "host id 109"},
        {with({{0, 100, 10}, {0, 200, 10}}), "/linux/gidMappings", "container id 0"},
        {with({{0, 1, 4294967295}}), "/linux/gidMappings/0", "highest id"},
        {with({{4294967295, 0, 1}}), "/linux/gidMappings/0", "highest id"},
        {with(std::vector<IdMapping>(341, {0, 0, 1})), "/linux/gidMappings", "at most 340"},
    });
    expect_all_accepted({
        with({{0, 0, 4294967295}}),
        with({{10, 110, 10}, {0, 100, 10}}),
        with({{0, 4294967294, 1}}),
    });
}

TEST(Validate, JudgesSysctls) {
    const auto with = [](const char* name) {
        return [name](Spec& s) { s.linux.sysctl[name] = "1"; };
    };
    const auto without = [](const char* name, NamespaceType type) {
        return [name, type](Spec& s) {
            s.linux.sysctl[name] = "1";
            drop_namespace(s, type);
        };
    };
    expect_all_refused({
        {with("kernel.core_pattern"), "/linux/sysctl/kernel.core_pattern", "net.*"},
        {with("vm.swappiness"), "/linux/sysctl/vm.swappiness", "would change the host"},
        {with("net"), "/linux/sysctl/net", "would change the host"},
        {with(""), "/linux/sysctl/", "not the name"},
        {with("net..core"), "/linux/sysctl/net..core", "not the name"},
        {with("net/../kernel/core_pattern"),
         "/linux/sysctl/net~1..~1kernel~1core_pattern",
         "not the name"},
        {with("net.//.kernel.core_pattern"),
         "/linux/sysctl/net.~1~1.kernel.core_pattern",
         "not the name"},
        {with("kernel.hostname"), "/linux/sysctl/kernel.hostname", "field hostname"},
        {[](Spec& s) {
             s.linux.sysctl["kernel.domainname"] = "a";
             s.domainname = "b";
         },
         "/linux/sysctl/kernel.domainname",
         "field domainname"},
        {without("net.ipv4.ip_forward", NamespaceType::network),
         "/linux/sysctl/net.ipv4.ip_forward",
         "namespace of type network"},
        {without("kernel.shmmax", NamespaceType::ipc),
         "/linux/sysctl/kernel.shmmax",
         "namespace of type ipc"},
        {without("fs.mqueue.msg_max", NamespaceType::ipc),
         "/linux/sysctl/fs.mqueue.msg_max",
         "namespace of type ipc"},
        {without("kernel.domainname", NamespaceType::uts),
         "/linux/sysctl/kernel.domainname",
         "namespace of type uts"},
    });
    expect_all_accepted({
        with("net.ipv4.ip_forward"),
        with("net/ipv4/conf/eth0.1/forwarding"),
        with("kernel.sem"),
        with("kernel/msgmax"),
        with("fs.mqueue.msg_max"),
        with("kernel.domainname"),
        [](Spec& s) {
            s.linux.sysctl["net.core.somaxconn"] = "1";
            join_namespace(s, NamespaceType::network);
        },
    });
}

TEST(Validate, JudgesDevicesAndPaths) {
    const auto device = [](const Device& value) {
        return [value](Spec& s) { s.linux.devices = {value}; };
    };
    const auto net_device = [](const std::string& host, const std::string& inside) {
        return [host, inside](Spec& s) { s.linux.net_devices[host] = {.name = inside}; };
    };
    expect_all_refused({
        {device({.path = "dev/a", .type = "c"}), "/linux/devices/0/path", "absolute"},
        {device({.path = "/dev/a", .type = "x"}), "/linux/devices/0/type", "c, b, u, p"},
        {device({.path = "/dev/a", .type = ""}), "/linux/devices/0/type", "c, b, u, p"},
        {device({.path = "/dev/a", .type = "c", .major = -1}), "/linux/devices/0/major", "4095"},
        {device({.path = "/dev/a", .type = "b", .major = 4096}), "/linux/devices/0/major", "4095"},
        {device({.path = "/dev/a", .type = "u", .minor = 1048576}),
         "/linux/devices/0/minor",
         "1048575"},
        {net_device("eth0123456789abc", ""), "/linux/netDevices/eth0123456789abc", "15 bytes"},
        {net_device("eth0", "a/b"), "/linux/netDevices/eth0", "slash"},
        {net_device("eth0", "a b"), "/linux/netDevices/eth0", "blank"},
        {net_device("eth0", ".."), "/linux/netDevices/eth0", "\"..\""},
        {net_device("", "eth0"), "/linux/netDevices/", "not the name"},
        {[](Spec& s) { s.linux.net_devices = {{"eth0", {}}, {"eth1", {.name = "eth0"}}}; },
         "/linux/netDevices/eth1",
         "two devices get the name eth0"},
        {[](Spec& s) {
             s.linux.net_devices = {{"eth0", {}}};
             drop_namespace(s, NamespaceType::network);
         },
         "/linux/netDevices/eth0",
         "namespace of type network"},
        {[](Spec& s) { s.linux.masked_paths = {"/a", "proc/kcore"}; },
         "/linux/maskedPaths/1",
         "absolute"},
        {[](Spec& s) { s.linux.readonly_paths = {""}; }, "/linux/readonlyPaths/0", "absolute"},
        {[](Spec& s) { s.linux.rootfs_propagation = "public"; },
         "/linux/rootfsPropagation",
         "rprivate"},
    });
    expect_all_accepted({
        device({.path = "/dev/a", .type = "c", .major = 4095, .minor = 1048575}),
        device({.path = "/dev/fifo", .type = "p", .major = -1}),
        net_device("eth0123456789ab", "inside"),
        [](Spec& s) {
            s.linux.net_devices = {{"eth0", {.name = "eth1"}}, {"eth1", {.name = "a"}}};
        },
        [](Spec& s) { s.linux.rootfs_propagation = "rslave"; },
        [](Spec& s) { s.linux.rootfs_propagation = "unbindable"; },
    });
}

TEST(Validate, JudgesTheOddLinuxFields) {
    expect_all_refused({
        {[](Spec& s) { s.linux.personality = Personality{.domain = "BSD"}; },
         "/linux/personality/domain",
         "LINUX, LINUX32"},
        {[](Spec& s) { s.linux.personality = Personality{"LINUX", {"X"}}; },
         "/linux/personality/flags",
         "no flags"},
        {[](Spec& s) { s.linux.memory_policy = MemoryPolicy{"MPOL_FOO", "", {}}; },
         "/linux/memoryPolicy/mode",
         "MPOL_BIND"},
        {[](Spec& s) { s.linux.memory_policy = MemoryPolicy{"MPOL_BIND", "0", {"X"}}; },
         "/linux/memoryPolicy/flags/0",
         "MPOL_F_STATIC_NODES"},
        {[](Spec& s) { s.linux.memory_policy = MemoryPolicy{"MPOL_BIND", "", {}}; },
         "/linux/memoryPolicy/nodes",
         "needs nodes"},
        {[](Spec& s) { s.linux.memory_policy = MemoryPolicy{"MPOL_LOCAL", "0", {}}; },
         "/linux/memoryPolicy/nodes",
         "takes no nodes"},
        {[](Spec& s) { s.linux.memory_policy = MemoryPolicy{"MPOL_BIND", "a", {}}; },
         "/linux/memoryPolicy/nodes",
         "list of numbers"},
        {[](Spec& s) { s.linux.intel_rdt = IntelRdt{.clos_id = "../x"}; },
         "/linux/intelRdt/closID",
         "directory"},
        {[](Spec& s) { s.linux.intel_rdt = IntelRdt{.mem_bw_schema = "L3:0=f"}; },
         "/linux/intelRdt/memBwSchema",
         "MB:"},
        {[](Spec& s) { s.linux.intel_rdt = IntelRdt{.mem_bw_schema = "MB:0=1\nL3:0=f"}; },
         "/linux/intelRdt/memBwSchema",
         "one line"},
    });
    expect_all_accepted({
        [](Spec& s) { s.linux.personality = Personality{.domain = "LINUX32"}; },
        [](Spec& s) { s.linux.memory_policy = MemoryPolicy{"MPOL_PREFERRED", "", {}}; },
        [](Spec& s) { s.linux.memory_policy = MemoryPolicy{"MPOL_DEFAULT", "", {}}; },
        [](Spec& s) { s.linux.memory_policy = MemoryPolicy{"MPOL_BIND", "0-1,3", {}}; },
        [](Spec& s) { s.linux.intel_rdt = IntelRdt{.clos_id = "a", .mem_bw_schema = "MB:0=1"}; },
    });
}

TEST(Validate, JudgesMemoryAndCpu) {
    const auto memory = [](const Memory& value) {
        return [value](Spec& s) { s.linux.resources.memory = value; };
    };
    const auto cpu = [](const Cpu& value) {
        return [value](Spec& s) { s.linux.resources.cpu = value; };
    };
    expect_all_refused({
        {memory({.limit = -2}), "/linux/resources/memory/limit", "out of range"},
        {memory({.reservation = -2}), "/linux/resources/memory/reservation", "out of range"},
        {memory({.swap = -2}), "/linux/resources/memory/swap", "out of range"},
        {memory({.kernel = -2}), "/linux/resources/memory/kernel", "out of range"},
        {memory({.kernel_tcp = -2}), "/linux/resources/memory/kernelTCP", "out of range"},
        {memory({.limit = 200, .swap = 199}), "/linux/resources/memory/swap", "199 is below"},
        {memory({.limit = -1, .swap = 199}), "/linux/resources/memory/swap", "needs a limit"},
        {memory({.swappiness = 101}), "/linux/resources/memory/swappiness", "0 to 100"},
        {cpu({.period = 999}), "/linux/resources/cpu/period", "1000 to 1000000"},
        {cpu({.period = 1'000'001}), "/linux/resources/cpu/period", "1000 to 1000000"},
        {cpu({.quota = 999}), "/linux/resources/cpu/quota", "1000 and more"},
        {cpu({.quota = -2}), "/linux/resources/cpu/quota", "-1 for unlimited"},
        {cpu({.quota = 1000, .burst = 1001}), "/linux/resources/cpu/burst", "above the quota"},
        {cpu({.idle = 2}), "/linux/resources/cpu/idle", "0 to 1"},
        {cpu({.cpus = "0-x"}), "/linux/resources/cpu/cpus", "\"0-x\""},
        {cpu({.mems = "9-1"}), "/linux/resources/cpu/mems", "\"9-1\""},
    });
    expect_all_accepted({
        memory({.limit = 200, .reservation = 100, .swap = 200, .kernel = -1, .swappiness = 100}),
        memory({.limit = -1, .swap = -1}),
        memory({.limit = 200, .swap = -1}),
        memory({.swap = 100}),
        memory({.limit = 200, .swap = 0}),
        cpu({.shares = 0, .quota = 0, .period = 0}),
        cpu({.shares = 1, .quota = -1, .burst = 5, .period = 1000}),
        cpu({.quota = 1000, .burst = 1000, .period = 1'000'000, .cpus = "0,2-3", .mems = "0"}),
    });
}

TEST(Validate, JudgesTheOtherResources) {
    const auto rule = [](const DeviceCgroup& value) {
        return [value](Spec& s) { s.linux.resources.devices = {value}; };
    };
    const auto block_io = [](const BlockIo& value) {
        return [value](Spec& s) { s.linux.resources.block_io = value; };
    };
    const auto hugepage = [](const char* size) {
        return [size](Spec& s) { s.linux.resources.hugepage_limits = {{.page_size = size}}; };
    };
    const auto unified = [](const char* file) {
        return [file](Spec& s) { s.linux.resources.unified[file] = "1"; };
    };
    expect_all_refused({
        {rule({.type = "p"}), "/linux/resources/devices/0/type", "a, b, c"},
        {rule({.major = -2}), "/linux/resources/devices/0/major", "out of range"},
        {rule({.minor = -2}), "/linux/resources/devices/0/minor", "out of range"},
        {rule({.access = "rwx"}), "/linux/resources/devices/0/access", "r, w and m"},
        {[](Spec& s) { s.linux.resources.pids_limit = -2; }, "/linux/resources/pids/limit", "-2"},
        {block_io({.weight = 9}), "/linux/resources/blockIO/weight", "10 to 1000"},
        {block_io({.leaf_weight = 1001}), "/linux/resources/blockIO/leafWeight", "10 to 1000"},
        {block_io({.weight_device = {{.major = 8}}}),
         "/linux/resources/blockIO/weightDevice/0",
         "weight or leafWeight"},
        {block_io({.weight_device = {{.major = 8, .weight = 5}}}),
         "/linux/resources/blockIO/weightDevice/0/weight",
         "10 to 1000"},
        {block_io({.throttle_read_bps_device = {{.major = -1}}}),
         "/linux/resources/blockIO/throttleReadBpsDevice/0/major",
         "out of range"},
        {block_io({.throttle_write_bps_device = {{.minor = -1}}}),
         "/linux/resources/blockIO/throttleWriteBpsDevice/0/minor",
         "out of range"},
        {block_io({.throttle_read_iops_device = {{}, {.major = -1}}}),
         "/linux/resources/blockIO/throttleReadIOPSDevice/1/major",
         "out of range"},
        {block_io({.throttle_write_iops_device = {{.major = -1}}}),
         "/linux/resources/blockIO/throttleWriteIOPSDevice/0/major",
         "out of range"},
        {hugepage("2mb"), "/linux/resources/hugepageLimits/0/pageSize", "2MB"},
        {hugepage("MB"), "/linux/resources/hugepageLimits/0/pageSize", "2MB"},
        {hugepage("2"), "/linux/resources/hugepageLimits/0/pageSize", "2MB"},
        {hugepage("../2MB"), "/linux/resources/hugepageLimits/0/pageSize", "2MB"},
        {[](Spec& s) { s.linux.resources.rdma["mlx5_1"] = {}; },
         "/linux/resources/rdma/mlx5_1",
         "hcaHandles or hcaObjects"},
        {unified("../memory.max"), "/linux/resources/unified/..~1memory.max", "cgroup file"},
        {unified(".."), "/linux/resources/unified/..", "cgroup file"},
        {unified(""), "/linux/resources/unified/", "cgroup file"},
    });
    expect_all_accepted({
        rule({.allow = true, .type = "c", .major = -1, .minor = 5, .access = "rwm"}),
        rule({.allow = false, .access = ""}),
        [](Spec& s) { s.linux.resources.pids_limit = -1; },
        block_io({.weight = 0, .leaf_weight = 10, .weight_device = {{.weight = 1000}}}),
        hugepage("64KB"),
        hugepage("1GB"),
        [](Spec& s) { s.linux.resources.rdma["mlx5_1"].hca_objects = 0; },
        unified("memory.high"),
    });
}

TEST(Validate, JudgesSeccomp) {
    const auto with = [](const std::function<void(Seccomp&)>& change) {
        return [change](Spec& s) {
            s.linux.seccomp = Seccomp{
                .default_action = "SCMP_ACT_ALLOW",
                .syscalls = {{.names = {"read"}, .action = "SCMP_ACT_ERRNO"}},
            };
            change(*s.linux.seccomp);
        };
    };
    expect_all_refused({
        {with([](Seccomp& s) { s.default_action = "allow"; }),
         "/linux/seccomp/defaultAction",
         "SCMP_ACT_ALLOW"},
        {with([](Seccomp& s) { s.default_errno_ret = 1; }),
         "/linux/seccomp/defaultErrnoRet",
         "not for SCMP_ACT_ALLOW"},
        {with([](Seccomp& s) { s.architectures = {"SCMP_ARCH_X86", "x86"}; }),
         "/linux/seccomp/architectures/1",
         "SCMP_ARCH_X86_64"},
        {with([](Seccomp& s) { s.flags = {"LOG"}; }),
         "/linux/seccomp/flags/0",
         "SECCOMP_FILTER_FLAG_LOG"},
        {with([](Seccomp& s) { s.listener_metadata = "x"; }),
         "/linux/seccomp/listenerMetadata",
         "listenerPath"},
        {with([](Seccomp& s) {
             s.default_action = "SCMP_ACT_NOTIFY";
             s.listener_path = "/run/x";
         }),
         "/linux/seccomp/defaultAction",
         "single system calls"},
        {with([](Seccomp& s) { s.syscalls[0].action = "SCMP_ACT_NOTIFY"; }),
         "/linux/seccomp/syscalls/0/action",
         "listenerPath"},
        {with([](Seccomp& s) {
             s.syscalls = {{{"bind", "sendmsg"}, "SCMP_ACT_NOTIFY", {}, {}}};
             s.listener_path = "/run/x";
         }),
         "/linux/seccomp/syscalls/0/names",
         "sendmsg"},
        {with([](Seccomp& s) { s.syscalls[0].names = {}; }),
         "/linux/seccomp/syscalls/0/names",
         "at least one"},
        {with([](Seccomp& s) { s.syscalls[0].action = "SCMP_ACT_DENY"; }),
         "/linux/seccomp/syscalls/0/action",
         "SCMP_ACT_KILL"},
        {with([](Seccomp& s) { s.syscalls[0].errno_ret = 4096; }),
         "/linux/seccomp/syscalls/0/errnoRet",
         "0 to 4095"},
        {with([](Seccomp& s) { s.syscalls[0] = {{"read"}, "SCMP_ACT_LOG", 1, {}}; }),
         "/linux/seccomp/syscalls/0/errnoRet",
         "not for SCMP_ACT_LOG"},
        {with([](Seccomp& s) { s.syscalls[0].args = {{.index = 6, .op = "SCMP_CMP_EQ"}}; }),
         "/linux/seccomp/syscalls/0/args/0/index",
         "0 to 5"},
        {with([](Seccomp& s) { s.syscalls[0].args = {{.index = 0, .op = "=="}}; }),
         "/linux/seccomp/syscalls/0/args/0/op",
         "SCMP_CMP_MASKED_EQ"},
    });
    expect_all_accepted({
        with([](Seccomp&) {}),
        with([](Seccomp& s) { s.syscalls[0].errno_ret = 38; }),
        with([](Seccomp& s) {
            s.syscalls = {{{"bind", "read", "execve"}, "SCMP_ACT_NOTIFY", {}, {}}};
            s.listener_path = "/run/x";
        }),
        with([](Seccomp& s) { s.syscalls[0].args = {{.index = 5, .op = "SCMP_CMP_GE"}}; }),
        with([](Seccomp& s) {
            s.default_action = "SCMP_ACT_ERRNO";
            s.default_errno_ret = 1;
            s.architectures = {"SCMP_ARCH_RISCV64"};
            s.flags = {"SECCOMP_FILTER_FLAG_LOG"};
            s.listener_path = "/run/x";
            s.listener_metadata = "x";
        }),
    });
}

TEST(Validate, JudgesAProcessAndResourcesByThemselves) {
    EXPECT_NO_THROW(validate_process({.args = {"id"}, .cwd = "/"}));
    EXPECT_THROW(validate_process({.args = {"id"}, .cwd = "tmp"}), Error);
    EXPECT_NO_THROW(validate_resources({.pids_limit = 5}));
    EXPECT_THROW(validate_resources({.pids_limit = -5}), Error);
}

} // namespace
} // namespace sctr::oci
