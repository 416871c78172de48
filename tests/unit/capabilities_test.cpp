// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/capabilities.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>

#include "base/error.hpp"

namespace sctr::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t bit(int number) {
    return std::uint64_t{1} << number;
}

TEST(CapabilityNumber, ReadsNamesAsPeopleWriteThem) {
    const struct {
        const char* name;
        std::optional<int> number;
    } cases[] = {
        {"CAP_CHOWN", CAP_CHOWN},
        {"chown", CAP_CHOWN},
        {"Cap_Sys_Admin", CAP_SYS_ADMIN},
        {"NET_BIND_SERVICE", CAP_NET_BIND_SERVICE},
        {"CAP_SETFCAP", CAP_SETFCAP},
        {"CAP_AUDIT_READ", CAP_AUDIT_READ},
        {"CAP_PERFMON", CAP_PERFMON},
        {"bpf", CAP_BPF},
        {"CAP_CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE},
        {"", std::nullopt},
        {"CAP_", std::nullopt},
        {"CAP_CAP_CHOWN", std::nullopt},
        {"ALL", std::nullopt},
        {"CHOWN ", std::nullopt},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(capability_number(each.name), each.number) << each.name;
    }
}

TEST(CapabilityName, IsTheInverseOfTheNumber) {
    for (int number = 0; number <= CAP_LAST_CAP && number <= CAP_CHECKPOINT_RESTORE; ++number) {
        EXPECT_EQ(capability_number(capability_name(number)), number);
    }
    EXPECT_EQ(capability_name(-1), "");
    EXPECT_EQ(capability_name(CAP_CHECKPOINT_RESTORE + 1), "");
}

TEST(AllCapabilities, StopAtTheKernelsLast) {
    EXPECT_EQ(all_capabilities(CAP_CHECKPOINT_RESTORE).size(), 41U);
    EXPECT_EQ(all_capabilities(63).size(), 41U);
    EXPECT_THAT(all_capabilities(1), ElementsAre("CAP_CHOWN", "CAP_DAC_OVERRIDE"));
}

TEST(CapabilityMask, OfTheDefaultSetIsPodmans) {
    EXPECT_EQ(capability_mask(default_capabilities(), 40, "/process/capabilities/bounding"),
              0x800405fbULL);
}

TEST(CapabilityMask, LeavesOutWhatTheKernelLacks) {
    const std::vector<std::string> names{"CAP_KILL", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"};
    EXPECT_EQ(capability_mask(names, 40, ""), bit(CAP_KILL) | bit(CAP_BPF) | bit(40));
    EXPECT_EQ(capability_mask(names, 39, ""), bit(CAP_KILL) | bit(CAP_BPF));
    EXPECT_EQ(capability_mask(names, 37, ""), bit(CAP_KILL));
    EXPECT_THAT(unsupported_capabilities(names, 40), IsEmpty());
    EXPECT_THAT(unsupported_capabilities(names, 38),
                ElementsAre("CAP_BPF", "CAP_CHECKPOINT_RESTORE"));
}

TEST(CapabilityMask, RefusesNamesThatTheSpecDoesNotKnow) {
    const struct {
        const char* name;
        const char* message;
    } cases[] = {
        {"CAP_FLY", "unknown capability 'CAP_FLY': /p/1"},
        {"CAP_FLY", "capabilities(7)"},
        {"chown", "write CAP_CHOWN"},
        {"cap_chown", "write CAP_CHOWN"},
        {"", "unknown capability ''"},
    };

    for (const auto& each : cases) {
        try {
            capability_mask({"CAP_KILL", each.name}, 40, "/p");
            ADD_FAILURE() << each.name << " was taken";
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr(each.message));
        }
    }
}

} // namespace
} // namespace sctr::plan
