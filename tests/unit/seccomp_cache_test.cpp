// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/seccomp_cache.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/error.hpp"
#include "container/id.hpp"
#include "linux/procfs.hpp"

namespace sctr::container {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;
using testing::SizeIs;

oci::Seccomp profile(std::uint32_t error = EPERM) {
    return {.default_action = "SCMP_ACT_ALLOW",
            .syscalls = {{.names = {"keyctl"}, .action = "SCMP_ACT_ERRNO", .errno_ret = error}}};
}

std::vector<std::uint64_t> compiled(const oci::Seccomp& seccomp) {
    return plan::compile_seccomp(seccomp, plan::FilterLayout::tree).program;
}

class SeccompCacheTest : public testing::Test {
  protected:
    SeccompCacheTest() {
        std::string name = fs::temp_directory_path() / "sctr-cache-XXXXXX";
        base_ = ::mkdtemp(name.data());
    }

    ~SeccompCacheTest() override { fs::remove_all(base_); }

    [[nodiscard]] SeccompCache cache() const { return SeccompCache(RecordStore(base_ / "state")); }

    [[nodiscard]] std::vector<fs::path> files() const {
        std::vector<fs::path> found;
        std::error_code none;
        for (const auto& entry : fs::directory_iterator(cache().directory(), none)) {
            found.push_back(entry.path());
        }
        return found;
    }

    /// Keeps one program, and gives its file.
    [[nodiscard]] fs::path keep(const oci::Seccomp& seccomp) const {
        fs::remove_all(cache().directory());
        cache()(seccomp);
        const auto found = files();
        EXPECT_THAT(found, SizeIs(1));
        return found.empty() ? fs::path() : found.front();
    }

  private:
    fs::path base_;
};

std::string read_file(const fs::path& path) {
    return sys::read_small_file(path).value_or("");
}

void write_file(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

ino_t inode(const fs::path& path) {
    struct stat status{};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0);
    return status.st_ino;
}

mode_t mode(const fs::path& path) {
    struct stat status{};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
}

TEST_F(SeccompCacheTest, GivesWhatTheCompilerGives) {
    for (int turn = 0; turn < 2; ++turn) {
        for (const std::uint32_t error : {EPERM, ENOSYS}) {
            const auto step = cache()(profile(error));
            EXPECT_EQ(step.program, compiled(profile(error)));
            EXPECT_EQ(step.flags, 0U);
        }
    }
    EXPECT_THAT(files(), SizeIs(2));
}

TEST_F(SeccompCacheTest, IsTheCallersAlone) {
    const fs::path file = keep(profile());
    EXPECT_EQ(mode(file), 0600U);
    EXPECT_EQ(mode(file.parent_path()), 0700U);
    EXPECT_FALSE(is_id(file.parent_path().filename()));
}

TEST_F(SeccompCacheTest, ReadsInsteadOfCompiling) {
    const fs::path file = keep(profile());
    const ino_t before = inode(file);
    cache()(profile());
    EXPECT_EQ(inode(file), before);
}

TEST_F(SeccompCacheTest, ReplacesWhatItCannotTrust) {
    const struct {
        const char* what;
        std::function<void(const fs::path&)> spoil;
    } cases[] = {
        {"empty", [](const fs::path& file) { write_file(file, ""); }},
        {"cut short", [](const fs::path& file) { fs::resize_file(file, fs::file_size(file) - 1); }},
        {"too long", [](const fs::path& file) { write_file(file, read_file(file) + "x"); }},
        {"one bit of the program",
         [](const fs::path& file) {
             std::string bytes = read_file(file);
             bytes[bytes.size() - 12] ^= 1;
             write_file(file, bytes);
         }},
        {"one bit of the key",
         [](const fs::path& file) {
             std::string bytes = read_file(file);
             bytes[20] ^= 1;
             write_file(file, bytes);
         }},
        {"readable to others", [](const fs::path& file) { ::chmod(file.c_str(), 0644); }},
        {"a link to a good one",
         [](const fs::path& file) {
             const fs::path other = file.parent_path().parent_path() / "other";
             fs::rename(file, other);
             fs::create_symlink(other, file);
         }},
        {"a pipe",
         [](const fs::path& file) {
             fs::remove(file);
             ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
         }},
    };

    for (const auto& each : cases) {
        const fs::path file = keep(profile());
        each.spoil(file);
        const ino_t spoilt = inode(file);
        EXPECT_EQ(cache()(profile()).program, compiled(profile())) << each.what;
        EXPECT_NE(inode(file), spoilt) << each.what;
        EXPECT_EQ(mode(file), 0600U) << each.what;
        EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(file))) << each.what;
        EXPECT_THAT(files(), SizeIs(1)) << each.what;
    }
}

