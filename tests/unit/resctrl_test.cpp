// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/resctrl.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.hpp"

namespace sctr::container {
namespace {

using testing::HasSubstr;

namespace fs = std::filesystem;

/// A folder that stands for resctrl, with the files that the kernel puts into every group.
class Resctrl : public testing::Test {
  protected:
    Resctrl() {
        std::string path = testing::TempDir() + "sctr-resctrl-XXXXXX";
        root_ = ::mkdtemp(path.data());
        make_group("");
    }

    ~Resctrl() override { fs::remove_all(root_); }

    Resctrl(const Resctrl&) = delete;
    Resctrl& operator=(const Resctrl&) = delete;
    Resctrl(Resctrl&&) = delete;
    Resctrl& operator=(Resctrl&&) = delete;

    void make_group(const std::string& name, const std::string& schemata = "") {
        fs::create_directories(root_ + "/" + name + "/mon_groups");
        std::ofstream(root_ + "/" + name + "/schemata") << schemata;
        std::ofstream(root_ + "/" + name + "/tasks").flush();
    }

    [[nodiscard]] std::string read(const std::string& name) const {
        std::stringstream text;
        text << std::ifstream(root_ + "/" + name).rdbuf();
        return text.str();
    }

    std::string failure(const oci::IntelRdt& rdt) {
        try {
            join_resctrl(rdt, "web", 42, root_);
        } catch (const Error& error) {
            return error.what();
        }
        return {};
    }

    std::string root_;
};

TEST_F(Resctrl, GivesTheContainerAClassOfItsOwn) {
    // In a real resctrl the files come with the directory.
    make_group("web");
    EXPECT_EQ(failure({.schemata = {"L2:0=f"}}), "");
    EXPECT_EQ(read("web/tasks"), "42\n");
    EXPECT_EQ(read("web/schemata"), "L2:0=f\n");
    EXPECT_EQ(read("tasks"), "");
}

TEST_F(Resctrl, JoinsAClassThatExists) {
    make_group("gold", "    L3:0=07f0;1=001f\n    MB:0= 20;1= 70\n");
    const std::vector<oci::IntelRdt> cases = {
        {.clos_id = "gold"},
        {.clos_id = "gold", .l3_cache_schema = "L3:0=7f0;1=1f"},
        {.clos_id = "gold", .l3_cache_schema = "L3:1=1f\nMB:0=99", .mem_bw_schema = "MB:0=20"},
        {.clos_id = "gold", .schemata = {"MB:1=70", "L3:0=7f0"}},
    };
    for (const oci::IntelRdt& rdt : cases) {
        std::ofstream(root_ + "/gold/tasks").flush();
        EXPECT_EQ(failure(rdt), "");
        EXPECT_EQ(read("gold/tasks"), "42\n");
        EXPECT_THAT(read("gold/schemata"), HasSubstr("07f0")); // not written
    }
    EXPECT_EQ(failure({.clos_id = "/"}), "");
    EXPECT_EQ(read("tasks"), "42\n");
}

TEST_F(Resctrl, RefusesWhatDoesNotFit) {
    make_group("gold", "L3:0=7f0;1=1f\n");
    EXPECT_THAT(failure({.clos_id = "none"}), HasSubstr("/linux/intelRdt/closID"));
    EXPECT_THAT(failure({.clos_id = "gold", .l3_cache_schema = "L3:0=7f1"}),
                HasSubstr("L3:0 is '7f0', not '7f1'"));
    EXPECT_THAT(failure({.clos_id = "gold", .schemata = {"L2:0=1"}}), HasSubstr("L2:0 is ''"));
    EXPECT_EQ(read("gold/tasks"), "");
}

TEST_F(Resctrl, LeavesWhatOthersShare) {
    make_group("gold");
    make_group("web");
    fs::create_directory(root_ + "/gold/mon_groups/web");
    leave_resctrl({.clos_id = "gold"}, "web", root_);
    EXPECT_TRUE(fs::exists(root_ + "/gold/mon_groups/web"));
    leave_resctrl({.clos_id = "gold", .enable_monitoring = true}, "web", root_);
    EXPECT_FALSE(fs::exists(root_ + "/gold/mon_groups/web"));
    EXPECT_TRUE(fs::exists(root_ + "/gold/tasks"));
    fs::remove_all(root_ + "/web");
    fs::create_directory(root_ + "/web"); // as the kernel sees it: nothing in it that must go first
    leave_resctrl({}, "web", root_);
    EXPECT_FALSE(fs::exists(root_ + "/web"));
}

} // namespace
} // namespace sctr::container
