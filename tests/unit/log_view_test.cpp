// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/log_view.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace sctr::cli {
namespace {

LogEntry entry(int stream, const char* text, bool ends = true) {
    return {.time_usec = 1'000'000, .stream = stream, .text = text, .ends = ends};
}

TEST(LogText, IsWhatTheCommandWrote) {
    LogText text(false);
    EXPECT_EQ(text(entry(1, "a")), "a\n");
    EXPECT_EQ(text(entry(1, "")), "\n");
    EXPECT_EQ(text(entry(2, "piece", false)), "piece");
    EXPECT_EQ(text({.priority = 3, .prefix = "<3>", .text = "bad"}), "<3>bad\n");
}

TEST(LogText, HasTheTimeOnceALine) {
    LogText text(true);
    const std::string time = "1970-01-01T00:00:01.000000Z ";
    EXPECT_EQ(text(entry(1, "a")), time + "a\n");
    EXPECT_EQ(text(entry(1, "piece", false)), time + "piece");
    EXPECT_EQ(text(entry(2, "err")), time + "err\n"); // another stream, another line
    EXPECT_EQ(text(entry(1, "rest")), "rest\n");
    EXPECT_EQ(text(entry(1, "b")), time + "b\n");
}

TEST(LogJson, HasWhatIsKnown) {
    const auto full = nlohmann::json::parse(log_json({.time_usec = 1'000'000,
                                                      .stream = 2,
                                                      .priority = 3,
                                                      .prefix = "<3>",
                                                      .text = "tab\t\"quoted\"",
                                                      .ends = false,
                                                      .name = "web",
                                                      .run = "7",
                                                      .image = "debian"}));
    EXPECT_EQ(full,
              (nlohmann::json{{"time", "1970-01-01T00:00:01.000000Z"},
                              {"name", "web"},
                              {"run", "7"},
                              {"stream", "stderr"},
                              {"priority", 3},
                              {"image", "debian"},
                              {"partial", true},
                              {"message", "tab\t\"quoted\""}}));
    const auto binary = nlohmann::json::parse(log_json({.text = "\xff\x01"}));
    EXPECT_EQ(binary["message"], (nlohmann::json{255, 1}));
    EXPECT_FALSE(binary.contains("image"));
    EXPECT_FALSE(binary.contains("partial"));
}

TEST(LineCount, TakesWholeLinesFromTheEnd) {
    struct Piece {
        int stream;
        bool ends;
    };

    struct Case {
        const char* what;
        std::vector<Piece> from_the_end;
        std::int64_t wanted;
        std::size_t taken;
    };

    const Piece out{1, true};
    const Piece out_piece{1, false};
    const Piece err{2, true};
    for (const Case& test : {
             Case{"none", {out, out}, 0, 0},
             Case{"one of two", {out, out}, 1, 1},
             Case{"all there is", {out, out}, 5, 2},
             Case{"one in pieces", {out, out_piece, out_piece, out}, 1, 3},
             Case{"the last without a newline", {out_piece, out}, 1, 1},
             Case{"two, one without a newline", {out_piece, out_piece, out, out}, 2, 3},
             Case{"of both streams", {err, out, err}, 2, 2},
         }) {
        LineCount count(test.wanted);
        std::size_t taken = 0;
        while (taken < test.from_the_end.size() &&
               count.take(test.from_the_end[taken].stream, test.from_the_end[taken].ends)) {
            ++taken;
        }
        EXPECT_EQ(taken, test.taken) << test.what;
    }
}

} // namespace
} // namespace sctr::cli
