// SPDX-License-Identifier: LGPL-2.1-or-later
#include "validate_cases.hpp"

namespace sctr::oci {
namespace {

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

} // namespace
} // namespace sctr::oci
