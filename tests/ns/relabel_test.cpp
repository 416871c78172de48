// SPDX-License-Identifier: LGPL-2.1-or-later
// SELinux labels of trees. They are attributes like others, which root may write on any host.
#include "linux/relabel.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "sandbox.hpp"

namespace sctr::test {
namespace {

const std::string label = "system_u:object_r:container_file_t:s0";
const std::string tree = scratch + "/tree";

std::string label_of(const std::string& path) {
    std::array<char, 256> value{};
    const ssize_t size = ::lgetxattr(path.c_str(), "security.selinux", value.data(), value.size());
    return size < 0 ? ::strerrorname_np(errno)
                    : std::string(value.data(), static_cast<std::size_t>(size));
}

/// The kernel keeps the null byte that a label ends with.
std::string stored() {
    return label + '\0';
}

std::string error_of(const std::string& path) {
    try {
        sys::relabel_tree(path, label);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

TEST(Relabel, ReachesEverythingInTheTreeAndNothingOutside) {
    expect_passes([] {
        make_tree(scratch, {file("outside/file"), dir("outside/dir")});
        make_tree(tree,
                  {file("a"),
                   file("d/e/f"),
                   file("d/.hidden"),
                   link("file", "../outside/file"),
                   link("dir", scratch + "/outside/dir"),
                   link("up", ".."),
                   link("gone", "none")});
        ASSERT_EQ(::mkfifo((tree + "/fifo").c_str(), 0600), 0);
        sys::relabel_tree(tree, label);
        for (const char* name : {"",
                                 "/a",
                                 "/d",
                                 "/d/e",
                                 "/d/e/f",
                                 "/d/.hidden",
                                 "/file",
                                 "/dir",
                                 "/up",
                                 "/gone",
                                 "/fifo"}) {
            EXPECT_EQ(label_of(tree + name), stored()) << name;
        }
        for (const char* name : {"/outside", "/outside/file", "/outside/dir", ""}) {
            EXPECT_NE(label_of(scratch + name), stored()) << name;
        }
    });
}

TEST(Relabel, TakesAFileAndALinkToATree) {
    expect_passes([] {
        make_tree(tree, {file("a"), dir("real"), link("link", "real")});
        sys::relabel_tree(tree + "/a", label);
        EXPECT_EQ(label_of(tree + "/a"), stored());
        sys::relabel_tree(tree + "/link", label); // as the mount will follow it
        EXPECT_EQ(label_of(tree + "/real"), stored());
        EXPECT_NE(label_of(tree + "/link"), stored());
    });
}

TEST(Relabel, PassesOverFileSystemsWithoutLabels) {
    expect_passes([] { EXPECT_EQ(error_of("/proc/self/status"), "no error"); });
}

TEST(Relabel, RefusesWhatTheHostLivesIn) {
    expect_passes([] {
        make_tree(scratch, {link("usr", "/usr")});
        for (const std::string path : {"/", "/usr", "/usr/", "/usr/../etc", "/proc/self/root"}) {
            EXPECT_THAT(error_of(path), testing::HasSubstr("the host itself")) << path;
        }
        EXPECT_THAT(error_of(scratch + "/usr"), testing::HasSubstr("the host itself"));
        EXPECT_THAT(error_of(scratch + "/missing"), testing::HasSubstr("No such file"));
    });
}

TEST(Relabel, RefusesATreeWithoutEnd) {
    expect_passes([] {
        std::string deep = "d";
        for (int i = 0; i < 600; ++i) {
            deep += "/d";
        }
        make_tree(tree, {dir(deep)});
        EXPECT_THAT(error_of(tree), testing::HasSubstr("Too many levels"));
    });
}

} // namespace
} // namespace sctr::test
