// SPDX-License-Identifier: LGPL-2.1-or-later
// One mount at a time, as a plan says it, read back from the kernel.
#include "init/mounts.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "sandbox.hpp"

namespace sctr::test {
namespace {

using plan::MountKind;
using plan::MountStep;
using testing::Contains;
using testing::IsSupersetOf;

const std::string root_path = scratch + "/root";
const std::string source_path = scratch + "/source";

/// A root, and a source with a file system below it.
UniqueFd prepare(const std::vector<Entry>& entries = {}) {
    make_tree(root_path, entries);
    make_tree(source_path, {dir("sub"), file("file", "text")});
    EXPECT_EQ(::mount("source", source_path.c_str(), "tmpfs", 0, nullptr), 0);
    make_tree(source_path, {dir("sub"), file("file", "text")});
    EXPECT_EQ(::mount("sub", (source_path + "/sub").c_str(), "tmpfs", 0, nullptr), 0);
    return open_root(root_path);
}

MountStep bind(const std::string& target = "/m") {
    return {.kind = MountKind::bind, .source = source_path, .target = target, .recursive = true};
}

MountStep filesystem(const std::string& type, std::vector<std::string> data = {}) {
    return {.source = "src", .target = "/m", .fstype = type, .data = std::move(data)};
}

MountInfo mounted(const std::string& path) {
    const auto info = mount_at(root_path + path);
    EXPECT_TRUE(info) << "nothing is mounted at " << path;
    return info.value_or(MountInfo{});
}

struct Attribute {
    const char* name; ///< as mountinfo has it
    std::uint64_t set;
    std::uint64_t clear = 0;
};

const std::vector<Attribute> attributes = {
    {"ro", MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW},
    {"nodiratime", MOUNT_ATTR_NODIRATIME},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
};

/// Another access time than the one asked for, so that nothing is true from the start.
std::uint64_t opposite_of(const Attribute& attribute) {
    return std::string_view(attribute.name) == "relatime" ? std::uint64_t{MOUNT_ATTR_STRICTATIME}
                                                          : 0;
}

TEST(Attributes, AreThoseOfThePlan) {
    for (const Attribute& attribute : attributes) {
        for (const bool is_bind : {true, false}) {
            expect_passes([&] {
                const UniqueFd root = prepare();
                MountStep step = is_bind ? bind() : filesystem("tmpfs");
                init::mount_one(root.get(), step);
                // relatime is what the kernel gives unasked.
                const bool had = mounted("/m").has(attribute.name);
                EXPECT_EQ(had, std::string_view(attribute.name) == "relatime") << attribute.name;
                step.attr_set = attribute.set;
                step.attr_clear = attribute.clear;
                init::mount_one(root.get(), step);
                EXPECT_TRUE(mounted("/m").has(attribute.name)) << attribute.name << is_bind;
            });
        }
    }
}

TEST(Attributes, OfABindAreThoseOfTheTopOnlyUnlessRecursive) {
    for (const Attribute& attribute : attributes) {
        for (const bool recursive : {true, false}) {
            expect_passes([&] {
                const UniqueFd root = prepare();
                struct mount_attr opposite{};
                opposite.attr_set = opposite_of(attribute);
                opposite.attr_clr = MOUNT_ATTR__ATIME;
                ASSERT_EQ(
                    ::mount_setattr(
                        AT_FDCWD, source_path.c_str(), AT_RECURSIVE, &opposite, sizeof opposite),
                    0);
                MountStep step = bind();
                (recursive ? step.recursive_attr_set : step.attr_set) = attribute.set;
                (recursive ? step.recursive_attr_clear : step.attr_clear) = attribute.clear;
                init::mount_one(root.get(), step);
                EXPECT_TRUE(mounted("/m").has(attribute.name)) << attribute.name;
                EXPECT_EQ(mounted("/m/sub").has(attribute.name), recursive) << attribute.name;
                EXPECT_FALSE(mount_at(source_path)->has(attribute.name)) << attribute.name;
            });
        }
    }
}

TEST(Attributes, AreTakenAwayToo) {
    for (const Attribute& attribute : attributes) {
        expect_passes([&] {
            const UniqueFd root = prepare();
            MountStep step = bind();
            step.recursive_attr_set = attribute.set;
            step.recursive_attr_clear = attribute.clear;
            init::mount_one(root.get(), step);
            MountStep again = bind("/again");
            again.source = root_path + "/m";
            const bool is_time = attribute.clear != 0;
            again.recursive_attr_clear = is_time ? std::uint64_t{MOUNT_ATTR__ATIME} : attribute.set;
            again.recursive_attr_set = is_time ? std::uint64_t{MOUNT_ATTR_STRICTATIME} : 0;
            init::mount_one(root.get(), again);
            EXPECT_FALSE(mounted("/again").has(attribute.name)) << attribute.name;
            EXPECT_FALSE(mounted("/again/sub").has(attribute.name)) << attribute.name;
        });
    }
}

TEST(Attributes, AreInForce) {
    expect_passes([] {
        const UniqueFd root = prepare();
        MountStep step = bind();
        step.attr_set = MOUNT_ATTR_RDONLY;
        init::mount_one(root.get(), step);
        EXPECT_LT(::open((root_path + "/m/new").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), 0);
        EXPECT_EQ(errno, EROFS);
        EXPECT_EQ(read_file(root_path + "/m/file"), "text");
        EXPECT_EQ(::mkdir((root_path + "/m/sub/new").c_str(), 0700), 0) << "only the top was asked";
    });
}

TEST(Bind, ShowsWhatIsMountedBelowOnlyIfRecursive) {
    for (const bool recursive : {true, false}) {
        expect_passes([&] {
            const UniqueFd root = prepare();
            MountStep step = bind();
            step.recursive = recursive;
            init::mount_one(root.get(), step);
            EXPECT_EQ(mount_at(root_path + "/m/sub").has_value(), recursive);
        });
    }
}

TEST(Bind, OfAFileMakesAFile) {
    expect_passes([] {
        const UniqueFd root = prepare();
        MountStep step = bind("/etc/deep/file");
        step.source += "/file";
        init::mount_one(root.get(), step);
        EXPECT_EQ(read_file(root_path + "/etc/deep/file"), "text");
    });
}

struct Propagation {
    std::uint64_t flags;
    const char* top;
    const char* below;
};

TEST(Propagation, IsThatOfThePlan) {
    const std::vector<Propagation> cases = {
        {0, "shared", "shared"}, // as the source has it
        {MS_PRIVATE, "", "shared"},
        {MS_PRIVATE | MS_REC, "", ""},
        {MS_SLAVE, "master", "shared"},
        {MS_SLAVE | MS_REC, "master", "master"},
        {MS_UNBINDABLE, "unbindable", "shared"},
        {MS_UNBINDABLE | MS_REC, "unbindable", "unbindable"},
        {MS_SHARED | MS_REC, "shared", "shared"},
    };
    for (const auto& [flags, top, below] : cases) {
        expect_passes([&] {
            const UniqueFd root = prepare();
            ASSERT_EQ(::mount(nullptr, source_path.c_str(), nullptr, MS_SHARED | MS_REC, nullptr),
                      0);
            MountStep step = bind();
            step.propagation = flags;
            init::mount_one(root.get(), step);
            EXPECT_EQ(mounted("/m").propagation, top) << flags;
            EXPECT_EQ(mounted("/m/sub").propagation, below) << flags;
        });
    }
}

TEST(Propagation, OfASlaveBringsTheHostsLaterMounts) {
    for (const bool slave : {true, false}) {
        expect_passes([&] {
            const UniqueFd root = prepare();
            make_tree(source_path, {dir("later")});
            ASSERT_EQ(::mount(nullptr, source_path.c_str(), nullptr, MS_SHARED, nullptr), 0);
            MountStep step = bind();
            step.propagation = slave ? MS_SLAVE : MS_PRIVATE;
            init::mount_one(root.get(), step);
            const std::string later = source_path + "/later";
            ASSERT_EQ(::mount("later", later.c_str(), "tmpfs", 0, nullptr), 0);
            EXPECT_EQ(mount_at(root_path + "/m/later").has_value(), slave);
            const std::string ours = root_path + "/m/file";
            ASSERT_EQ(::mount(ours.c_str(), ours.c_str(), nullptr, MS_BIND, nullptr), 0);
            EXPECT_FALSE(mount_at(source_path + "/file")) << "it travelled to the host";
        });
    }
}

TEST(Filesystem, IsOfTheTypeAndHasTheOptions) {
    struct Case {
        const char* type;
        std::vector<std::string> data;
        std::vector<std::string> shown;
    };

    const std::vector<Case> cases = {
        {"tmpfs", {"size=1m", "mode=0700", "nr_inodes=9"}, {"size=1024k", "mode=700"}},
        {"tmpfs", {"noswap"}, {"noswap"}},
        {"devpts", {"newinstance", "mode=0620", "ptmxmode=0666"}, {"mode=620", "ptmxmode=666"}},
        {"proc", {"hidepid=2"}, {"hidepid=invisible"}},
        {"sysfs", {}, {}},
        {"mqueue", {}, {}},
    };
    for (const auto& [type, data, shown] : cases) {
        expect_passes([&] {
            const UniqueFd root = prepare();
            MountStep step = filesystem(type, data);
            step.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
            init::mount_one(root.get(), step);
            const MountInfo info = mounted("/m");
            EXPECT_EQ(info.fstype, type);
            EXPECT_EQ(info.source, "src");
            EXPECT_EQ(info.root, "/");
            EXPECT_THAT(info.super_options, IsSupersetOf(shown)) << type;
            EXPECT_TRUE(info.has("nosuid") && info.has("noexec")) << type;
        });
    }
}

TEST(Filesystem, OfACgroupIsTheUnifiedHierarchy) {
    expect_passes([] {
        const UniqueFd root = prepare();
        ASSERT_EQ(::unshare(CLONE_NEWCGROUP), 0);
        MountStep step = filesystem("cgroup2");
        step.kind = MountKind::cgroup;
        step.attr_set = MOUNT_ATTR_RDONLY;
        init::mount_one(root.get(), step);
        EXPECT_EQ(mounted("/m").fstype, "cgroup2");
        EXPECT_TRUE(mounted("/m").has("ro"));
        EXPECT_TRUE(std::filesystem::exists(root_path + "/m/cgroup.controllers"));
    });
}

TEST(Remount, ChangesTheAttributesOfWhatIsThere) {
    for (const Attribute& attribute : attributes) {
        for (const bool recursive : {false, true}) {
            expect_passes([&] {
                const UniqueFd root = prepare();
                MountStep step = bind();
                step.recursive_attr_set = opposite_of(attribute);
                step.recursive_attr_clear = MOUNT_ATTR__ATIME;
                init::mount_one(root.get(), step);
                ASSERT_FALSE(mounted("/m").has(attribute.name)) << attribute.name;
                MountStep change{.kind = MountKind::remount, .target = "/m"};
                (recursive ? change.recursive_attr_set : change.attr_set) = attribute.set;
                (recursive ? change.recursive_attr_clear : change.attr_clear) = attribute.clear;
                init::mount_one(root.get(), change);
                EXPECT_TRUE(mounted("/m").has(attribute.name)) << attribute.name;
                EXPECT_EQ(mounted("/m/sub").has(attribute.name), recursive) << attribute.name;
            });
        }
    }
}

TEST(Remount, ChangesThePropagation) {
    for (const std::uint64_t depth : {0UL, std::uint64_t{MS_REC}}) {
        expect_passes([&] {
            const UniqueFd root = prepare();
            ASSERT_EQ(::mount(nullptr, source_path.c_str(), nullptr, MS_SHARED | MS_REC, nullptr),
                      0);
            init::mount_one(root.get(), bind());
            init::mount_one(
                root.get(),
                {.kind = MountKind::remount, .target = "/m", .propagation = MS_PRIVATE | depth});
            EXPECT_EQ(mounted("/m").propagation, "");
            EXPECT_EQ(mounted("/m/sub").propagation, depth == 0 ? "shared" : "");
        });
    }
}

TEST(Target, IsFoundOrMadeInsideTheRoot) {
    struct Case {
        const char* target;
        const char* mounted; ///< below the root
    };

    const std::vector<Entry> entries = {dir("there"),
                                        link("abs", "/there"),
                                        link("out", "../../source"),
                                        link("absout", source_path),
                                        link("dangling", "/missing/dir")};
    const std::vector<Case> cases = {
        {"/new/deep", "/new/deep"},
        {"/there", "/there"},
        {"/there/../../../there", "/there"},
        {"/abs", "/there"},
        {"/abs/new", "/there/new"},
        {"/out", "/source"},
        {"/out/sub", "/source/sub"},
        {"/absout", "/tmp/source"},
        {"/dangling", "/missing/dir"},
    };
    for (const auto& [target, place] : cases) {
        expect_passes([&] {
            const UniqueFd root = prepare(entries);
            const std::size_t before = mount_table().size();
            MountStep step = filesystem("tmpfs");
            step.target = target;
            init::mount_one(root.get(), step);
            EXPECT_EQ(mounted(place).fstype, "tmpfs") << target;
            EXPECT_EQ(mount_table().size(), before + 1) << target;
        });
    }
}

TEST(Target, ThatIsNotTheHostsFollowsNoLinkWhereItMatters) {
    struct Case {
        const char* link;
        const char* fstype; ///< "": a bind
        const char* target;
    };

    const std::vector<Case> cases = {
        {"proc", "proc", "/proc"},
        {"p", "proc", "/p"},
        {"sys", "sysfs", "/sys"},
        {"s", "sysfs", "/s/deep"},
        {"dev", "tmpfs", "/dev"},
        {"dev", "devpts", "/dev/pts"},
        {"dev/shm", "tmpfs", "/dev/shm"},
        {"dev/mqueue", "mqueue", "/dev/mqueue"},
        {"proc", "", "/proc"},
        {"sys", "", "/sys"},
        {"dev", "", "/dev"},
        {"dev/null", "", "/dev/null"},
    };
    for (const auto& [name, fstype, target] : cases) {
        for (const char* to : {"/place", "nowhere"}) {
            expect_fails(
                [&, name = name, fstype = fstype, target = target] {
                    const UniqueFd root = prepare({dir("place"), link(name, to)});
                    MountStep step = *fstype == '\0' ? bind() : filesystem(fstype);
                    step.target = target;
                    init::mount_one(root.get(), step);
                },
                {"cannot make the mount point", target, "symbolic link there"},
                ELOOP);
        }
    }
}

struct BadStep {
    MountStep step;
    std::vector<std::string> words;
    int error_number;
};

TEST(Failure, SaysWhatAndWhere) {
    const std::vector<BadStep> cases = {
        {filesystem("nosuchfs"), {"no such file system type", "/m (nosuchfs)"}, ENODEV},
        {filesystem("tmpfs", {"size=x"}),
         {"option 'size=x' refused", "/m (tmpfs)", "size"},
         EINVAL},
        {filesystem("tmpfs", {"bogus"}), {"option 'bogus' refused", "Unknown parameter"}, EINVAL},
        {filesystem("tmpfs", {"bogus=1"}), {"option 'bogus=1' refused", "bogus"}, EINVAL},
        {{.kind = MountKind::bind, .source = "/no/such", .target = "/m"},
         {"cannot bind", "/m (/no/such)"},
         ENOENT},
        {{.kind = MountKind::bind, .source = source_path, .target = "/file"},
         {"a directory does not go on a file"},
         0},
        {{.kind = MountKind::bind, .source = source_path + "/file", .target = "/there"},
         {"a file does not go on a directory"},
         0},
        {{.kind = MountKind::bind, .source = source_path, .target = "/file/x"},
         {"cannot make the mount point"},
         ENOTDIR},
        {{.kind = MountKind::bind, .source = source_path, .target = "/self"},
         {"cannot make the mount point"},
         ELOOP},
        {{.kind = MountKind::remount, .target = "/no/such"},
         {"cannot remount", "/no/such"},
         ENOENT},
        {{.kind = MountKind::remount, .target = "/there", .attr_set = MOUNT_ATTR_RDONLY},
         {"cannot set mount attributes", "/there"},
         EINVAL},
    };
    for (const auto& [step, words, error_number] : cases) {
        expect_fails(
            [&] {
                const UniqueFd root = prepare({dir("there"), file("file"), link("self", "self")});
                init::mount_one(root.get(), step);
            },
            words,
            error_number);
    }
}

TEST(Order, LeavesCgroupMountsAndWhatIsBelowThemForLater) {
    expect_passes([] {
        const UniqueFd root = prepare();
        const auto tmpfs = [](const char* target) {
            return MountStep{.target = target, .fstype = "tmpfs"};
        };
        MountStep cgroup{.kind = MountKind::cgroup, .target = "/cg", .fstype = "cgroup2"};
        const auto later = init::mount_all_but_cgroup(
            root.get(), {tmpfs("/a"), cgroup, tmpfs("/cg"), tmpfs("/cg/sub"), tmpfs("/cgx")});
        std::vector<std::string> targets;
        for (const MountStep& step : later) {
            targets.push_back(step.target);
        }
        EXPECT_EQ(targets, (std::vector<std::string>{"/cg", "/cg", "/cg/sub"}));
        EXPECT_TRUE(mount_at(root_path + "/a"));
        EXPECT_TRUE(mount_at(root_path + "/cgx"));
        EXPECT_FALSE(mount_at(root_path + "/cg"));
    });
}

} // namespace
} // namespace sctr::test
