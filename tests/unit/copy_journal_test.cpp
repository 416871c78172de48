// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/copy_journal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include <gtest/gtest.h>

namespace sctr::storage {
namespace {

namespace fs = std::filesystem;

/// A directory with what was there before, a copy's beginning, and a directory beside that nobody
/// may touch.
class CopyJournalTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = fs::temp_directory_path() / "sctr-journal-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        top_ = name;
        fs::create_directories(top_ / "ground/old");
        fs::create_directories(top_ / "outside/made");
        put("outside/made/file");
        put("outside/file");
        put("ground/old/kept");
        ground_ = UniqueFd(::open((top_ / "ground").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    }

    void TearDown() override { fs::remove_all(top_); }

    void put(const std::string& path) const { std::ofstream(top_ / path) << path; }

    [[nodiscard]] ino_t inode(const std::string& path) const {
        struct stat info{};
        EXPECT_EQ(::lstat((top_ / path).c_str(), &info), 0);
        return info.st_ino;
    }

    /// Does, and notes, what a copy does.
    void copy() {
        journal_.ground("somewhere");
        journal_.directory({.directory = "", .name = "made"});
        fs::create_directory(top_ / "ground/made");
        journal_.beside({.directory = "made", .name = ".beside"});
        put("ground/made/file");
        journal_.file({.directory = "made", .name = "file"}, inode("ground/made/file"));
        journal_.beside({.directory = "old", .name = ".beside"});
        put("ground/old/.beside");
    }

    [[nodiscard]] std::size_t back() const { return take_back(journal_.text(), ground_.get()); }

    [[nodiscard]] std::set<std::string> names() const {
        std::set<std::string> found;
        for (const auto& entry : fs::recursive_directory_iterator(top_ / "ground")) {
            found.insert(entry.path().lexically_relative(top_ / "ground"));
        }
        return found;
    }

    void expect_outside_as_it_was() const {
        EXPECT_TRUE(fs::exists(top_ / "outside/made/file"));
        EXPECT_TRUE(fs::exists(top_ / "outside/file"));
    }

    fs::path top_;
    UniqueFd ground_;
    CopyJournal journal_;
};

TEST_F(CopyJournalTest, WhatWasMadeGoes) {
    copy();
    EXPECT_EQ(ground_of(journal_.text()), "somewhere");
    EXPECT_EQ(back(), 0U);
    EXPECT_EQ(names(), (std::set<std::string>{"old", "old/kept"}));
    EXPECT_EQ(back(), 0U);
}

TEST_F(CopyJournalTest, EveryBeginningOfAJournalIsOne) {
    copy();
    const std::string text = journal_.text();
    for (std::size_t size = 0; size <= text.size(); ++size) {
        EXPECT_EQ(take_back(text.substr(0, size), ground_.get()), 0U);
    }
    EXPECT_EQ(names(), (std::set<std::string>{"old", "old/kept"}));
}

/// What may have become of the names meanwhile, and what is there afterwards.
struct Meanwhile {
    const char* name;
    std::function<void(const fs::path& ground)> change;
    std::set<std::string> left;
};

class CopyJournalMeanwhile : public CopyJournalTest,
                             public testing::WithParamInterface<Meanwhile> {};

TEST_P(CopyJournalMeanwhile, NothingOfOthersGoes) {
    copy();
    GetParam().change(top_ / "ground");
    EXPECT_EQ(back(), 0U);
    std::set<std::string> expected{"old", "old/kept"};
    expected.insert(GetParam().left.begin(), GetParam().left.end());
    EXPECT_EQ(names(), expected);
    expect_outside_as_it_was();
}

INSTANTIATE_TEST_SUITE_P(
    All,
    CopyJournalMeanwhile,
    testing::Values(
        Meanwhile{"another_file",
                  [](const fs::path& ground) {
                      std::ofstream(ground / "new") << "x";
                      fs::rename(ground / "new", ground / "made/file");
                  },
                  {"made", "made/file"}},
        Meanwhile{"one_more",
                  [](const fs::path& ground) { std::ofstream(ground / "made/more") << "x"; },
                  {"made", "made/more"}},
        Meanwhile{"a_link_for_the_directory",
                  [](const fs::path& ground) {
                      fs::rename(ground / "made", ground / "moved");
                      fs::create_directory_symlink("../outside/made", ground / "made");
                  },
                  {"made", "moved", "moved/file"}},
        Meanwhile{"a_link_for_the_file",
                  [](const fs::path& ground) {
                      // Made first, or it would get the number of the other.
                      fs::create_symlink("../../outside/file", ground / "new");
                      fs::rename(ground / "new", ground / "made/file");
                  },
                  {"made", "made/file"}},
        Meanwhile{"a_directory_for_the_file",
                  [](const fs::path& ground) {
                      fs::remove(ground / "made/file");
                      fs::create_directory(ground / "made/file");
                  },
                  {"made", "made/file"}},
        Meanwhile{"all_gone", [](const fs::path& ground) { fs::remove_all(ground / "made"); }, {}}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(CopyJournalTest, NamesThatArePathsAreNone) {
    for (const std::string name : {"../outside/file", "..", ".", "", "made/file"}) {
        journal_.beside({.directory = "", .name = name});
    }
    journal_.beside({.directory = "../outside", .name = "file"});
    journal_.beside({.directory = top_ / "outside", .name = "file"});
    copy();
    EXPECT_EQ(back(), 0U);
    EXPECT_EQ(names(), (std::set<std::string>{"old", "old/kept"}));
    expect_outside_as_it_was();
}

TEST_F(CopyJournalTest, WhatCannotBeReadAgainIsNotWrittenTo) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd reader(ends[0]);
    const UniqueFd writer(ends[1]);
    CopyJournal journal = CopyJournal::on(writer.get());
    journal.directory({.directory = "", .name = "x"});
    EXPECT_FALSE(journal.text().empty());
}

} // namespace
} // namespace sctr::storage
