// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/short_names.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sctr::storage {
namespace {

using testing::ElementsAre;

struct Case {
    std::string about;
    std::vector<std::string> files; ///< read one after the other
    std::string name;
    std::vector<std::string> meant;
};

void PrintTo(const Case& each, std::ostream* out) {
    *out << each.about;
}

class ShortName : public testing::TestWithParam<Case> {};

TEST_P(ShortName, IsLookedForWhereTheConfigurationSays) {
    ShortNames names;
    for (const std::string& text : GetParam().files) {
        read_registries_conf(text, "registries.conf", names);
    }
    EXPECT_EQ(expand_short_name(oci::parse_reference(GetParam().name), names), GetParam().meant);
}

const std::string two = "unqualified-search-registries = [\"a.example\", 'b.example:5000']\n";
const std::string alias = "[aliases]\n  \"alpine\" = \"docker.io/library/alpine\"\n";

INSTANTIATE_TEST_SUITE_P(
    Files,
    ShortName,
    testing::Values(
        Case{"nothing", {}, "alpine", {"docker.io/library/alpine:latest"}},
        Case{"two", {two}, "x:1", {"a.example/x:1", "b.example:5000/x:1"}},
        Case{"docker's own repositories",
             {"unqualified-search-registries = [\"docker.io\"]"},
             "x",
             {"docker.io/library/x:latest"}},
        Case{"a list of several lines",
             {"unqualified-search-registries = [ # these\n  \"a.example\",\n  # \"no.example\",\n"
              "  \"b.example\" ] # \"no.example\"\n"},
             "x",
             {"a.example/x:latest", "b.example/x:latest"}},
        Case{"what is commented out",
             {"#unqualified-search-registries = [\"no.example\"]\n"},
             "x",
             {"docker.io/library/x:latest"}},
        Case{"a comment after the list",
             {"unqualified-search-registries=[\"a.example\"] # or \"b.example\"\n"},
             "x",
             {"a.example/x:latest"}},
        Case{"a later file",
             {two, "unqualified-search-registries = []"},
             "x",
             {"docker.io/library/x:latest"}},
        Case{"an alias", {two + alias}, "alpine", {"docker.io/library/alpine:latest"}},
        Case{"an alias with a tag", {alias}, "alpine:3", {"docker.io/library/alpine:3"}},
        Case{"another name than the alias",
             {alias},
             "busybox",
             {"docker.io/library/busybox:latest"}},
        Case{"a later alias",
             {alias, "[aliases]\n'alpine'='b.example/c' # \"no\"\n"},
             "alpine",
             {"b.example/c:latest"}},
        Case{"a table that is not of aliases",
             {"[aliases]\n[[registry]]\nprefix = \"x\"\n\"x\" = \"no.example/x\"\n"},
             "x",
             {"docker.io/library/x:latest"}},
        Case{"a comma after the last one, and the bracket on a line of its own",
             {"unqualified-search-registries = [\n'a.example',\n# 'no.example',\n]\n"},
             "x",
             {"a.example/x:latest"}},
        Case{"a bracket and a hash in a string",
             {"[[registry]]\nprefix = \"[aliases] # ]\"\nx = 'no.example/x'\n"},
             "x",
             {"docker.io/library/x:latest"}},
        Case{"a bare key", {"[aliases]\nx = 'a.example/x'\n"}, "x", {"a.example/x:latest"}},
        Case{"a dotted key", {"aliases.x = 'a.example/x'\n"}, "x", {"a.example/x:latest"}},
        Case{"an inline table", {"aliases={x='a.example/x'}\n"}, "x", {"a.example/x:latest"}},
        Case{"blanks in the head of a table, and a comment after it",
             {"[ aliases ] # short\n\"y/x\" = \"a.example/x\"\n"},
             "y/x",
             {"a.example/x:latest"}},
        Case{"a setting that only looks like it",
             {"unqualified-search-registries-old = ['no.example']\n"},
             "x",
             {"docker.io/library/x:latest"}},
        Case{"the setting in a table",
             {"[registries.search]\nunqualified-search-registries = ['no.example']\n"},
             "x",
             {"docker.io/library/x:latest"}},
        Case{"escapes",
             {"unqualified-search-registries = [\"\\u0061.example\"]\n"},
             "x",
             {"a.example/x:latest"}},
        Case{"an alias that is taken back",
             {two + alias, "[aliases]\nalpine = ''\n"},
             "alpine",
             {"a.example/alpine:latest", "b.example:5000/alpine:latest"}}));

struct WrongCase {
    std::string about;
    std::string file;
    std::string line;
};

void PrintTo(const WrongCase& each, std::ostream* out) {
    *out << each.about;
}

class WrongRegistriesConf : public testing::TestWithParam<WrongCase> {};

TEST_P(WrongRegistriesConf, IsAnErrorWithFileAndLine) {
    ShortNames names;
    try {
        read_registries_conf(GetParam().file, "/etc/x.conf", names);
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.where(), "/etc/x.conf, line " + GetParam().line);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Files,
    WrongRegistriesConf,
    testing::Values(
        WrongCase{"no end of a string", "[aliases]\n\"x\" = \"no.example/x\n", "2"},
        WrongCase{"no end of an array", "unqualified-search-registries = [\n'a.example'", "2"},
        WrongCase{
            "something after an array", "unqualified-search-registries = []\n\"a.example\"\n", "2"},
        WrongCase{"a key twice", "[aliases]\nx = 'a.example/x'\nx = 'b.example/x'\n", "3"},
        WrongCase{"no UTF-8", "# fine\n# \xff\n", "2"},
        WrongCase{"deep", "x = " + std::string(100'000, '['), "1"},
        WrongCase{"no array", "\nunqualified-search-registries = 'a.example'\n", "2"},
        WrongCase{"an array of something else", "unqualified-search-registries = [\n'a', 1]", "2"},
        WrongCase{"no table", "aliases = ['x']\n", "1"},
        WrongCase{"no name of an alias", "[aliases]\n\nx = 1\n", "3"}));

std::vector<std::string> paths_of(const std::vector<RegistriesPlace>& places) {
    std::vector<std::string> paths;
    for (const RegistriesPlace& place : places) {
        paths.push_back(place.path + (place.is_directory ? "/" : ""));
    }
    return paths;
}

TEST(RegistriesPlaces, AreThoseOfTheHostAndTheUser) {
    const RegistriesPlaces plain{.home = "/home/a"};
    EXPECT_THAT(paths_of(registries_places(plain, false)),
                ElementsAre("/usr/share/containers/registries.conf",
                            "/etc/containers/registries.conf",
                            "/etc/containers/registries.conf.d/",
                            "/home/a/.config/containers/registries.conf.d/",
                            "/home/a/.cache/containers/short-name-aliases.conf"));
    EXPECT_THAT(paths_of(registries_places(plain, true)),
                ElementsAre("/home/a/.config/containers/registries.conf",
                            "/home/a/.config/containers/registries.conf.d/",
                            "/home/a/.cache/containers/short-name-aliases.conf"));
    const RegistriesPlaces root{
        .chosen = "/c", .home = "/root", .cache_home = "/x", .is_root = true};
    const auto chosen = registries_places(root, true);
    EXPECT_THAT(paths_of(chosen),
                ElementsAre("/c",
                            "/etc/containers/registries.conf.d/",
                            "/root/.config/containers/registries.conf.d/",
                            "/var/cache/containers/short-name-aliases.conf"));
    EXPECT_TRUE(chosen.front().is_required);
    EXPECT_TRUE(chosen.back().has_aliases_only);
    EXPECT_EQ(registries_places({.home = "/h", .cache_home = "/x"}, false).back().path,
              "/x/containers/short-name-aliases.conf");
}

} // namespace
} // namespace sctr::storage