TEST_F(SeccompCacheTest, TakesNothingFromAnotherFilter) {
    // As if both had the same hash.
    const std::string theirs = read_file(keep(profile(ENOSYS)));
    const fs::path file = keep(profile(EPERM));
    write_file(file, theirs);
    EXPECT_EQ(cache()(profile(EPERM)).program, compiled(profile(EPERM)));
    EXPECT_NE(read_file(file), theirs);
}

TEST_F(SeccompCacheTest, TakesNothingFromAnothersFile) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root can give a file away";
    }
    const fs::path file = keep(profile());
    const ino_t theirs = inode(file);
    ASSERT_EQ(::chown(file.c_str(), 12345, 12345), 0);
    cache()(profile());
    EXPECT_NE(inode(file), theirs);
}

TEST_F(SeccompCacheTest, UsesNoDirectoryThatOthersCanWriteTo) {
    const fs::path directory = keep(profile()).parent_path();
    ASSERT_EQ(::chmod(directory.c_str(), 0777), 0);
    cache()(profile(ENOSYS));
    EXPECT_THAT(files(), SizeIs(1));
}

TEST_F(SeccompCacheTest, ForgetsTheOldest) {
    const fs::path oldest = keep(profile(1));
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    ASSERT_EQ(::utimensat(AT_FDCWD, oldest.c_str(), times, 0), 0);
    for (std::uint32_t error = 2; error <= SeccompCache::max_programs; ++error) {
        cache()(profile(error));
    }
    EXPECT_THAT(files(), SizeIs(SeccompCache::max_programs));
    EXPECT_TRUE(fs::exists(oldest));
    cache()(profile(100));
    EXPECT_THAT(files(), SizeIs(SeccompCache::max_programs));
    EXPECT_FALSE(fs::exists(oldest));
}

TEST_F(SeccompCacheTest, FailsOnlyWhereTheCompilerDoes) {
    EXPECT_THROW(cache()({.default_action = "nonsense"}), Error);
    EXPECT_THAT(files(), IsEmpty());
    write_file(fs::path(cache().directory()).parent_path(), "a file in the place of the root");
    EXPECT_EQ(cache()(profile()).program, compiled(profile()));
}

TEST(SeccompKey, DiffersWithEverythingButTheListener) {
    const auto key = [](const std::function<void(oci::Seccomp&)>& change,
                        plan::FilterLayout layout = plan::FilterLayout::tree) {
        oci::Seccomp seccomp = profile();
        change(seccomp);
        return plan::seccomp_key(seccomp, layout);
    };
    const auto nothing = [](oci::Seccomp&) {};
    const std::string plain = key(nothing);

    const std::function<void(oci::Seccomp&)> changes[] = {
        [](auto& s) { s.default_action = "SCMP_ACT_LOG"; },
        [](auto& s) { s.default_errno_ret = 0; },
        [](auto& s) { s.architectures = {"SCMP_ARCH_X86"}; },
        [](auto& s) { s.flags = {"SCMP_ARCH_X86"}; },
        [](auto& s) { s.syscalls.push_back(s.syscalls[0]); },
        [](auto& s) { s.syscalls[0].names = {"keyct", "l"}; },
        [](auto& s) { s.syscalls[0].action = "SCMP_ACT_TRACE"; },
        [](auto& s) { s.syscalls[0].errno_ret.reset(); },
        [](auto& s) { s.syscalls[0].args = {{}}; },
        [](auto& s) { s.syscalls[0].args = {{.index = 1}}; },
        [](auto& s) { s.syscalls[0].args = {{.value = 1}}; },
        [](auto& s) { s.syscalls[0].args = {{.value_two = 1}}; },
        [](auto& s) { s.syscalls[0].args = {{.op = "SCMP_CMP_EQ"}}; },
    };
    std::vector<std::string> keys{plain, key(nothing, plan::FilterLayout::list)};
    for (const auto& change : changes) {
        keys.push_back(key(change));
    }
    const std::size_t all = keys.size();
    std::ranges::sort(keys);
    keys.erase(std::ranges::unique(keys).begin(), keys.end());
    EXPECT_EQ(keys.size(), all);

    EXPECT_EQ(key(nothing), plain);
    EXPECT_EQ(key([](auto& s) {
                  s.listener_path = "/run/b";
                  s.listener_metadata = "for b";
              }),
              plain);
}

} // namespace
} // namespace sctr::container
