// SPDX-License-Identifier: LGPL-2.1-or-later
// The root as a whole: its devices, what is masked and read-only in it, and the way in without a
// way back.
#include "init/devices.hpp"
#include "init/mounts.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "sandbox.hpp"

namespace sctr::test {
namespace {

namespace fs = std::filesystem;

const std::string root_path = scratch + "/root";

plan::InitPlan plan_for(const std::vector<Entry>& entries) {
    make_tree(root_path, entries);
    make_tree(scratch, {file("outside/secret", "secret")});
    plan::InitPlan plan;
    plan.rootfs = root_path;
    return plan;
}

/// Carries a plan out as sctr-init does, but for the mounts; afterwards "/" is the container's.
void enter(const plan::InitPlan& plan) {
    const UniqueFd root = init::mount_rootfs(plan);
    // What tests look at afterwards.
    init::mount_one(root.get(), {.target = "/proc", .fstype = "proc"});
    init::make_devices(root.get(), plan);
    init::finish_root(root.get(), plan);
}

std::string errno_of(int result) {
    return result >= 0 ? "ok" : ::strerrorname_np(errno);
}

std::string write_error(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    return errno_of(fd.get());
}

TEST(Root, LeavesNoWayToTheHost) {
    for (const bool no_pivot : {false, true}) {
        expect_passes([&] {
            auto plan = plan_for({file("mine", "mine")});
            plan.no_pivot = no_pivot;
            enter(plan);
            EXPECT_EQ(read_file("/mine"), "mine");
            EXPECT_EQ(read_file("mine"), "mine") << "the working directory is the root";
            EXPECT_EQ(read_file("/../../../mine"), "mine");
            EXPECT_FALSE(fs::exists(scratch + "/outside"));
            EXPECT_EQ(fs::read_symlink("/proc/self/cwd"), "/");
            EXPECT_EQ(fs::read_symlink("/proc/self/root"), "/");
            std::vector<std::string> mounts;
            for (const MountInfo& info : mount_table()) {
                mounts.push_back(info.target);
            }
            EXPECT_THAT(mounts, testing::ElementsAre("/", "/proc"));
        });
    }
}

/// In a chroot the host's tree lies above the root for good, and there are no user namespaces.
bool skip_in_chroot() {
    if (mount_at("/")) {
        return false;
    }
    [] { GTEST_SKIP() << "this is a chroot: \"/\" is no mount"; }();
    return true;
}

TEST(Root, CannotBeLeftByChroot) {
    if (skip_in_chroot()) {
        return;
    }
    expect_passes([] {
        enter(plan_for({dir("jail"), file("mine", "mine")}));
        // The classic way out of a chroot: a working directory above the root.
        ASSERT_EQ(::chroot("/jail"), 0);
        for (int i = 0; i < 64; ++i) {
            ASSERT_EQ(::chdir(".."), 0);
        }
        ASSERT_EQ(::chroot("."), 0);
        EXPECT_EQ(read_file("/mine"), "mine");
        EXPECT_FALSE(fs::exists(scratch + "/outside"));
    });
}

TEST(Root, IsPrivateAndKeepsWhatIsMountedBelowTheRootfs) {
    expect_passes([] {
        auto plan = plan_for({dir("sub")});
        ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_SHARED | MS_REC, nullptr), 0);
        ASSERT_EQ(::mount("sub", (root_path + "/sub").c_str(), "tmpfs", 0, nullptr), 0);
        enter(plan);
        for (const char* path : {"/", "/sub"}) {
            const auto info = mount_at(path);
            ASSERT_TRUE(info) << path;
            EXPECT_EQ(info->propagation, "") << path;
        }
    });
}

TEST(Root, IsReadOnlyIfAsked) {
    for (const bool read_only : {true, false}) {
        expect_passes([&] {
            auto plan = plan_for({dir("sub")});
            ASSERT_EQ(::mount("sub", (root_path + "/sub").c_str(), "tmpfs", 0, nullptr), 0);
            plan.root_readonly = read_only;
            enter(plan);
            EXPECT_EQ(write_error("/new"), read_only ? "EROFS" : "ok");
            EXPECT_EQ(write_error("/sub/new"), "ok") << "a mount has its own say";
        });
    }
}

