// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/notify.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sctr::container::notify {
namespace {

using testing::Contains;
using testing::ElementsAre;

TEST(Notify, OnlyWhatConcernsTheServiceIsSaidAgain) {
    struct Case {
        const char* message;
        const char* expected;
    };

    for (const Case& each : {
             Case{"READY=1", "READY=1\n"},
             Case{"READY=1\nSTATUS=a=b c\n", "READY=1\nSTATUS=a=b c\n"},
             Case{"STATUS=x\n\nMAINPID=5\nWATCHDOG=1", "STATUS=x\nWATCHDOG=1\n"},
             Case{"MAINPID=5", ""},
             Case{"BARRIER=1\n", ""},
             Case{"NOTIFYACCESS=none\nREADY=1\n", "READY=1\n"},
             Case{"FDSTORE=1\nFDNAME=x\n", ""},
             Case{"MAINPIDS=5", "MAINPIDS=5\n"},
             Case{"nonsense", "nonsense\n"},
             Case{"", ""},
         }) {
        EXPECT_EQ(forwardable(each.message), each.expected) << each.message;
    }
}

TEST(Notify, ReadyIsALineOfItsOwn) {
    EXPECT_TRUE(is_ready("READY=1"));
    EXPECT_TRUE(is_ready("STATUS=x\nREADY=1\n"));
    EXPECT_FALSE(is_ready("READY=0"));
    EXPECT_FALSE(is_ready("STATUS=READY=1"));
    EXPECT_FALSE(is_ready(""));
}

TEST(Notify, AProcessIsToldOfItsSocket) {
    oci::Spec spec;
    spec.process.emplace().env = {"A=b"};
    ASSERT_TRUE(add_to(spec, "/run/x"));
    EXPECT_THAT(spec.process->env, ElementsAre("A=b", "NOTIFY_SOCKET=/run/notify/notify.sock"));
    ASSERT_EQ(spec.mounts.size(), 1U);
    EXPECT_EQ(spec.mounts[0].destination, "/run/notify");
    EXPECT_EQ(spec.mounts[0].source, "/run/x/notify");
    EXPECT_THAT(spec.mounts[0].options, Contains("ro"));
}

TEST(Notify, TheSocketOfAnEngineIsLeftAlone) {
    oci::Spec spec;
    EXPECT_FALSE(add_to(spec, "/run/x")) << "there is no process";
    spec.process.emplace().env = {"NOTIFY_SOCKET=/run/notify/notify.sock"};
    const oci::Spec before = spec;
    EXPECT_FALSE(add_to(spec, "/run/x"));
    EXPECT_EQ(spec, before);
}

} // namespace
} // namespace sctr::container::notify
