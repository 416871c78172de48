// SPDX-License-Identifier: LGPL-2.1-or-later
#include "container/log_lines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace sctr::container {

static void PrintTo(const LogLine& line, std::ostream* out) {
    *out << line.priority << ' ' << line.prefix << '"' << line.text << '"'
         << (line.ends ? "" : " ...");
}

namespace {

using testing::ElementsAre;

std::vector<LogLine> cut(const std::vector<std::string>& reads, std::size_t longest = 8) {
    LogLines lines(6, longest);
    std::vector<LogLine> result;
    for (const std::string& bytes : reads) {
        lines.add(bytes);
        while (auto line = lines.next()) {
            result.push_back(*line);
        }
    }
    while (auto line = lines.next(true)) {
        result.push_back(*line);
    }
    return result;
}

TEST(LogLines, AreCutAtNewlines) {
    EXPECT_THAT(cut({}), ElementsAre());
    EXPECT_THAT(cut({"a\n"}), ElementsAre(LogLine{"a"}));
    EXPECT_THAT(cut({"a", "b\nc", "\n"}), ElementsAre(LogLine{"ab"}, LogLine{"c"}));
    EXPECT_THAT(cut({"\n\n  x \n"}), ElementsAre(LogLine{""}, LogLine{""}, LogLine{"  x "}));
    EXPECT_THAT(cut({"a\nend"}), ElementsAre(LogLine{"a"}, LogLine{"end", "", 6, false}));
}

TEST(LogLines, ThatAreTooLongComeInPieces) {
    EXPECT_THAT(cut({"12345678\n"}), ElementsAre(LogLine{"12345678"}));
    EXPECT_THAT(cut({"123456789\n"}), ElementsAre(LogLine{"12345678", "", 6, false}, LogLine{"9"}));
    EXPECT_THAT(cut({"1234567890abcdef\n"}),
                ElementsAre(LogLine{"12345678", "", 6, false}, LogLine{"90abcdef"}));
    EXPECT_THAT(cut({"12345678"}), ElementsAre(LogLine{"12345678", "", 6, false}));
}

TEST(LogLines, HaveThePriorityOfTheirPrefix) {
    EXPECT_THAT(cut({"<3>bad\nok\n"}), ElementsAre(LogLine{"bad", "<3>", 3}, LogLine{"ok"}));
    EXPECT_THAT(cut({"<0>\n<7>\n"}), ElementsAre(LogLine{"", "<0>", 0}, LogLine{"", "<7>", 7}));
    EXPECT_THAT(cut({"<8>x\n< 3>\n<3\nx<3>\n"}),
                ElementsAre(LogLine{"<8>x"}, LogLine{"< 3>"}, LogLine{"<3"}, LogLine{"x<3>"}));
    // A later piece has its line's priority, and no prefix of its own.
    EXPECT_THAT(
        cut({"<4>45678<2>9\nx\n"}),
        ElementsAre(LogLine{"45678", "<4>", 4, false}, LogLine{"<2>9", "", 4}, LogLine{"x"}));
}

TEST(LogLines, KeepEveryByteHoweverTheyCome) {
    std::mt19937 random(4); // NOLINT: the same bytes each time
    for (int round = 0; round < 200; ++round) {
        std::string all;
        std::vector<std::string> reads(random() % 20);
        for (std::string& bytes : reads) {
            for (auto size = random() % 12; size > 0; --size) {
                bytes += "\n<3>x\0\xff"[random() % 7];
            }
            all += bytes;
        }
        std::string joined;
        for (const LogLine& line : cut(reads)) {
            joined += line.prefix + line.text + (line.ends ? "\n" : "");
        }
        EXPECT_EQ(joined, all);
    }
}

} // namespace
} // namespace sctr::container
