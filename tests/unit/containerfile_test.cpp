// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/containerfile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sctr::oci {
namespace {

struct Case {
    const char* text;
    std::vector<std::string> bases{};
};

class BasesOf : public testing::TestWithParam<Case> {};

TEST_P(BasesOf, AreTheImagesThatItNeeds) {
    EXPECT_EQ(bases_of(GetParam().text), GetParam().bases) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Files,
    BasesOf,
    testing::Values(Case{""},
                    Case{"FROM scratch\nCOPY a b\n"},
                    Case{"FROM base", {"base"}},
                    Case{"# FROM x\n\n  from\tlocalhost/a/b:1 \r\n", {"localhost/a/b:1"}},
                    Case{"FROM --platform=linux/arm64 base AS one\nFROM one\nFROM ONE", {"base"}},
                    Case{"FROM a\nFROM b as two\nCOPY --from=two x y", {"a", "b"}},
                    Case{"FROM a\nCOPY --chown=1 --from=tools:2 x y\nCOPY --from=0 x y\nFROM a",
                         {"a", "tools:2"}},
                    Case{"ARG B=x\nFROM $B\nFROM ${B}:1"},
                    Case{"FROM \\\n  base\nRUN a \\\n FROM b", {"base"}},
                    Case{"FROM\nFROM --platform=x\nCOPY\nADD --from=b c"},
                    Case{"RUN echo FROM x\nCOPY a --from"}));

} // namespace
} // namespace sctr::oci
