// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/cgroups_path.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sctr::plan {
namespace {

struct Good {
    const char* text;
    const char* slice;
    const char* unit;
};

TEST(CgroupsPath, IsReadInEveryForm) {
    for (const Good& each : {
             Good{"", "def.slice", "sctr-id.scope"},
             Good{"machine.slice:libpod:abc", "machine.slice", "libpod-abc.scope"},
             Good{"a-b-c.slice:cri:abc", "a-b-c.slice", "cri-abc.scope"},
             Good{":libpod:abc", "def.slice", "libpod-abc.scope"},
             Good{"machine.slice::abc", "machine.slice", "abc.scope"},
             Good{"::abc", "def.slice", "abc.scope"},
             Good{"machine.slice:abc", "machine.slice", "abc.scope"},
             Good{"-.slice:p:n", "-.slice", "p-n.scope"},
             Good{"abc", "def.slice", "abc.scope"},
             Good{"abc.scope", "def.slice", "abc.scope"},
             Good{"/abc", "def.slice", "abc.scope"},
             Good{"/any/where/abc", "def.slice", "abc.scope"},
             Good{"/a.slice/a-b.slice/web.scope", "a-b.slice", "web.scope"},
             Good{"any/where//abc/", "def.slice", "abc.scope"},
             Good{"s.slice:p:a b+c", "s.slice", "p-a\\x20b\\x2bc.scope"},
             Good{"s.slice:p:\xc3\xbc", "s.slice", "p-\\xc3\\xbc.scope"},
             Good{"s.slice:p:..", "s.slice", "p-...scope"},
         }) {
        EXPECT_EQ(read_cgroups_path(each.text, "id", "def.slice"),
                  (ScopePlace{each.slice, each.unit}))
            << each.text;
    }
}

struct Bad {
    std::string text;
    const char* why;
};

TEST(CgroupsPath, IsRefusedWhereNoScopeCanBe) {
    for (const Bad& each : {
             Bad{"a.slice:b:c:d", "more than three parts"},
             Bad{"a.slice:b:", "no name"},
             Bad{"a.slice:", "no name"},
             Bad{"/", "no name"},
             Bad{"//", "no name"},
             Bad{"/a.slice", "names a slice"},
             Bad{"a.slice:b:c.slice", "names a slice"},
             Bad{"a:b:c", "not the name of a slice"},
             Bad{"/a.slice:b:c", "not the name of a slice"},
             Bad{"a.slice:b:" + std::string(250, 'c'), "255"},
         }) {
        try {
            read_cgroups_path(each.text, "id", "def.slice");
            ADD_FAILURE() << each.text;
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), testing::HasSubstr(each.why)) << each.text;
            EXPECT_THAT(error.what(), testing::HasSubstr("/linux/cgroupsPath"));
        }
    }
}

TEST(CgroupsPath, KnowsTheUnitThatACgroupIsBelow) {
    for (const auto& [path, unit] : {
             std::pair{"/system.slice/web.service/libpod-payload-1", "/system.slice/web.service"},
             std::pair{"/system.slice/web.service/a/b", "/system.slice/web.service"},
             std::pair{"/user.slice/u.scope/x.scope", "/user.slice/u.scope"},
             std::pair{"/user.slice/user@1.service/app.slice/web.service/x",
                       "/user.slice/user@1.service/app.slice/web.service"},
         }) {
        EXPECT_EQ(cgroup_of_unit_above(path), unit) << path;
    }
    for (const char* path : {
             "",
             "/",
             "/x",
             "machine.slice:libpod:abc",
             "/system.slice/web.service",
             "/system.slice/web.service/",
             "system.slice/web.service/x",
             "/system.slice/web.service/../x",
             "/system.slice//web.service/x",
             "/user.slice/user@1.service/user.slice/libpod-1.scope",
         }) {
        EXPECT_EQ(cgroup_of_unit_above(path), std::nullopt) << path;
    }
}

TEST(CgroupsPath, TheUnitOfACgroup) {
    EXPECT_EQ(unit_of_cgroup("/system.slice/web.service"), "web.service");
    EXPECT_EQ(unit_of_cgroup("/system.slice/_pids.service"), "pids.service");
    EXPECT_EQ(unit_of_cgroup("/system.slice/__odd.service"), "_odd.service");
    EXPECT_EQ(unit_of_cgroup(""), "");
}

} // namespace
} // namespace sctr::plan