TEST(Root, ThatIsMissingIsNamed) {
    for (const auto& [path, error_number] :
         {std::pair("/no/such/root", ENOENT), std::pair("/dev/null", ENOTDIR)}) {
        expect_fails(
            [path = path] {
                plan::InitPlan plan;
                plan.rootfs = path;
                init::mount_rootfs(plan);
            },
            {"cannot open the rootfs", path},
            error_number);
    }
}

const std::vector<Entry> hostile_tree = {
    file("file", "text"),
    dir("dir/sub"),
    file("dir/file", "text"),
    file("other/file", "text"),
    link("tofile", "file"),
    link("todir", "/dir"),
    link("out", "../outside"),
    link("absout", scratch + "/outside"),
    link("tosecret", "../../outside/secret"),
    link("self", "self"),
};

TEST(Mask, HidesWhatIsThere) {
    expect_passes([] {
        auto plan = plan_for(hostile_tree);
        plan.masked_paths = {"/file", "/dir", "/other", "/missing", "/file/below", "/proc/cmdline"};
        enter(plan);
        EXPECT_EQ(read_file("/file"), "");
        EXPECT_EQ(mount_at("/file")->propagation, "");
        struct stat info{};
        ASSERT_EQ(::stat("/file", &info), 0);
        EXPECT_EQ(info.st_rdev, ::makedev(1, 3));
        EXPECT_EQ(mount_at("/proc/cmdline")->root, mount_at("/file")->root);
        for (const std::string path : {"/dir", "/other"}) {
            EXPECT_TRUE(fs::is_empty(path)) << path;
            EXPECT_EQ(write_error(path + "/new"), "EROFS");
            const auto mount = mount_at(path);
            ASSERT_TRUE(mount) << path;
            for (const char* option : {"ro", "nosuid", "nodev", "noexec"}) {
                EXPECT_TRUE(mount->has(option)) << path << option;
            }
            EXPECT_EQ(mount->propagation, "") << path;
        }
        EXPECT_FALSE(fs::exists("/missing"));
    });
}

TEST(Mask, FollowsLinksInsideTheRootOnly) {
    expect_passes([] {
        auto plan = plan_for(hostile_tree);
        plan.masked_paths = {"/tofile", "/todir", "/out", "/absout", "/tosecret"};
        const UniqueFd outside = open_root(scratch + "/outside");
        enter(plan);
        EXPECT_EQ(read_file("/file"), "");
        EXPECT_TRUE(fs::is_empty("/dir"));
        const UniqueFd secret(::openat(outside.get(), "secret", O_RDONLY | O_CLOEXEC));
        std::array<char, 16> text{};
        EXPECT_EQ(::read(secret.get(), text.data(), text.size()), 6) << "the host's is masked";
    });
}

TEST(Protect, MakesPathsReadOnlyWithWhatIsMountedBelow) {
    expect_passes([] {
        auto plan = plan_for(hostile_tree);
        ASSERT_EQ(::mount("sub", (root_path + "/dir/sub").c_str(), "tmpfs", 0, nullptr), 0);
        plan.readonly_paths = {"/todir", "/tofile", "/missing", "/file/below", "/out", "/proc/sys"};
        enter(plan);
        for (const char* path :
             {"/dir/new", "/dir/file", "/dir/sub/new", "/file", "/proc/sys/kernel/hostname"}) {
            EXPECT_EQ(write_error(path), "EROFS") << path;
        }
        EXPECT_EQ(read_file("/dir/file"), "text");
        EXPECT_EQ(write_error("/other/new"), "ok");
    });
}

