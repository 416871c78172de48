// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/error_data.hpp"

#include <cerrno>

#include <gtest/gtest.h>

namespace sctr {
namespace {

/// What came out at the other end of a pipe.
Error sent(const Error& error, const std::string& said_before = "") {
    const auto received = error_from_data(said_before + error_data(error));
    EXPECT_TRUE(received);
    return received.value_or(Error("nothing"));
}

TEST(ErrorData, PartsStayParts) {
    Error error("cannot copy");
    error.at("web:/a: b").because(ENOSPC).mend("make (some) room");
    for (const std::string before : {"", "a warning\n"}) {
        const Error received = sent(error, before);
        EXPECT_STREQ(received.what(), error.what());
        EXPECT_EQ(received.what_failed(), "cannot copy");
        EXPECT_EQ(received.where(), "web:/a: b");
        EXPECT_EQ(received.why(), "No space left on device");
        EXPECT_EQ(received.how_to_mend(), "make (some) room");
        EXPECT_EQ(received.error_number(), ENOSPC);
    }
}

TEST(ErrorData, WordsWithoutANumber) {
    Error error("what");
    EXPECT_STREQ(sent(error).what(), "what");
    EXPECT_STREQ(sent(error.because("why")).what(), "what: why");
    EXPECT_EQ(sent(error).error_number(), 0);
}

TEST(ErrorData, WordsThatSayMoreThanTheNumber) {
    Error error("what");
    error.because(EPIPE).because("nobody reads it");
    EXPECT_STREQ(sent(error).what(), "what: nobody reads it");
    EXPECT_EQ(sent(error).error_number(), EPIPE);
}

TEST(ErrorData, ANulMakesNoPart) {
    const std::string text("a\0b", 3);
    const Error received = sent(Error(text).at(text).because("why"));
    EXPECT_STREQ(received.what(), "a: a: why");
}

TEST(ErrorData, WhatIsNone) {
    for (const std::string& text : {std::string(), std::string("words\n"), std::string(4, '\0')}) {
        EXPECT_FALSE(error_from_data(text));
    }
}

} // namespace
} // namespace sctr
