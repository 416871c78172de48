// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/cgroup_stats.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sctr::container {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr auto unlimited = MemoryAmount::unlimited;

TEST(CgroupStats, FlatKeyedFiles) {
    EXPECT_THAT(parse_flat_keyed("a 1\nb 18446744073709551615\n"),
                ElementsAre(Pair("a", 1), Pair("b", unlimited)));
    EXPECT_THAT(parse_flat_keyed("bad\nworse x\nmore 1 2\nless -1\nfine 3"),
                ElementsAre(Pair("fine", 3)));
    EXPECT_THAT(parse_flat_keyed(""), IsEmpty());
}

TEST(CgroupStats, Amounts) {
    struct Case {
        const char* text;
        std::optional<std::uint64_t> value;
    };

    for (const Case& each : {Case{"5\n", 5},
                             Case{"0", 0},
                             Case{"max\n", unlimited},
                             Case{"", std::nullopt},
                             Case{"maximum\n", std::nullopt},
                             Case{"-1\n", std::nullopt}}) {
        EXPECT_EQ(parse_amount(each.text), each.value) << each.text;
    }
}

TEST(CgroupStats, InputAndOutput) {
    EXPECT_THAT(parse_io_stat("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n"
                              "259:1 rios=7\n"
                              "nonsense rbytes=1\n"
                              "1:x rbytes=1\n"
                              "8:16 \n"),
                ElementsAre(DeviceIo{8, 0, 1, 2, 3, 4},
                            DeviceIo{259, 1, 0, 0, 7, 0},
                            DeviceIo{8, 16, 0, 0, 0, 0}));
    EXPECT_THAT(parse_io_stat(""), IsEmpty());
}

TEST(CgroupStats, Pressure) {
    const auto both = parse_pressure("some avg10=1.50 avg60=0.25 avg300=99.99 total=12345\n"
                                     "full avg10=0.00 avg60=0.00 avg300=0.01 total=6\n");
    EXPECT_EQ(both, (container::Pressure{{1.5, 0.25, 99.99, 12345}, {0, 0, 0.01, 6}}));
    // Kernels before 5.13 have no `full` for the CPU.
    EXPECT_EQ(parse_pressure("some avg10=1.00 avg60=0.00 avg300=0.00 total=6\n"),
              (container::Pressure{{1, 0, 0, 6}, {}}));
    EXPECT_EQ(parse_pressure(""), std::nullopt);
    EXPECT_EQ(parse_pressure("none\n"), std::nullopt);
}

TEST(CgroupStats, OomKills) {
    EXPECT_EQ(oom_kills("low 0\nhigh 0\nmax 4\noom 2\noom_kill 3\noom_group_kill 9\n"), 3U);
    EXPECT_EQ(oom_kills("oom 2\n"), 0U);
    EXPECT_EQ(oom_kills(""), 0U);
}

/// A directory that looks like a cgroup.
class Cgroup {
  public:
    Cgroup() {
        std::string path = std::filesystem::temp_directory_path() / "cgroup-XXXXXX";
        path_ = ::mkdtemp(path.data());
    }

    ~Cgroup() { std::filesystem::remove_all(path_); }

    Cgroup(const Cgroup&) = delete;
    Cgroup& operator=(const Cgroup&) = delete;
    Cgroup(Cgroup&&) = delete;
    Cgroup& operator=(Cgroup&&) = delete;

    Cgroup& with(const char* file, const char* text) {
        std::ofstream(path_ / file) << text;
        return *this;
    }

    [[nodiscard]] CgroupStats read() const { return read_cgroup_stats(path_); }

  private:
    std::filesystem::path path_;
};

TEST(CgroupStats, WithoutControllersEverythingIsNothing) {
    EXPECT_EQ(Cgroup().read(), CgroupStats{});
    EXPECT_EQ(read_cgroup_stats("/no/such/cgroup"), CgroupStats{});
}

TEST(CgroupStats, EveryFileHasItsPlace) {
    Cgroup cgroup;
    cgroup
        .with("cpu.stat",
              "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 4\nnr_throttled 3\n"
              "throttled_usec 2\n")
        .with("cpu.pressure", "some avg10=1.00 avg60=0.00 avg300=0.00 total=5\n")
        .with("memory.current", "100\n")
        .with("memory.peak", "200\n")
        .with("memory.max", "max\n")
        .with("memory.swap.current", "7\n")
        .with("memory.swap.max", "300\n")
        .with("memory.stat", "anon 1\nfile 2\n")
        .with("pids.current", "3\n")
        .with("pids.max", "2048\n")
        .with("io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4\n")
        .with("io.pressure", "full avg10=0.00 avg60=2.00 avg300=0.00 total=0\n")
        .with("hugetlb.2MB.current", "4096\n")
        .with("hugetlb.2MB.events", "max 6\n")
        .with("hugetlb.2MB.rsvd.current", "9\n")
        .with("hugetlb.1GB.current", "0\n");
    CgroupStats expected;
    expected.cpu = {30, 20, 10, 4, 3, 2, Pressure{{1, 0, 0, 5}, {}}};
    expected.memory.memory = {100, 200, unlimited};
    expected.memory.swap = {7, 0, 300};
    expected.memory.detail = {{"anon", 1}, {"file", 2}};
    expected.processes = 3;
    expected.process_limit = 2048;
    expected.io = {{8, 0, 1, 2, 3, 4}};
    expected.io_pressure = Pressure{{}, {0, 2, 0, 0}};
    expected.hugetlb = {{"1GB", {0, 0}}, {"2MB", {4096, 6}}};
    EXPECT_EQ(cgroup.read(), expected);
}

TEST(CgroupStats, NoLimitOfProcessesIsZero) {
    EXPECT_EQ(Cgroup().with("pids.max", "max\n").read().process_limit, 0U);
}

} // namespace
} // namespace sctr::container
