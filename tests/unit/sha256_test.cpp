// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/sha256.hpp"

#include <gtest/gtest.h>

namespace sctr {
namespace {

struct Case {
    const char* name;
    std::string text;
    const char* digest;
};

class Sha256Of : public testing::TestWithParam<Case> {};

TEST_P(Sha256Of, IsThatOfTheStandard) {
    EXPECT_EQ(Sha256::of(GetParam().text), GetParam().digest);
}

// FIPS 180-4's own examples, and sha256sum's answers around the size of a block.
INSTANTIATE_TEST_SUITE_P(
    Texts,
    Sha256Of,
    testing::Values(
        Case{"nothing", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        Case{"abc", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        Case{"two_blocks",
             "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
             "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        Case{"million",
             std::string(1'000'000, 'a'),
             "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}),
    [](const auto& param) { return param.param.name; });

TEST(Sha256, IsTheSameInPieces) {
    const std::string text(1000, 'x');
    for (const std::size_t piece : {1U, 55U, 56U, 63U, 64U, 65U, 128U, 999U}) {
        Sha256 hash;
        for (std::size_t i = 0; i < text.size(); i += piece) {
            hash.update(std::string_view(text).substr(i, piece));
        }
        EXPECT_EQ(hash.finish(), Sha256::of(text)) << piece;
    }
}

TEST(Sha256, KnowsADigest) {
    EXPECT_TRUE(is_sha256(std::string(64, 'a')));
    EXPECT_FALSE(is_sha256(std::string(64, 'A')));
    EXPECT_FALSE(is_sha256(std::string(63, 'a')));
    EXPECT_FALSE(is_sha256(std::string(64, '/')));
}

} // namespace
} // namespace sctr
