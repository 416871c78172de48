// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/image_change.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sctr::oci {
namespace {

struct Change {
    std::vector<std::string> changes;
    std::string result;
    std::string before = "{}";
};

class ChangeConfig : public testing::TestWithParam<Change> {};

TEST_P(ChangeConfig, DoesWhatTheLinesSay) {
    EXPECT_EQ(change_config(GetParam().before, GetParam().changes), GetParam().result);
}

INSTANTIATE_TEST_SUITE_P(
    Lines,
    ChangeConfig,
    testing::Values(
        Change{{}, R"({"Healthcheck":1})", R"({"Healthcheck":1})"},
        Change{{R"(CMD ["a","b c"])"}, R"({"Cmd":["a","b c"]})", R"({"Cmd":["x"]})"},
        Change{{"cmd echo  $A"}, R"({"Cmd":["/bin/sh","-c","echo  $A"]})"},
        Change{{"CMD=/bin/bash"}, R"({"Cmd":["/bin/sh","-c","/bin/bash"]})"},
        Change{{R"(CMD ["a",1])"}, R"({"Cmd":["/bin/sh","-c","[\"a\",1]"]})"},
        Change{{"CMD []"}, "{}", R"({"Cmd":["x"]})"},
        Change{{R"(ENTRYPOINT ["e"])"}, R"({"Entrypoint":["e"]})", R"({"Cmd":["x"]})"},
        Change{{R"(CMD ["c"])", R"(ENTRYPOINT ["e"])"}, R"({"Cmd":["c"],"Entrypoint":["e"]})"},
        Change{{"ENTRYPOINT []"}, "{}", R"({"Entrypoint":["e"],"Cmd":["x"]})"},
        Change{{"ENV A=1 B=\"two words\" C=th\\ ree D='\\'"},
               R"({"Env":["A=1","B=two words","C=th ree","D=\\"]})"},
        Change{{"ENV A two \"words\"", "ENV B="}, R"({"Env":["A=two \"words\"","B="]})"},
        Change{{"ENV A=2"}, R"({"Env":["AA=1","A=2"]})", R"({"Env":["AA=1","A=1"]})"},
        Change{{"ENV=A=b"}, R"({"Env":["A=b"]})"},
        Change{{"EXPOSE 80 53/UDP 8000-8002"},
               R"({"ExposedPorts":{"80/tcp":{},"53/udp":{},"8000-8002/tcp":{}}})"},
        Change{{"EXPOSE 80"},
               R"({"ExposedPorts":{"1/tcp":{},"80/tcp":{}}})",
               R"({"ExposedPorts":{"1/tcp":{}}})"},
        Change{{"LABEL a=1 b=\"x y\"", "LABEL=c=d"},
               R"({"Labels":{"o":"k","a":"1","b":"x y","c":"d"}})",
               R"({"Labels":{"o":"k"}})"},
        Change{{"USER alice:staff"}, R"({"User":"alice:staff"})"},
        Change{{"VOLUME /a /b", R"(VOLUME ["/c d"])"},
               R"({"Volumes":{"/a":{},"/b":{},"/c d":{}}})"},
        Change{{"WORKDIR /a", "WORKDIR b c"}, R"({"WorkingDir":"/a/b c"})"},
        Change{{"WORKDIR b"}, R"({"WorkingDir":"/b"})"},
        Change{{"  STOPSIGNAL\t SIGINT "}, R"({"StopSignal":"SIGINT"})"}));

struct BadChange {
    std::string change;
    std::string why;
};

class RefusedChange : public testing::TestWithParam<BadChange> {};

TEST_P(RefusedChange, NamesTheLine) {
    try {
        (void)change_config("{}", {GetParam().change});
        FAIL() << GetParam().change;
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("--change"));
        EXPECT_THAT(error.what(), testing::HasSubstr(GetParam().why));
    }
}

INSTANTIATE_TEST_SUITE_P(Lines,
                         RefusedChange,
                         testing::Values(BadChange{"", "no such instruction"},
                                         BadChange{"RUN x", "no such instruction"},
                                         BadChange{"CMD", "it has no value"},
                                         BadChange{"CMD  ", "it has no value"},
                                         BadChange{"ENV A", "it has no value"},
                                         BadChange{"ENV A=1 B", "'B' is no pair"},
                                         BadChange{"ENV =1", "'=1' is no pair"},
                                         BadChange{"LABEL a=\"b", "a quote is not closed"},
                                         BadChange{"EXPOSE 0", "'0' is no port"},
                                         BadChange{"EXPOSE 80/x", "'80/x' is no port"},
                                         BadChange{"EXPOSE 1-70000", "is no port"},
                                         BadChange{"VOLUME a", "'a' is no absolute path"},
                                         BadChange{"STOPSIGNAL SIGNO", "no such signal"},
                                         BadChange{"HEALTHCHECK NONE", "no health check"},
                                         BadChange{"USER \xff", "it is not UTF-8"}));

} // namespace
} // namespace sctr::oci
