// SPDX-License-Identifier: LGPL-2.1-or-later
// What the mounts of a config become.
#include "plan/mounts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.hpp"
#include "plan/host_trees.hpp"
#include "plan/id_map.hpp"

namespace sctr::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

oci::Mount mount_of(const std::string& type, std::vector<std::string> options) {
    oci::Mount mount;
    mount.destination = "/m";
    mount.type = type;
    mount.source = "/s";
    mount.options = std::move(options);
    return mount;
}

oci::Spec spec_with(const oci::Mount& mount) {
    oci::Spec spec;
    spec.mounts = {mount};
    return spec;
}

MountStep step_of(const std::string& type, std::vector<std::string> options) {
    return mount_steps(spec_with(mount_of(type, std::move(options)))).front();
}

std::string error_of(const oci::Spec& spec) {
    try {
        mount_steps(spec);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

struct AttributeCase {
    std::vector<std::string> options;
    std::uint64_t set = 0;
    std::uint64_t clear = 0;
    std::uint64_t recursive_set = 0;
    std::uint64_t recursive_clear = 0;
};

TEST(MountSteps, OptionsBecomeAttributes) {
    const std::vector<AttributeCase> cases = {
        {{}},
        {{"defaults", "nofail", "silent", "iversion", "mand", "rnomand", "acl"}},
        {{"ro"}, MOUNT_ATTR_RDONLY},
        {{"ro", "rw"}, 0, MOUNT_ATTR_RDONLY},
        {{"rw", "ro"}, MOUNT_ATTR_RDONLY},
        {{"nosuid,nodev", "noexec"}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
        {{"suid", "dev", "exec"}, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
        {{"nosymfollow", "nodiratime"}, MOUNT_ATTR_NOSYMFOLLOW | MOUNT_ATTR_NODIRATIME},
        {{"noatime"}, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
        {{"strictatime"}, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
        {{"rro"}, 0, 0, MOUNT_ATTR_RDONLY},
        {{"rro", "rrw"}, 0, 0, 0, MOUNT_ATTR_RDONLY},
        {{"ro", "rnosuid", "rnosymfollow"},
         MOUNT_ATTR_RDONLY,
         0,
         MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOSYMFOLLOW},
    };
    for (const AttributeCase& test : cases) {
        for (const char* type : {"tmpfs", "bind"}) {
            const MountStep step = step_of(type, test.options);
            EXPECT_EQ(step.attr_set, test.set) << testing::PrintToString(test.options);
            EXPECT_EQ(step.attr_clear, test.clear) << testing::PrintToString(test.options);
            EXPECT_EQ(step.recursive_attr_set, test.recursive_set);
            EXPECT_EQ(step.recursive_attr_clear, test.recursive_clear);
            EXPECT_THAT(step.data, ElementsAre()) << testing::PrintToString(test.options);
        }
    }
}

struct KindCase {
    std::string type;
    std::vector<std::string> options;
    MountKind kind;
    bool recursive = false;
    std::string fstype = {};
};

TEST(MountSteps, TypesAndOptionsBecomeKinds) {
    const std::vector<KindCase> cases = {
        {"bind", {}, MountKind::bind},
        {"rbind", {}, MountKind::bind, true},
        {"none", {"bind"}, MountKind::bind},
        {"", {"rbind"}, MountKind::bind, true},
        {"tmpfs", {"rbind"}, MountKind::bind, true},
        {"bind", {"bind", "rbind"}, MountKind::bind, true},
        {"tmpfs", {}, MountKind::filesystem, false, "tmpfs"},
        {"cgroup", {"nsdelegate"}, MountKind::cgroup, false, "cgroup2"},
        {"cgroup2", {}, MountKind::cgroup, false, "cgroup2"},
        {"none", {"remount", "ro"}, MountKind::remount, false, "none"},
        {"none", {"remount", "bind", "ro"}, MountKind::remount},
        {"none", {"bind", "remount", "ro"}, MountKind::remount},
    };
    for (const KindCase& test : cases) {
        const MountStep step = step_of(test.type, test.options);
        EXPECT_EQ(step.kind, test.kind) << test.type << testing::PrintToString(test.options);
        EXPECT_EQ(step.recursive, test.recursive) << test.type;
        EXPECT_EQ(step.fstype, test.fstype) << test.type;
    }
}

struct DataCase {
    std::string type;
    std::vector<std::string> options;
    std::vector<std::string> data;
};

TEST(MountSteps, WhatIsNoMountOptionIsTheFileSystems) {
    const std::vector<DataCase> cases = {
        {"proc", {"hidepid=2", "nosuid"}, {"hidepid=2"}},
        {"tmpfs", {"size=1m,mode=755", "", "nosuid"}, {"size=1m", "mode=755"}},
        {"tmpfs", {"sync", "dirsync", "lazytime"}, {"sync", "dirsync", "lazytime"}},
        {"tmpfs", {"context=\"a:b:s0:c1,c2\",size=1"}, {"context=\"a:b:s0:c1,c2\"", "size=1"}},
        {"overlay", {R"(lowerdir=/a\,b:/c,ro)"}, {R"(lowerdir=/a\,b:/c)", "ro"}},
        {"ext4", {"ro"}, {"ro"}},
        {"ext4", {"ro", "rw"}, {}},
        {"tmpfs", {"ro"}, {}},
        {"cgroup", {"memory_recursiveprot"}, {}},
        {"bind", {"sync", "rdirsync", "lazytime", "async"}, {}},
    };
    for (const DataCase& test : cases) {
        EXPECT_EQ(step_of(test.type, test.options).data, test.data)
            << test.type << testing::PrintToString(test.options);
    }
}

TEST(MountSteps, TheMountLabelIsAnOptionWhereTheKernelTakesIt) {
    for (const char* type : {"tmpfs", "devpts", "overlay"}) {
        oci::Spec spec = spec_with(mount_of(type, {}));
        spec.linux.mount_label = "u:r:t:s0:c1,c2";
        EXPECT_THAT(mount_steps(spec).front().data, ElementsAre("context=\"u:r:t:s0:c1,c2\""));
        EXPECT_THAT(mount_steps(spec, false).front().data, ElementsAre());
        spec.mounts.front().options = {"context=mine"};
        EXPECT_THAT(mount_steps(spec).front().data, ElementsAre("context=mine"));
    }
    for (const char* type : {"proc", "sysfs", "mqueue", "cgroup", "bind"}) {
        oci::Spec spec = spec_with(mount_of(type, {}));
        spec.linux.mount_label = "u:r:t:s0";
        EXPECT_THAT(mount_steps(spec).front().data, ElementsAre()) << type;
    }
}

TEST(MountSteps, TargetsAreCleanAndAbsolute) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"/m", "/m"},
        {"m", "/m"},
        {"/m/", "/m"},
        {"//m//n/./o/", "/m/n/o"},
        {"/a/../proc", "/proc"},
        {"/../../x", "/x"},
        {"/", "/"},
        {".", "/"},
    };
    for (const auto& [given, clean] : cases) {
        oci::Mount mount = mount_of("tmpfs", {});
        mount.destination = given;
        EXPECT_EQ(mount_steps(spec_with(mount)).front().target, clean) << given;
    }
}

struct PropagationCase {
    std::string root;
    std::vector<std::string> options;
    std::uint64_t flags;
};

TEST(MountSteps, PropagationOfABindIsItsOwnOrThatOfTheRoot) {
    const std::vector<PropagationCase> cases = {
        {"", {}, MS_PRIVATE | MS_REC},
        {"private", {}, MS_PRIVATE | MS_REC},
        {"unbindable", {}, MS_PRIVATE | MS_REC},
        {"rslave", {}, MS_SLAVE | MS_REC},
        {"slave", {}, MS_SLAVE | MS_REC},
        {"shared", {}, MS_SHARED | MS_REC},
        {"rshared", {"rprivate"}, MS_PRIVATE | MS_REC},
        {"", {"private"}, MS_PRIVATE},
        {"", {"slave"}, MS_SLAVE},
        {"", {"rshared"}, MS_SHARED | MS_REC},
        {"", {"shared"}, MS_SHARED},
        {"", {"rslave", "rshared"}, MS_SHARED | MS_REC},
        {"", {"unbindable"}, MS_UNBINDABLE},
        {"", {"runbindable"}, MS_UNBINDABLE | MS_REC},
    };
    for (const PropagationCase& test : cases) {
        oci::Spec spec = spec_with(mount_of("bind", test.options));
        spec.linux.rootfs_propagation = test.root;
        EXPECT_EQ(mount_steps(spec).front().propagation, test.flags)
            << test.root << testing::PrintToString(test.options);
        spec.mounts = {mount_of("tmpfs", {})};
        EXPECT_EQ(mount_steps(spec).front().propagation, 0U);
    }
}

TEST(MountSteps, KnowEveryOptionThatTheyName) {
    for (const std::string& name : mount_option_names()) {
        const std::string type = name == "tmpcopyup" ? "tmpfs" : "bind";
        EXPECT_EQ(error_of(spec_with(mount_of(type, {name}))), "") << name;
        EXPECT_THAT(step_of(type, {name}).data, ElementsAre()) << name;
    }
    EXPECT_THAT(mount_option_names(), testing::IsSupersetOf({"rro", "rshared", "tmpcopyup"}));
}

TEST(DeferReadonly, IsForWhatSctrInitFills) {
    InitPlan plan;
    const auto add = [&plan](const std::string& type, const std::string& target) {
        plan.mounts.push_back(step_of(type, {"ro", "nosuid"}));
        plan.mounts.back().target = target;
    };
    add("tmpfs", "/v");
    add("devtmpfs", "/dev");
    add("bind", "/dev");
    add("proc", "/proc");
    defer_readonly(plan);
    EXPECT_THAT(plan.readonly_mounts, ElementsAre("/v", "/dev"));
    std::vector<std::uint64_t> attributes;
    for (const MountStep& step : plan.mounts) {
        attributes.push_back(step.attr_set);
    }
    constexpr std::uint64_t safe = MOUNT_ATTR_NOSUID;
    constexpr std::uint64_t both = safe | MOUNT_ATTR_RDONLY;
    EXPECT_THAT(attributes, ElementsAre(safe, safe, both, both));
}

TEST(RootPropagation, PrivateIsWhatItIs) {
    const std::vector<std::pair<std::string, std::uint64_t>> cases = {
        {"", 0},
        {"private", 0},
        {"rprivate", 0},
        {"slave", MS_SLAVE},
        {"rslave", MS_SLAVE | MS_REC},
        {"shared", MS_SHARED},
        {"rshared", MS_SHARED | MS_REC},
        {"unbindable", MS_UNBINDABLE},
        {"runbindable", MS_UNBINDABLE | MS_REC},
    };
    for (const auto& [word, flags] : cases) {
        oci::Spec spec;
        spec.linux.rootfs_propagation = word;
        EXPECT_EQ(root_propagation(spec), flags) << word;
    }
}

TEST(MountSteps, RefuseWhatCannotBe) {
    const std::vector<std::pair<oci::Mount, std::string>> cases = {
        {mount_of("bind", {"speed=1"}), "'speed=1'"},
        {mount_of("none", {"remount", "bind", "speed=1"}), "'speed=1'"},
        {mount_of("", {}), "without a type"},
        {mount_of("tmpfs", {"idmap"}), "only a bind mount"},
        {mount_of("bind", {"tmpcopyup"}), "only a tmpfs"},
        {mount_of("ramfs", {"tmpcopyup"}), "only a tmpfs"},
        {mount_of("tmpfs", {"copy-symlink"}), "only a bind mount"},
    };
    for (const auto& [mount, words] : cases) {
        EXPECT_THAT(error_of(spec_with(mount)), HasSubstr(words));
        EXPECT_THAT(error_of(spec_with(mount)), HasSubstr("/mounts/0"));
    }
}

oci::Spec spec_in_user_namespace(const oci::Mount& mount) {
    oci::Spec spec = spec_with(mount);
    spec.linux.namespaces = {{.type = oci::NamespaceType::user, .path = ""}};
    spec.linux.uid_mappings = {{0, 100000, 1000}, {1000, 5000, 10}};
    spec.linux.gid_mappings = {{0, 200000, 1000}};
    return spec;
}

struct IdMapCase {
    std::string option;
    std::string uid_map;
    std::string gid_map;
    bool recursive = false;
};

const std::string own_uids = "0 100000 1000\n1000 5000 10\n";
const std::string own_gids = "0 200000 1000\n";

TEST(IdMap, IsThatOfTheOptionOrTheContainers) {
    const std::vector<IdMapCase> cases = {
        {"idmap", "", ""},
        {"ridmap", "", "", true},
        {"idmap=uids=0-1-10", "0 1 10\n", own_gids},
        {"ridmap=gids=0-1-10", own_uids, "0 1 10\n", true},
        {"idmap=uids=0-1-10#10-11-10;gids=7-8-1", "0 1 10\n10 11 10\n", "7 8 1\n"},
        {"idmap=uids=@1000-0-1;gids=@50-3-2", "1000 100000 1\n", "50 200003 2\n"},
        {"idmap=uids=@0-1002-1#1-7-1", "0 5002 1\n1 7 1\n", own_gids},
    };
    for (const IdMapCase& test : cases) {
        const oci::Spec spec = spec_in_user_namespace(mount_of("bind", {"rbind", test.option}));
        const auto map = id_map_of(spec.mounts.front(), spec, "/mounts/0");
        ASSERT_TRUE(map) << test.option;
        EXPECT_EQ(map->uid_map, test.uid_map) << test.option;
        EXPECT_EQ(map->gid_map, test.gid_map) << test.option;
        EXPECT_EQ(map->recursive, test.recursive) << test.option;
    }
}

TEST(IdMap, TheMountsOwnMappingsNeedNoOptionAndNoUserNamespace) {
    for (const std::vector<std::string>& options :
         {std::vector<std::string>{}, {"idmap"}, {"ridmap"}}) {
        oci::Mount mount = mount_of("bind", options);
        mount.uid_mappings = {{0, 10, 1}};
        mount.gid_mappings = {{0, 20, 2}};
        const auto map = id_map_of(mount, spec_with(mount), "/mounts/0");
        ASSERT_TRUE(map);
        EXPECT_EQ(map->uid_map, "0 10 1\n");
        EXPECT_EQ(map->gid_map, "0 20 2\n");
        EXPECT_EQ(map->recursive, options == std::vector<std::string>{"ridmap"});
    }
    EXPECT_FALSE(id_map_of(mount_of("bind", {}), {}, ""));
}

TEST(IdMap, RefusesWhatItCannotRead) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"idmap=", "unknown id mapping"},
        {"idmap=users=0-1-1", "unknown id mapping"},
        {"idmap=uids", "unknown id mapping"},
        {"idmap=uids=0-1", "'0-1' is not an id mapping"},
        {"idmap=uids=0-1-2-3", "is not an id mapping"},
        {"idmap=uids=a-1-2", "'a' is not an id"},
        {"idmap=uids=0-4294967296-2", "'4294967296' is not an id"},
        {"idmap=uids=@0-2000-1", "2000 has no mapping"},
    };
    for (const auto& [option, words] : cases) {
        const oci::Spec spec = spec_in_user_namespace(mount_of("bind", {option}));
        try {
            id_map_of(spec.mounts.front(), spec, "/mounts/0");
            ADD_FAILURE() << option;
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr(words)) << option;
            EXPECT_THAT(error.what(), HasSubstr("/mounts/0")) << option;
        }
    }
    for (const char* option : {"idmap", "ridmap", "idmap=uids=0-1-1"}) {
        const oci::Spec spec = spec_with(mount_of("bind", {option}));
        EXPECT_THROW(id_map_of(spec.mounts.front(), spec, ""), Error) << option;
    }
}

