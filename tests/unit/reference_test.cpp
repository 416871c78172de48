// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/reference.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sctr::oci {
namespace {

using testing::ElementsAre;

const std::string digest = "sha256:" + std::string(64, '0');

struct Case {
    std::string text;
    std::string full;
};

class FullName : public testing::TestWithParam<Case> {};

TEST_P(FullName, IsThatOfDockerAndPodman) {
    EXPECT_EQ(parse_reference(GetParam().text).full_name(), GetParam().full);
}

INSTANTIATE_TEST_SUITE_P(
    Names,
    FullName,
    testing::Values(Case{"docker.io/alpine", "docker.io/library/alpine:latest"},
                    Case{"docker.io/library/alpine:3.20", "docker.io/library/alpine:3.20"},
                    Case{"index.docker.io/a/b", "docker.io/a/b:latest"},
                    Case{"localhost/x", "localhost/x:latest"},
                    Case{"localhost:5000/x:1", "localhost:5000/x:1"},
                    Case{"127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest"},
                    Case{"[::1]:5000/x", "[::1]:5000/x:latest"},
                    Case{"[fe80::1]/x", "[fe80::1]/x:latest"},
                    Case{"My-Registry.example/x", "My-Registry.example/x:latest"},
                    Case{"alpine", "alpine:latest"},
                    Case{"a/b:t", "a/b:t"},
                    Case{"quay.io/x@" + digest, "quay.io/x@" + digest},
                    Case{"quay.io/x:1@" + digest, "quay.io/x@" + digest}));

class BadName : public testing::TestWithParam<const char*> {};

TEST_P(BadName, IsRefused) {
    EXPECT_THROW(parse_reference(GetParam()), Error);
}

INSTANTIATE_TEST_SUITE_P(Names,
                         BadName,
                         testing::Values("",
                                         "/",
                                         "a//b",
                                         "../x",
                                         "x/..",
                                         "UPPER",
                                         "x:",
                                         "x:-a",
                                         "x@sha256:12",
                                         "x@md5:00",
                                         "docker.io/",
                                         "a b",
                                         "x\n",
                                         "-x",
                                         "qpa..../v:o",
                                         "a..b/x",
                                         "a./x",
                                         "a.-b/x",
                                         "host.x:/y",
                                         "host.x:port/y",
                                         "host.x:123456/y",
                                         "host.x:1:2/y",
                                         "[]/x",
                                         "[::1/x",
                                         "[::g]/x",
                                         "[..]/x",
                                         "localhost/x:a/b"));

TEST(BadName, TooLong) {
    EXPECT_THROW(parse_reference(std::string(300, 'a')), Error);
}

TEST(LocalNames, OfAShortName) {
    EXPECT_THAT(local_names(parse_reference("x:1")),
                ElementsAre("localhost/x:1", "docker.io/library/x:1"));
    EXPECT_THAT(local_names(parse_reference("quay.io/x")), ElementsAre("quay.io/x:latest"));
}

TEST(IsCalled, ByTheLastPartsOfItsName) {
    const struct {
        const char* name;
        const char* word;
        bool expected;
    } cases[] = {
        {"docker.io/library/debian:13", "docker.io/library/debian:13", true},
        {"docker.io/library/debian:13", "debian:13", true},
        {"docker.io/library/debian:13", "debian", true},
        {"docker.io/library/debian:13", "library/debian", true},
        {"docker.io/library/debian:13", "debian:12", false},
        {"docker.io/library/debian:13", "ebian", false},
        {"docker.io/library/debian:13", "docker.io", false},
        {"docker.io/library/debian:13", "", false},
        {"localhost:5000/web:latest", "localhost:5000/web", true},
        {"localhost:5000/web:latest", "web", true},
        {"localhost:5000/web@sha256:00", "web", true},
        {"web:latest", "web", true},
        {"", "web", false},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(is_called(each.name, each.word), each.expected) << each.name << " " << each.word;
    }
}

} // namespace
} // namespace sctr::oci
