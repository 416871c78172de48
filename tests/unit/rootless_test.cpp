// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/caller.hpp"
#include "plan/own_ids.hpp"

namespace sctr {
namespace {

using host::outside_id;
using plan::own_id_map;
using testing::ElementsAre;

TEST(OutsideId, IsWhatTheMapSays) {
    const std::string map = "         0       1000          1\n"
                            "         1     100000      65536\n"
                            "    100000 4294900000      67295\n";

    struct {
        std::uint32_t inside;
        std::optional<std::uint32_t> outside;
    } const cases[] = {
        {0, 1000},
        {1, 100000},
        {5, 100004},
        {65536, 165535},
        {65537, std::nullopt},
        {100000, 4294900000},
        {167294, 4294967294},
        {167295, std::nullopt},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(outside_id(map, each.inside), each.outside) << each.inside;
    }
    EXPECT_EQ(outside_id("", 0), std::nullopt);
}

TEST(UserManagerCgroup, IsThatOfTheUid) {
    EXPECT_EQ(host::user_manager_cgroup({.uid = 1234}),
              "/user.slice/user-1234.slice/user@1234.service");
}

TEST(IsOfAnother, KnowsTheOwnersOfRuntimeDirectories) {
    const host::Caller plain{.uid = 1234};

    struct {
        const char* path;
        bool is_anothers;
    } const cases[] = {
        {"/run/user/0", true}, // whether it is there or not
        {"/run/user/0/bus", true},
        {"/run/user/12345/bus", true},
        {"/run/user/1234", false},
        {"/run/user/1234/bus", false},
        {"/", true},
        {"/no/such/directory", false}, // an error that says so is better
    };

    for (const auto& each : cases) {
        EXPECT_EQ(host::is_of_another(plain, each.path), each.is_anothers) << each.path;
    }
    EXPECT_FALSE(host::is_of_another({.in_user_namespace = true, .uid = 1234}, "/"));
}

oci::IdMapping mapping(std::uint32_t inside, std::uint32_t outside, std::uint32_t size) {
    return {.container_id = inside, .host_id = outside, .size = size};
}

TEST(OwnIdMap, TakesTheRangesOfNameAndUid) {
    EXPECT_THAT(
        own_id_map("root:1:1\n"
                   "alice:100000:65536\n"
                   "1234:300000:10\n"
                   "alicia:400000:10\n",
                   {.name = "alice", .uid = 1234},
                   1234),
        ElementsAre(mapping(0, 1234, 1), mapping(1, 100000, 65536), mapping(65537, 300000, 10)));
}

TEST(OwnIdMap, PassesOverWhatIsNoRange) {
    for (const char* text : {"",
                             "alice",
                             "alice:1",
                             "alice:1:0",
                             "alice::10",
                             "alice:x:10",
                             "alice:-1:10",
                             "alice:4294967295:10",
                             "alice:1:10:1"}) {
        EXPECT_THAT(own_id_map(text, {.name = "alice", .uid = 7}, 8), ElementsAre(mapping(0, 8, 1)))
            << text;
    }
}

TEST(OwnIdMap, EndsWithTheLastId) {
    EXPECT_THAT(own_id_map("alice:4294967290:100\n", {.name = "alice", .uid = 7}, 7),
                ElementsAre(mapping(0, 7, 1), mapping(1, 4294967290, 5)));
}

TEST(KeepIdMap, PutsTheUserWhereHeIsToBe) {
    const std::vector own{mapping(0, 7, 1), mapping(1, 1000, 10), mapping(11, 5000, 5)};

    const struct {
        std::uint32_t id;
        std::vector<oci::IdMapping> expected;
    } cases[] = {
        {0, own},
        {3, {mapping(0, 1000, 3), mapping(3, 7, 1), mapping(4, 1003, 7), mapping(11, 5000, 5)}},
        {10, {mapping(0, 1000, 10), mapping(10, 7, 1), mapping(11, 5000, 5)}},
        {12, {mapping(0, 1000, 10), mapping(10, 5000, 2), mapping(12, 7, 1), mapping(13, 5002, 3)}},
        {15, {mapping(0, 1000, 10), mapping(10, 5000, 5), mapping(15, 7, 1)}},
        {99, {mapping(0, 1000, 10), mapping(10, 5000, 5), mapping(99, 7, 1)}},
    };

    for (const auto& each : cases) {
        const auto map = plan::keep_id_map(own, each.id);
        EXPECT_EQ(map, each.expected) << each.id;
        EXPECT_EQ(plan::container_id(map, 7), each.id);
        EXPECT_EQ(plan::container_id(map, 5010), std::nullopt);
    }
    EXPECT_THAT(plan::keep_id_map({mapping(0, 7, 1)}, 5), ElementsAre(mapping(5, 7, 1)));
}

} // namespace
} // namespace sctr