LaunchPlan with_trees(const oci::Spec& spec, bool is_root, bool in_user_namespace) {
    LaunchPlan plan;
    plan.clone_flags = in_user_namespace ? CLONE_NEWUSER : 0;
    plan.init.rootfs = "/r";
    plan.init.mounts = mount_steps(spec);
    plan.init.devices = {{.path = "/dev/x", .uid = 1001, .gid = 7}};
    host::Facts facts;
    facts.is_root = is_root;
    add_host_trees(spec, facts, plan);
    return plan;
}

TEST(HostTrees, AreThoseThatAUserNamespaceCannotReach) {
    oci::Spec spec = spec_in_user_namespace(mount_of("bind", {"rbind", "copy-symlink"}));
    spec.mounts.push_back(mount_of("tmpfs", {}));
    const LaunchPlan plan = with_trees(spec, true, true);
    ASSERT_EQ(plan.host_trees.size(), 3U);
    EXPECT_EQ(plan.host_trees[0].source, "/r");
    EXPECT_TRUE(plan.host_trees[0].recursive);
    EXPECT_TRUE(plan.host_trees[0].attach);
    EXPECT_EQ(plan.host_trees[1].source, "/s");
    EXPECT_TRUE(plan.host_trees[1].recursive);
    EXPECT_TRUE(plan.host_trees[1].no_follow);
    ASSERT_TRUE(plan.host_trees[2].device);
    EXPECT_EQ(plan.host_trees[2].device->uid, 1001U);
    EXPECT_TRUE(plan.init.rootfs_from_host);
    EXPECT_TRUE(plan.init.mounts[0].from_host);
    EXPECT_FALSE(plan.init.mounts[1].from_host);
    EXPECT_TRUE(plan.init.devices[0].from_host);
}

