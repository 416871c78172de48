// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/journal_entry.hpp"

#include <gtest/gtest.h>

namespace sctr::systemd {
namespace {

using namespace std::string_literals;

TEST(JournalEntry, IsEncodedAsJournaldReadsIt) {
    EXPECT_EQ(JournalEntry().add("MESSAGE", "a = b").bytes(), "MESSAGE=a = b\n");
    EXPECT_EQ(JournalEntry().add("A", "").add("A", "2").bytes(), "A=\nA=2\n");
    EXPECT_EQ(JournalEntry().add("A", "\0\xff"s).bytes(), "A=\0\xff\n"s);
    EXPECT_EQ(JournalEntry().add("A", "x\ny").bytes(), "A\n\x03\0\0\0\0\0\0\0x\ny\n"s);
    EXPECT_EQ(JournalEntry().add_if("A", "").add_if("B", "x").bytes(), "B=x\n");
}

} // namespace
} // namespace sctr::systemd
