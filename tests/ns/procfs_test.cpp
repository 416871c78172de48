// SPDX-License-Identifier: LGPL-2.1-or-later
// What is read from procfs, and how sctr-init writes to it.
#include "linux/procfs.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "init/procfs.hpp"
#include "sandbox.hpp"

namespace sctr::test {
namespace {

using init::MagicLinks;

TEST(ReadSmallFile, GivesTheWholeOfIt) {
    expect_passes([] {
        const std::string large(100'000, 'x');
        make_tree(scratch,
                  {file("empty"), file("large", large), file("nul", std::string(3, '\0'))});
        EXPECT_EQ(sys::read_small_file(scratch + "/empty"), "");
        EXPECT_EQ(sys::read_small_file(scratch + "/large"), large);
        EXPECT_EQ(sys::read_small_file(scratch + "/nul"), std::string(3, '\0'));
        EXPECT_EQ(sys::read_small_file(scratch + "/missing"), std::nullopt);
        EXPECT_EQ(sys::read_small_file(scratch), std::nullopt) << "a directory";
    });
}

/// A child that has said that it has `name` and waits; its end is the caller's.
pid_t named_child(const char* name) {
    std::array<int, 2> ready{};
    EXPECT_EQ(::pipe2(ready.data(), O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_NAME, name);
        (void)!::write(ready[1], "x", 1);
        ::pause();
        ::_exit(0);
    }
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
    return child;
}

TEST(ProcessStartTime, NamesAProcessUntilItEnds) {
    // The name is field 2 and may look like the rest of the line.
    for (const char* name : {"plain", ") Z 1 (", "a b c", ")", "\n) R 2"}) {
        expect_passes([name] {
            const pid_t child = named_child(name);
            const auto start = sys::process_start_time(child);
            ASSERT_TRUE(start) << name;
            EXPECT_EQ(sys::process_start_time(child), start) << name;
            EXPECT_GE(*start, sys::process_start_time(::getpid())) << name;
            ::kill(child, SIGKILL);
            siginfo_t info{};
            ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
            EXPECT_EQ(sys::process_start_time(child), std::nullopt) << name << ": a zombie";
            ::waitpid(child, nullptr, 0);
            EXPECT_EQ(sys::process_start_time(child), std::nullopt) << name << ": gone";
        });
    }
}

TEST(ProcessStartTime, OfNoProcessIsNothing) {
    for (const pid_t pid : {0, -1, 1 << 30}) {
        EXPECT_EQ(sys::process_start_time(pid), std::nullopt) << pid;
    }
}

TEST(BootId, IsAUuidAndStays) {
    const std::string id = sys::boot_id();
    EXPECT_THAT(id, testing::MatchesRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"));
    EXPECT_EQ(sys::boot_id(), id);
}

TEST(CgroupOf, IsThePathInTheUnifiedHierarchy) {
    expect_passes([] {
        EXPECT_TRUE(sys::cgroup_of(::getpid()).starts_with("/"));
        EXPECT_EQ(sys::cgroup_of(1 << 30), "");
        ASSERT_EQ(::unshare(CLONE_NEWCGROUP), 0);
        EXPECT_EQ(sys::cgroup_of(::getpid()), "/") << "the root of the new namespace";
    });
}

TEST(HostProc, MustBeProcfs) {
    expect_passes([] {
        const UniqueFd proc = init::open_host_proc();
        struct statfs info{};
        ASSERT_EQ(::fstatfs(proc.get(), &info), 0);
        EXPECT_EQ(info.f_type, PROC_SUPER_MAGIC);
    });
    expect_fails(
        [] {
            ASSERT_EQ(::mount("fake", "/proc", "tmpfs", 0, nullptr), 0);
            init::open_host_proc();
        },
        {"cannot use the host's /proc", "it is not procfs"},
        0);
}

TEST(OpenBelow, LeadsNowhereElse) {
    struct Case {
        const char* path;
        const char* refuse;
        const char* last;
    };

    const std::vector<Case> cases = {
        {"version", "ok", "ok"},
        {"self/status", "ok", "ok"}, // a link, but not a magic one
        {"sys/kernel/hostname", "ok", "ok"},
        {"missing", "ENOENT", "ENOENT"},
        {"self/ns/mnt", "ELOOP", "ok"},
        {"self/exe", "ELOOP", "ok"},
        {"self/root/etc", "ELOOP", "ok"},
        {"../etc", "EXDEV", "ok"},
        {"/etc", "EXDEV", "ok"},
        {"covered", "ENOENT", "ENOENT"},
        {"uptime", "EXDEV", "ok"}, // somebody has mounted over it
    };
    expect_passes([&] {
        ASSERT_EQ(::mount("/proc/version", "/proc/uptime", nullptr, MS_BIND, nullptr), 0);
        const UniqueFd proc = init::open_host_proc();
        for (const auto& [path, refuse, last] : cases) {
            for (const MagicLinks magic : {MagicLinks::refuse, MagicLinks::last}) {
                const UniqueFd fd = init::open_below(proc.get(), path, O_RDONLY, magic);
                const std::string got = fd.valid() ? "ok" : ::strerrorname_np(errno);
                EXPECT_EQ(got, magic == MagicLinks::refuse ? refuse : last) << path;
            }
        }
    });
}

TEST(WriteFile, WritesOnceAndSaysWhatFailed) {
    expect_passes([] {
        ASSERT_EQ(::unshare(CLONE_NEWUTS), 0);
        const UniqueFd proc = init::open_host_proc();
        EXPECT_TRUE(init::write_file(proc.get(), "sys/kernel/hostname", "box"));
        EXPECT_EQ(read_file("/proc/sys/kernel/hostname"), "box\n");
        EXPECT_FALSE(init::write_file(proc.get(), "sys/kernel/missing", "x"));
        EXPECT_EQ(errno, ENOENT);
        EXPECT_FALSE(init::write_file(proc.get(), "self/oom_score_adj", "far too much"));
        EXPECT_EQ(errno, EINVAL);
        EXPECT_FALSE(init::write_file(proc.get(), "self/root/" + scratch + "/x", "x"));
        EXPECT_EQ(errno, ELOOP);
    });
}

TEST(WriteFile, IsNotMisledByAMountOverIt) {
    expect_passes([] {
        make_tree(scratch, {file("fake")});
        const UniqueFd proc = init::open_host_proc();
        const std::string fake = scratch + "/fake";
        ASSERT_EQ(::mount(fake.c_str(), "/proc/self/oom_score_adj", nullptr, MS_BIND, nullptr), 0);
        EXPECT_FALSE(init::write_file(proc.get(), "self/oom_score_adj", "500"));
        EXPECT_EQ(errno, EXDEV);
        EXPECT_EQ(read_file(fake), "");
    });
}

} // namespace
} // namespace sctr::test