TEST(HostTrees, AreNoneWhereSctrInitCanDoAsMuch) {
    const oci::Spec spec = spec_in_user_namespace(mount_of("bind", {}));
    EXPECT_TRUE(with_trees(spec, false, true).host_trees.empty());
    EXPECT_TRUE(with_trees(spec, true, false).host_trees.empty());
}

TEST(HostTrees, AnIdMappedMountIsOneInAnyCase) {
    oci::Mount mount = mount_of("bind", {});
    mount.uid_mappings = {{0, 10, 1}};
    mount.gid_mappings = {{0, 20, 2}};
    const LaunchPlan plan = with_trees(spec_with(mount), true, false);
    ASSERT_EQ(plan.host_trees.size(), 1U);
    EXPECT_EQ(plan.host_trees[0].id_map->uid_map, "0 10 1\n");
    EXPECT_TRUE(plan.init.mounts[0].from_host);
    EXPECT_FALSE(plan.init.rootfs_from_host);
}

TEST(Devices, OfTheConfigMustMatchAndThoseOfEveryContainerMayNot) {
    oci::Spec spec;
    spec.linux.devices = {{.path = "/dev/null", .type = "c", .major = 1, .minor = 3}};
    InitPlan plan;
    add_devices(spec, plan);
    for (const DeviceStep& device : plan.devices) {
        EXPECT_EQ(device.must_match, device.path == "/dev/null") << device.path;
    }
    EXPECT_EQ(plan.devices.size(), 6U);
}

TEST(Devices, AreThoseOfTheHostWithTheHostsDev) {
    oci::Mount mount = mount_of("bind", {"rbind"});
    mount.destination = "/dev/";
    const oci::Spec spec = spec_with(mount);
    InitPlan plan;
    plan.mounts = mount_steps(spec);
    add_devices(spec, plan);
    EXPECT_TRUE(plan.devices.empty());
    EXPECT_TRUE(plan.symlinks.empty());
}

} // namespace
} // namespace sctr::plan
