// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/user_namespace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/mount.h>
#include <sched.h>

#include "base/error.hpp"

namespace sctr::plan {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

/// Who asks, and for what.
struct Case {
    const char* name;
    host::Facts facts;
    bool own_user_namespace;
    std::uint32_t mapped_groups; ///< in it, from 0 on
    bool own_cgroup_namespace;
};

const host::Facts root{.is_root = true};
const host::Facts user{.is_root = false, .is_rootless = true};
const host::Facts podman{.is_root = true, .is_rootless = true, .in_user_namespace = true};
const host::Facts small{
    .is_root = true, .is_rootless = true, .in_user_namespace = true, .has_tty_group = false};

LaunchPlan fitted(const Case& each) {
    oci::Spec spec;
    LaunchPlan plan;
    if (each.own_user_namespace) {
        plan.clone_flags = CLONE_NEWUSER;
        spec.linux.gid_mappings = {
            {.container_id = 0, .host_id = 100000, .size = each.mapped_groups}};
    }
    if (each.own_cgroup_namespace) {
        plan.init.namespaces.push_back({.clone_flag = CLONE_NEWCGROUP});
    }
    plan.init.mounts = {
        {.target = "/sys", .fstype = "sysfs"},
        {.target = "/dev/mqueue", .fstype = "mqueue"},
        {.target = "/dev/pts", .fstype = "devpts", .data = {"mode=0620", "gid=5"}},
        {.kind = MountKind::cgroup, .target = "/sys/fs/cgroup", .fstype = "cgroup2"},
    };
    fit_to_user_namespace(spec, each.facts, plan);
    return plan;
}

const Case cases[] = {
    {"root", root, false, 0, false},
    {"root, user namespace", root, true, 65536, true},
    {"root, user namespace, host's cgroups", root, true, 65536, false},
    {"user", user, true, 1, true},
    {"user, host's cgroups", user, true, 6, false},
    {"podman", podman, false, 0, true},
    {"podman, host's cgroups", podman, false, 0, false},
    {"podman with one group", small, false, 0, true},
    {"podman, user namespace", podman, true, 5, true},
};

TEST(FitToUserNamespace, LetsTheHostsMountsStandIn) {
    for (const Case& each : cases) {
        const bool in_one = each.own_user_namespace || each.facts.in_user_namespace;
        const auto plan = fitted(each);
        EXPECT_EQ(plan.init.mounts[0].bind_if_refused, in_one ? "/sys" : "") << each.name;
        EXPECT_EQ(plan.init.mounts[1].bind_if_refused, in_one ? "/dev/mqueue" : "") << each.name;
    }
}

TEST(FitToUserNamespace, BindsTheHostsCgroupsReadOnly) {
    for (const Case& each : cases) {
        const bool in_one = each.own_user_namespace || each.facts.in_user_namespace;
        const auto step = fitted(each).init.mounts[3];
        if (!in_one || each.own_cgroup_namespace) {
            EXPECT_EQ(step.kind, MountKind::cgroup) << each.name;
            continue;
        }
        EXPECT_EQ(step.kind, MountKind::bind) << each.name;
        EXPECT_EQ(step.source, "/sys/fs/cgroup") << each.name;
        EXPECT_TRUE(step.recursive) << each.name;
        EXPECT_EQ(step.recursive_attr_set, std::uint64_t{MOUNT_ATTR_RDONLY}) << each.name;
    }
}

TEST(FitToUserNamespace, DropsATerminalGroupWithoutAnId) {
    for (const Case& each : cases) {
        const bool has_it =
            each.own_user_namespace ? each.mapped_groups > 5 : each.facts.has_tty_group;
        const auto data = fitted(each).init.mounts[2].data;
        EXPECT_THAT(data, Contains("mode=0620")) << each.name;
        if (has_it) {
            EXPECT_THAT(data, Contains("gid=5")) << each.name;
        } else {
            EXPECT_THAT(data, Not(Contains("gid=5"))) << each.name;
        }
    }
}

TEST(FitToUserNamespace, RefusesAPlainUserWithoutOne) {
    try {
        fitted({"", user, false, 0, true});
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(),
                    AllOf(HasSubstr("/linux/namespaces"), HasSubstr("spec --rootless")));
    }
}

} // namespace
} // namespace sctr::plan