TEST(MaskAndProtect, RefuseWhatCannotBeResolved) {
    expect_fails(
        [] {
            auto plan = plan_for(hostile_tree);
            plan.masked_paths = {"/self"};
            enter(plan);
        },
        {"cannot mask", "/self"},
        ELOOP);
    expect_fails(
        [] {
            auto plan = plan_for(hostile_tree);
            plan.readonly_paths = {"/self/below"};
            enter(plan);
        },
        {"cannot make read-only", "/self/below"},
        ELOOP);
    expect_fails(
        [] {
            auto plan = plan_for(hostile_tree);
            plan.masked_paths = {"/proc/self/root"}; // a magic link, to wherever
            enter(plan);
        },
        {"cannot mask", "/proc/self/root"},
        ELOOP);
}

plan::DeviceStep null_device(const std::string& path) {
    return {.path = path, .mode = S_IFCHR | 0640, .device = ::makedev(1, 3), .uid = 7, .gid = 8};
}

TEST(Devices, AreMadeWithModeAndOwner) {
    expect_passes([] {
        auto plan = plan_for({});
        plan.devices = {null_device("/dev/null"),
                        null_device("/dev/deep/null"),
                        {.path = "/dev/fifo", .mode = S_IFIFO | 0600},
                        {.path = "/dev/block", .mode = S_IFBLK | 0666, .device = ::makedev(7, 1)}};
        plan.symlinks = {{"/dev/fd", "/proc/self/fd"}, {"/dev/deep/link", "null"}};
        const UniqueFd root = init::mount_rootfs(plan);
        init::make_devices(root.get(), plan);
        for (const plan::DeviceStep& device : plan.devices) {
            struct stat info{};
            ASSERT_EQ(::fstatat(root.get(), device.path.c_str() + 1, &info, 0), 0) << device.path;
            EXPECT_EQ(info.st_mode, device.mode) << device.path;
            EXPECT_EQ(info.st_rdev, device.device) << device.path;
            EXPECT_EQ(info.st_uid, device.uid) << device.path;
            EXPECT_EQ(info.st_gid, device.gid) << device.path;
        }
        EXPECT_EQ(fs::read_symlink(root_path + "/dev/fd"), "/proc/self/fd");
        EXPECT_EQ(fs::read_symlink(root_path + "/dev/deep/link"), "null");
        init::make_devices(root.get(), plan); // what is there already stays
    });
}

TEST(Devices, OfAUserNamespaceAreTheHostsOwn) {
    if (skip_in_chroot()) {
        return;
    }
    expect_passes(
        [] {
            auto plan = plan_for({});
            plan.devices = {
                {.path = "/dev/null", .mode = S_IFCHR | 0666, .device = ::makedev(1, 3)}};
            const UniqueFd root = init::mount_rootfs(plan);
            init::make_devices(root.get(), plan);
            struct stat info{};
            ASSERT_EQ(::stat((root_path + "/dev/null").c_str(), &info), 0);
            EXPECT_EQ(info.st_rdev, ::makedev(1, 3));
            EXPECT_TRUE(mount_at(root_path + "/dev/null"));
        },
        Ids::mapped_root);
    expect_fails(
        [] {
            auto plan = plan_for({});
            plan.devices = {{.path = "/dev/zero", // and the number of null
                             .mode = S_IFCHR | 0666,
                             .device = ::makedev(1, 3)}};
            const UniqueFd root = init::mount_rootfs(plan);
            init::make_devices(root.get(), plan);
        },
        {"cannot bind a device into a user namespace", "/dev/zero", "another file there"},
        0,
        Ids::mapped_root);
}

TEST(Devices, FollowNoLink) {
    for (const auto& entry : {link("dev", "/place"), link("dev", "../outside")}) {
        for (const bool is_link : {false, true}) {
            expect_fails(
                [&] {
                    auto plan = plan_for({dir("place"), entry});
                    if (is_link) {
                        plan.symlinks = {{"/dev/fd", "/proc/self/fd"}};
                    } else {
                        plan.devices = {null_device("/dev/null")};
                    }
                    const UniqueFd root = init::mount_rootfs(plan);
                    init::make_devices(root.get(), plan);
                },
                {"cannot make the directory of a " + std::string(is_link ? "link" : "device")},
                ELOOP);
        }
    }
}

} // namespace
} // namespace sctr::test
