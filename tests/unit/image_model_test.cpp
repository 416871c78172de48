// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/image.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sctr::oci {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string hex(64, 'a');
const std::string digest = "sha256:" + hex;

std::string manifest_with(const std::string& layer) {
    return R"({"schemaVersion":2,"config":{"digest":")" + digest + R"(","size":2},"layers":[)" +
           layer + "]}";
}

TEST(ImageManifest, IsRead) {
    const auto manifest = parse_manifest(
        manifest_with(R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":")" +
                      digest + R"(","size":7})"));
    ASSERT_EQ(manifest.layers.size(), 1U);
    EXPECT_EQ(manifest.layers.front().size, 7);
    EXPECT_EQ(manifest.config.digest, digest);
}

struct Bad {
    const char* name;
    std::string text;
    const char* said;
};

class BadManifest : public testing::TestWithParam<Bad> {};

TEST_P(BadManifest, IsRefused) {
    try {
        parse_manifest(GetParam().text);
        FAIL() << "was taken";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr(GetParam().said));
    }
}

INSTANTIATE_TEST_SUITE_P(
    Texts,
    BadManifest,
    testing::Values(
        Bad{"no_json", "{", "line 1"},
        Bad{"array", "[]", "object"},
        Bad{"schema_one",
            R"({"schemaVersion":1,"config":{"digest":"x","size":1},"layers":[]})",
            "/schemaVersion"},
        Bad{"no_layers", R"({"schemaVersion":2,"config":{"digest":"x","size":1}})", "layers"},
        Bad{"climbing_digest",
            manifest_with(R"({"digest":"sha256:../../etc","size":1})"),
            "/layers/0/digest"},
        Bad{"other_hash", manifest_with(R"({"digest":"md5:00","size":1})"), "/layers/0/digest"},
        Bad{"size", manifest_with(R"({"digest":")" + digest + R"(","size":-1})"), "/layers/0/size"},
        Bad{"type", manifest_with("7"), "/layers/0"}),
    [](const auto& param) { return param.param.name; });

TEST(ImageIndex, IsToldFromAManifest) {
    EXPECT_TRUE(is_index(R"({"schemaVersion":2,"manifests":[]})"));
    EXPECT_FALSE(is_index(manifest_with("")));
}

TEST(ImageConfig, IsRead) {
    const auto config = parse_image_config(
        R"({"architecture":"amd64","os":"linux","config":{"Env":["A=b"],"Cmd":["sh"],
            "Volumes":{"/data":{}},"ExposedPorts":null,"OnBuild":[]},
            "rootfs":{"type":"layers","diff_ids":[")" +
        digest + R"("]},"history":[{"created_by":"x","empty_layer":true}]})");
    EXPECT_THAT(config.config.env, ElementsAre("A=b"));
    EXPECT_EQ(config.config.volumes.size(), 1U);
    EXPECT_TRUE(config.history.front().empty_layer);
}

TEST(ImageConfig, WithOtherThanLayersIsRefused) {
    EXPECT_THROW(parse_image_config(R"({"rootfs":{"type":"vhd","diff_ids":[]}})"), Error);
    EXPECT_THROW(parse_image_config(R"({"rootfs":{"type":"layers","diff_ids":["x"]}})"), Error);
}

// image-spec, config.md: ChainID(A|B) = Digest(ChainID(A) + " " + DiffID(B)).
TEST(ChainIds, NameALayerAndAllBelow) {
    const std::string other(64, 'b');
    const auto chain =
        chain_ids({.type = "layers", .diff_ids = {digest, "sha256:" + other, digest}});
    ASSERT_EQ(chain.size(), 3U);
    EXPECT_EQ(chain[0], hex);
    // printf 'sha256:aa... sha256:bb...' | sha256sum
    EXPECT_EQ(chain[1], "ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c");
    EXPECT_NE(chain[2], chain[0]);
}

TEST(StoredImage, SurvivesItsText) {
    StoredImage image{.digest = hex, .id = hex, .size = 5, .layers = {hex}, .passwd = "root:x\n"};
    image.config.env = {"A=\"b\"\n"};
    image.config.volumes["/v"];
    EXPECT_EQ(parse_stored_image(serialize(image)), image);
}

} // namespace
} // namespace sctr::oci
