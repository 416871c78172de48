// SPDX-License-Identifier: LGPL-2.1-or-later
// What no flag of `sctr run` says, and engines' configs do.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "init/devices.hpp"
#include "init/mounts.hpp"
#include "init/trees.hpp"
#include "sandbox.hpp"

namespace sctr::test {
namespace {

namespace fs = std::filesystem;

using plan::MountKind;
using plan::MountStep;
using testing::Contains;

const std::string root_path = scratch + "/root";

UniqueFd prepare(const std::vector<Entry>& entries = {}) {
    make_tree(root_path, entries);
    return open_root(root_path);
}

MountInfo mounted(const std::string& path) {
    const auto info = mount_at(root_path + path);
    EXPECT_TRUE(info) << "nothing is mounted at " << path;
    return info.value_or(MountInfo{});
}

/// Layers whose list is far beyond what one fsconfig(2) takes.
std::string many_layers() {
    std::string layers;
    for (int i = 0; i < 8; ++i) {
        const std::string name =
            "/layer-" + std::to_string(i) + "-" + std::string(60, static_cast<char>('a' + i));
        make_tree(scratch + name, {file("file" + std::to_string(i), "text")});
        layers += (layers.empty() ? "" : ":") + scratch + name;
    }
    return layers;
}

TEST(LongOption, OfAnOverlayIsTaken) {
    expect_passes([] {
        const UniqueFd root = prepare({dir("m")});
        make_tree(scratch, {dir("upper"), dir("work")});
        const std::string layers = many_layers();
        ASSERT_GT(layers.size(), 255U);
        const auto before = mount_table().size();
        init::mount_one(root.get(),
                        {.source = "overlay",
                         .target = "/m",
                         .fstype = "overlay",
                         .data = {"lowerdir=" + layers,
                                  "upperdir=" + scratch + "/upper",
                                  "workdir=" + scratch + "/work"},
                         .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV});
        EXPECT_EQ(mount_table().size(), before + 1) << "nothing else stays mounted";
        EXPECT_TRUE(mounted("/m").has("nosuid"));
        for (int i = 0; i < 8; ++i) {
            EXPECT_EQ(read_file(root_path + "/m/file" + std::to_string(i)), "text") << i;
        }
        EXPECT_TRUE(fs::exists("/proc/self")) << "/proc is procfs again";
    });
}

TEST(LongOption, ThatIsWrongIsRefused) {
    expect_fails(
        [] {
            const UniqueFd root = prepare({dir("m")});
            init::mount_one(root.get(),
                            {.source = "overlay",
                             .target = "/m",
                             .fstype = "overlay",
                             .data = {"lowerdir=/no/such/" + std::string(300, 'x')}});
        },
        {"cannot mount", "/m (overlay)"},
        ENOENT);
}

TEST(Remount, ChangesTheOptionsOfTheFileSystem) {
    expect_passes([] {
        const UniqueFd root = prepare();
        init::mount_one(root.get(),
                        {.target = "/m", .fstype = "tmpfs", .data = {"size=1m", "mode=700"}});
        init::mount_one(root.get(),
                        {.kind = MountKind::remount,
                         .target = "/m",
                         .data = {"size=2m"},
                         .attr_set = MOUNT_ATTR_RDONLY});
        EXPECT_THAT(mounted("/m").super_options, Contains("size=2048k"));
        EXPECT_TRUE(mounted("/m").has("ro"));
    });
    expect_fails(
        [] {
            const UniqueFd root = prepare();
            init::mount_one(root.get(), {.target = "/m", .fstype = "tmpfs"});
            init::mount_one(root.get(),
                            {.kind = MountKind::remount, .target = "/m", .data = {"nonsense=1"}});
        },
        {"option 'nonsense=1' refused", "/m"},
        EINVAL);
}

TEST(Option, InQuotesLosesThem) {
    expect_passes([] {
        const UniqueFd root = prepare();
        init::mount_one(root.get(),
                        {.target = "/m", .fstype = "tmpfs", .data = {"mode=\"0750\"", "sync"}});
        EXPECT_THAT(mounted("/m").super_options, testing::IsSupersetOf({"mode=750", "sync"}));
    });
}

TEST(CoverSymlink, LeavesAloneWhatItLeadsTo) {
    const MountStep step{.kind = MountKind::bind,
                         .source = scratch + "/zone",
                         .target = "/etc/localtime",
                         .cover_symlink = true};
    for (const Entry& there : {link("etc/localtime", "/zone"),
                               link("etc/localtime", "/none"),
                               file("etc/localtime", "old"),
                               dir("etc")}) {
        expect_passes([&] {
            const UniqueFd root = prepare({file("zone", "theirs"), there});
            make_tree(scratch, {file("zone", "ours")});
            init::mount_one(root.get(), step);
            EXPECT_EQ(read_file(root_path + "/etc/localtime"), "ours");
            EXPECT_EQ(read_file(root_path + "/zone"), "theirs");
            EXPECT_FALSE(fs::exists(root_path + "/none"));
        });
    }
}

MountStep link_to(const std::string& source) {
    return {.kind = MountKind::bind,
            .source = scratch + source,
            .target = "/deep/place",
            .copy_symlink = true};
}

TEST(CopySymlink, MakesTheLinkInsteadOfAMount) {
    expect_passes([] {
        const UniqueFd root = prepare();
        make_tree(scratch, {link("word", "../somewhere/else"), file("plain", "text")});
        init::mount_one(root.get(), link_to("/word"));
        EXPECT_EQ(fs::read_symlink(root_path + "/deep/place"), "../somewhere/else");
        EXPECT_FALSE(mount_at(root_path + "/deep/place"));
        init::mount_one(root.get(), link_to("/word")); // it is there already
    });
    expect_passes([] {
        const UniqueFd root = prepare();
        make_tree(scratch, {file("plain", "text")});
        init::mount_one(root.get(), link_to("/plain"));
        EXPECT_EQ(read_file(root_path + "/deep/place"), "text");
    });
    for (const Entry& other : {file("deep/place"), dir("deep/place"), link("deep/place", "/")}) {
        expect_fails(
            [&] {
                const UniqueFd root = prepare({other});
                make_tree(scratch, {link("word", "target")});
                init::mount_one(root.get(), link_to("/word"));
            },
            {"cannot copy the symbolic link", "/deep/place", "something else"},
            0);
    }
}

TEST(Device, OfTheConfigThatIsThereAlreadyMustMatch) {
    const plan::DeviceStep null{
        .path = "/dev/null", .mode = S_IFCHR | 0666, .device = ::makedev(1, 3), .must_match = true};
    const auto make = [](const plan::DeviceStep& device, const std::vector<Entry>& entries) {
        plan::InitPlan plan;
        plan.devices = {device};
        const UniqueFd root = prepare(entries);
        init::make_devices(root.get(), plan);
        init::make_devices(root.get(), plan);
    };
    expect_passes([&] { make(null, {}); });
    for (const Entry& other :
         {file("dev/null"), dir("dev/null"), link("dev/null", "zero"), link("dev/null", "/x")}) {
        expect_fails([&] { make(null, {other}); }, {"/dev/null", "another file is there"}, 0);
        plan::DeviceStep lenient = null;
        lenient.must_match = false;
        expect_passes([&] { make(lenient, {other}); });
    }
}

struct RootCase {
    std::uint64_t flags;
    std::string propagation;
    std::string below;
};

TEST(RootPropagation, IsSetAtLast) {
    const std::vector<RootCase> cases = {
        {0, "", ""},
        {MS_SHARED, "shared", ""},
        {MS_SHARED | MS_REC, "shared", "shared"},
        {MS_SLAVE | MS_REC, "", ""}, // of nobody
        {MS_UNBINDABLE, "unbindable", ""},
        {MS_UNBINDABLE | MS_REC, "unbindable", "unbindable"},
    };
    for (const RootCase& test : cases) {
        expect_passes([&] {
            make_tree(root_path, {dir("proc")});
            plan::InitPlan plan;
            plan.rootfs = root_path;
            plan.root_propagation = test.flags;
            const UniqueFd root = init::mount_rootfs(plan);
            init::mount_one(root.get(), {.target = "/proc", .fstype = "proc"});
            init::finish_root(root.get(), plan);
            EXPECT_EQ(mount_at("/")->propagation, test.propagation) << test.flags;
            EXPECT_EQ(mount_at("/proc")->propagation, test.below) << test.flags;
        });
    }
}

TEST(SharedBind, StaysThePeerOfItsSource) {
    for (const bool shared : {true, false}) {
        expect_passes([&] {
            make_tree(root_path, {});
            make_tree(scratch, {dir("source/place")});
            const std::string source = scratch + "/source";
            ASSERT_EQ(::mount(source.c_str(), source.c_str(), nullptr, MS_BIND, nullptr), 0);
            ASSERT_EQ(::mount(nullptr, source.c_str(), nullptr, MS_SHARED, nullptr), 0);
            plan::InitPlan plan;
            plan.rootfs = root_path;
            plan.mounts = {
                {.kind = MountKind::bind,
                 .source = source,
                 .target = "/v",
                 .propagation = shared ? std::uint64_t{MS_SHARED} : std::uint64_t{MS_SLAVE}}};
            init::collect_trees(plan);
            const UniqueFd root = init::mount_rootfs(plan);
            init::mount_one(root.get(), plan.mounts.front());
            init::mount_one(root.get(), {.target = "/v/place", .fstype = "tmpfs"});
            // The source has become a slave with the rest of this namespace: of the same peers.
            EXPECT_EQ(mount_at(source + "/place").has_value(), shared);
        });
    }
}

TEST(Tmpfs, LooksAsTheDirectoryBelowIt) {
    struct Case {
        std::vector<std::string> data;
        mode_t mode;
    };

    for (const Case& test : {Case{{}, 01750}, Case{{"mode=711"}, 0711}}) {
        expect_passes([&] {
            const UniqueFd root = prepare({dir("m")});
            ASSERT_EQ(::chmod((root_path + "/m").c_str(), 01750), 0);
            init::mount_one(root.get(), {.target = "/m", .fstype = "tmpfs", .data = test.data});
            struct stat info{};
            ASSERT_EQ(::stat((root_path + "/m").c_str(), &info), 0);
            EXPECT_EQ(info.st_mode & 07777U, test.mode);
        });
    }
}

} // namespace
} // namespace sctr::test
