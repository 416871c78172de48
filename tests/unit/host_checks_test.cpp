// SPDX-License-Identifier: LGPL-2.1-or-later
#include "host/checks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

/// A folder stands for the host: each test takes something away from a good one.
namespace sctr::host {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Checks : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "/sctr-checks-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        root_ = pattern;
        write("/proc/self/mountinfo",
              "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 "
              "rw,nsdelegate,favordynmods\n");
        write("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
        write("/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers",
              "cpuset cpu io memory pids\n");
        write("/proc/sys/user/max_user_namespaces", "100\n");
        write("/proc/sys/kernel/seccomp/actions_avail", "kill errno user_notif allow\n");
        write("/sys/kernel/security/lsm", "capability,apparmor");
        write("/proc/filesystems", "nodev\toverlay\n\text4\n");
        for (const char* path :
             {"/run/dbus/system_bus_socket",
              "/run/systemd/journal/socket",
              "/run/user/1000/bus",
              "/dev/fuse",
              "/usr/bin/newuidmap",
              "/usr/bin/newgidmap",
              "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service",
              "/usr/share/dbus-1/system-services/org.freedesktop.machine1.service"}) {
            write(path, "");
        }
        write("/etc/subuid", "me:100000:65536\n");
        write("/etc/subgid", "1000:100000:65536\n");
    }

    void TearDown() override { fs::remove_all(root_); }

    void write(const std::string& path, const std::string& text) {
        const fs::path whole = root_ + path;
        fs::create_directories(whole.parent_path());
        std::ofstream(whole) << text;
    }

    [[nodiscard]] CheckInput input(uid_t uid = 0) const {
        return {.root = root_,
                .uid = uid,
                .user = uid == 0 ? "root" : "me",
                .runtime_dir = "/run/user/" + std::to_string(uid),
                .kernel = "6.12.1-amd64",
                .systemd = "257.13-1"};
    }

    /// The check of that name, which must be there.
    static Check find(const CheckInput& input, const std::string& name) {
        const auto checks = run_checks(input);
        const auto found = std::ranges::find(checks, name, &Check::name);
        EXPECT_NE(found, checks.end()) << name;
        return found == checks.end() ? Check{} : *found;
    }

    std::string root_;
};

TEST_F(Checks, AGoodHostHasNothingToMend) {
    for (const uid_t uid : {0U, 1000U}) {
        for (const Check& check : run_checks(input(uid))) {
            EXPECT_EQ(check.state, CheckState::ok) << check.name << ": " << check.text;
            EXPECT_EQ(check.mend, "") << check.name;
        }
    }
}

TEST_F(Checks, Versions) {
    const struct {
        const char* systemd;
        const char* kernel;
        CheckState systemd_state;
        CheckState kernel_state;
    } cases[] = {
        {"251", "6.0.9", CheckState::missing, CheckState::missing},
        {"252.1", "6.1.0", CheckState::info, CheckState::ok},
        {"255", "10.0", CheckState::ok, CheckState::ok},
        {"", "5.19.0", CheckState::missing, CheckState::missing},
    };

    for (const auto& each : cases) {
        CheckInput world = input();
        world.systemd = each.systemd;
        world.kernel = each.kernel;
        EXPECT_EQ(find(world, "systemd").state, each.systemd_state) << each.systemd;
        EXPECT_EQ(find(world, "kernel").state, each.kernel_state) << each.kernel;
    }
}

TEST_F(Checks, EachMissingControllerIsNamed) {
    write("/sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
    EXPECT_EQ(find(input(), "controllers").text, "memory cpu");
    EXPECT_EQ(find(input(), "controller pids").state, CheckState::missing);
    EXPECT_EQ(find(input(), "controller io").state, CheckState::missing);
    fs::remove_all(root_ + "/sys/fs/cgroup/user.slice");
    EXPECT_THAT(find(input(1000), "controller memory").mend, HasSubstr("Delegate="));
}

TEST_F(Checks, SystemdsOwnSocketIsASession) {
    fs::remove(root_ + "/run/user/1000/bus");
    write("/run/user/1000/systemd/private", "");
    const Check check = find(input(1000), "user session");
    EXPECT_EQ(check.state, CheckState::ok);
    EXPECT_EQ(check.text, "at /run/user/1000/systemd/private");
}

TEST_F(Checks, AUserManagerThatLostTheSystemsBus) {
    CheckInput world = input(1000);
    EXPECT_EQ(find(world, "user manager").state, CheckState::ok);
    world.cut_off_mend = "the mend";
    const Check check = find(world, "user manager");
    EXPECT_EQ(check.state, CheckState::missing);
    EXPECT_EQ(check.mend, "the mend");
    world.uid = 0;
    EXPECT_TRUE(std::ranges::none_of(
        run_checks(world), [](const Check& each) { return each.name == "user manager"; }));
}

TEST_F(Checks, WhatIsTakenAwayIsToldWithItsMend) {
    const struct {
        const char* path;
        const char* text; ///< written instead; null: the file goes
        uid_t uid;
        const char* check;
        CheckState state;
        const char* mend;
    } cases[] = {
        {"/proc/self/mountinfo",
         "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
         0,
         "favordynmods",
         CheckState::info,
         "mount -o remount,favordynmods /sys/fs/cgroup"},
        {"/proc/self/mountinfo",
         "30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n",
         0,
         "cgroup v2",
         CheckState::missing,
         "unified_cgroup_hierarchy=1"},
        {"/run/dbus/system_bus_socket", nullptr, 0, "D-Bus", CheckState::missing, "dbus.socket"},
        {"/run/user/1000/bus", nullptr, 1000, "user session", CheckState::missing, "enable-linger"},
        {"/etc/subgid",
         "other:1:2\n",
         1000,
         "subordinate ids",
         CheckState::missing,
         "usermod --add-subuids"},
        {"/usr/bin/newgidmap", nullptr, 1000, "newuidmap", CheckState::missing, "uidmap"},
        {"/proc/sys/user/max_user_namespaces",
         "0\n",
         1000,
         "user namespaces",
         CheckState::missing,
         "user.max_user_namespaces"},
        {"/proc/sys/kernel/unprivileged_userns_clone",
         "0\n",
         1000,
         "user namespaces",
         CheckState::missing,
         "unprivileged_userns_clone=1"},
        {"/proc/sys/kernel/seccomp/actions_avail",
         nullptr,
         0,
         "seccomp",
         CheckState::missing,
         "CONFIG_SECCOMP_FILTER"},
        {"/sys/kernel/security/lsm", nullptr, 0, "LSM", CheckState::info, ""},
        {"/run/systemd/journal/socket",
         nullptr,
         0,
         "journald",
         CheckState::missing,
         "systemd-journald.socket"},
        {"/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service",
         nullptr,
         0,
         "polkit",
         CheckState::info,
         "polkitd"},
        {"/proc/filesystems", "ext4\n", 0, "overlayfs", CheckState::info, "modprobe overlay"},
        {"/dev/fuse", nullptr, 0, "fuse", CheckState::info, "modprobe fuse"},
    };

    for (const auto& each : cases) {
        TearDown();
        SetUp();
        if (each.text == nullptr) {
            fs::remove(root_ + each.path);
        } else {
            write(each.path, each.text);
        }
        const Check check = find(input(each.uid), each.check);
        EXPECT_EQ(check.state, each.state) << each.path << ": " << check.text;
        EXPECT_THAT(check.mend, HasSubstr(each.mend)) << each.path;
    }
}

} // namespace
} // namespace sctr::host
