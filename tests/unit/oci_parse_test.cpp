// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/parse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "full_config.hpp"

namespace sctr::oci {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

std::string error_of(const auto& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

std::string parse_error(std::string_view json) {
    return error_of([json] { static_cast<void>(parse(json)); });
}

/// A config with the least that is required, and these members.
std::string config_with(const std::string& members) {
    return R"({"ociVersion": "1.0.2", "root": {"path": "r"}, )" + members + "}";
}

std::string nested(std::size_t depth) {
    return R"({"ociVersion": "1.0.2", "root": {"path": "r"}, "unknown": )" +
           std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
}

TEST(Parse, ReadsFieldsIntoTheirMembers) {
    const auto spec = parse(full_config);
    ASSERT_TRUE(spec.process);
    EXPECT_EQ(spec.process->console_size, (Box{.height = 24, .width = 80}));
    EXPECT_EQ(spec.process->user.additional_gids, (std::vector<gid_t>{5, 4294967294}));
    EXPECT_EQ(spec.process->args.at(2), "echo \"grüße\"");
    EXPECT_EQ(spec.process->rlimits.at(0).hard, 18446744073709551615U);
    EXPECT_EQ(spec.process->oom_score_adj, -500);
    EXPECT_EQ(spec.process->exec_cpu_affinity->final_, "2");
    EXPECT_EQ(spec.hooks.prestart.at(0).timeout, 3);
    EXPECT_EQ(spec.hooks.poststop.at(0).timeout, std::nullopt);
    EXPECT_EQ(spec.linux.namespaces.at(1),
              (Namespace{.type = NamespaceType::network, .path = "/var/run/netns/neta"}));
    EXPECT_EQ(spec.linux.resources.pids_limit, 32771);
    EXPECT_EQ(spec.linux.resources.memory->disable_oom_killer, false);
    EXPECT_EQ(spec.linux.resources.devices.at(0).major, std::nullopt);
    EXPECT_EQ(spec.linux.seccomp->syscalls.at(0).args.at(0).value_two, 1U);
    EXPECT_EQ(spec.linux.time_offsets.at("monotonic").secs, -172800);
}

TEST(Parse, TakesTheLeastThatIsRequired) {
    const auto spec = parse(R"({"ociVersion": "1.0.2", "root": {"path": "r"}})");
    EXPECT_EQ(spec, (Spec{.oci_version = "1.0.2", .root = {.path = "r"}}));
}

TEST(Parse, IgnoresUnknownFieldsAndNull) {
    const Spec plain{.oci_version = "1.0.2", .root = {.path = "r"}};
    for (const auto* members : {
             R"("platform": {"os": "linux"}, "linux": {"unknown": [1, {"a": null}]})",
             R"("process": null, "hostname": null, "linux": null)",
             R"("linux": {"resources": {"memory": null, "pids": {"limit": null}}})",
             R"("annotations": {"a": null})",
             R"("mounts": [])",
         }) {
        EXPECT_EQ(parse(config_with(members)), plain) << members;
    }
}

TEST(Parse, RefusesWrongTypesAndRanges) {
    struct Case {
        const char* members;
        const char* pointer;
        const char* expected;
        const char* found;
    };

    const std::vector<Case> cases = {
        {R"("linux": {"resources": {"memory": {"limit": "1g"}}})",
         "/linux/resources/memory/limit",
         "expected an integer from -9223372036854775808 to 9223372036854775807",
         "found string \"1g\""},
        {R"("linux": {"resources": {"memory": {"limit": 1.5}}})",
         "/linux/resources/memory/limit",
         "expected an integer",
         "found number 1.5"},
        {R"("linux": {"resources": {"memory": {"limit": 9223372036854775808}}})",
         "/linux/resources/memory/limit",
         "expected an integer",
         "found number 9223372036854775808"},
        {R"("linux": {"resources": {"cpu": {"shares": -1}}})",
         "/linux/resources/cpu/shares",
         "expected an integer from 0 to 18446744073709551615",
         "found number -1"},
        {R"("linux": {"resources": {"cpu": {"shares": 18446744073709551616}}})",
         "/linux/resources/cpu/shares",
         "expected an integer from 0 to 18446744073709551615",
         "found number 1.8446744073709552e+19"},
        {R"("linux": {"resources": {"cpu": {"shares": 1e3}}})",
         "/linux/resources/cpu/shares",
         "expected an integer",
         "found number 1000.0"},
        {R"("linux": {"resources": {"blockIO": {"weight": 65536}}})",
         "/linux/resources/blockIO/weight",
         "expected an integer from 0 to 65535",
         "found number 65536"},
        {R"("process": {"cwd": "/", "user": {"uid": 4294967296}})",
         "/process/user/uid",
         "expected an integer from 0 to 4294967295",
         "found number 4294967296"},
        {R"("process": {"cwd": "/", "oomScoreAdj": 2147483648})",
         "/process/oomScoreAdj",
         "expected an integer from -2147483648 to 2147483647",
         "found number 2147483648"},
        {R"("process": {"cwd": "/", "terminal": "yes"})",
         "/process/terminal",
         "expected true or false",
         "found string \"yes\""},
        {R"("process": {"cwd": "/", "args": "sh"})",
         "/process/args",
         "expected an array",
         "found string \"sh\""},
        {R"("process": {"cwd": "/", "args": ["sh", null]})",
         "/process/args/1",
         "expected a string",
         "found null"},
        {R"("process": {"cwd": "/", "args": ["sh\u0000-c"]})",
         "/process/args/0",
         "expected a string without NUL characters",
         "sh\\u0000-c"},
        {R"("process": [])", "/process", "expected an object", "found an array"},
        {R"("mounts": {"destination": "/"})", "/mounts", "expected an array", "found an object"},
        {R"("mounts": ["/proc"])", "/mounts/0", "expected an object", "found string \"/proc\""},
        {R"("hostname": 5)", "/hostname", "expected a string", "found number 5"},
        {R"("hostname": true)", "/hostname", "expected a string", "found true"},
        {R"("annotations": {"a/b~c": 1})",
         "/annotations/a~1b~0c",
         "expected a string",
         "found number 1"},
        {R"("annotations": {"a\u0000b": "c"})",
         "/annotations",
         "expected names without NUL characters",
         "found an object"},
        {R"("linux": {"namespaces": [{"type": "pid"}, {"type": "net"}]})",
         "/linux/namespaces/1/type",
         "expected one of pid network mount ipc uts user cgroup time",
         "found string \"net\""},
        {R"("linux": {"timeOffsets": {"boottime": {"nanosecs": -1}}})",
         "/linux/timeOffsets/boottime/nanosecs",
         "expected an integer from 0 to 4294967295",
         "found number -1"},
    };
    for (const auto& [members, pointer, expected, found] : cases) {
        EXPECT_THAT(parse_error(config_with(members)),
                    AllOf(StartsWith("invalid config: " + std::string(pointer)),
                          HasSubstr(expected),
                          HasSubstr(found)))
            << members;
    }
}

TEST(Parse, RefusesWhatLacksARequiredField) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"{}", "/ociVersion"},
        {R"({"ociVersion": null})", "/ociVersion"},
        {R"({"ociVersion": "1.0.2"})", "/root"},
        {R"({"ociVersion": "1.0.2", "root": {}})", "/root/path"},
        {config_with(R"("process": {})"), "/process/cwd"},
        {config_with(R"("mounts": [{"type": "proc"}])"), "/mounts/0/destination"},
        {config_with(R"("hooks": {"poststop": [{}]})"), "/hooks/poststop/0/path"},
        {config_with(R"("linux": {"namespaces": [{}]})"), "/linux/namespaces/0/type"},
        {config_with(R"("linux": {"uidMappings": [{"containerID": 0, "hostID": 0}]})"),
         "/linux/uidMappings/0/size"},
        {config_with(R"("linux": {"devices": [{"path": "/dev/x", "type": "c", "minor": 1}]})"),
         "/linux/devices/0/major"},
        {config_with(R"("linux": {"devices": [{"path": "/dev/x", "type": "b", "major": 1}]})"),
         "/linux/devices/0/minor"},
        {config_with(R"("linux": {"seccomp": {}})"), "/linux/seccomp/defaultAction"},
        {config_with(R"("linux": {"resources": {"devices": [{}]}})"),
         "/linux/resources/devices/0/allow"},
    };
    for (const auto& [json, pointer] : cases) {
        EXPECT_EQ(parse_error(json), "invalid config: " + pointer + ": required, and missing");
    }
    EXPECT_EQ(
        parse_error(config_with(R"("linux": {"devices": [{"path": "/dev/x", "type": "p"}]})")),
        "no error");
}

TEST(Parse, SaysWhereTheTextIsNotJson) {
    struct Case {
        std::string text;
        const char* place;
    };

    const std::vector<Case> cases = {
        {"", "line 1, column 1"},
        {"{\"a\": 1,}", "line 1, column 9"},
        {"{\n  \"a\": nul\n}", "line 2, column 11"},
        {"{\n  \"a\": 1\n}\n\nx", "line 5, column 1"},
        {"{\"a\": \"\xff\"}", "line 1, column 8"},
        {"{\"a\": \"\n\"}", "line 1, column 8"},
        {"[1, 2", "line 1, column 6"},
        {"{\"a\": 01}", "line 1, column 8"},
        {"{} // comment", "line 1, column 4"},
    };
    for (const auto& [text, place] : cases) {
        EXPECT_THAT(parse_error(text), StartsWith("invalid config: " + std::string(place) + ": "))
            << text;
    }
    EXPECT_THAT(parse_error("{\"a\": 1,}"), HasSubstr("expected string literal"));
    EXPECT_THAT(parse_error("{\"a\": 1e999}"), HasSubstr("number overflow"));
}

TEST(Parse, RefusesADocumentThatIsNotAnObject) {
    for (const auto* text : {"[]", "1", "null", "\"a\"", "true"}) {
        EXPECT_THAT(parse_error(text), StartsWith("invalid config: expected an object")) << text;
    }
}

TEST(Parse, BoundsTheDepth) {
    EXPECT_EQ(parse_error(nested(256)), "no error");
    EXPECT_EQ(parse_error(nested(257)), "invalid config: nested deeper than 256 levels");
    EXPECT_EQ(parse_error(nested(1'000'000)), "invalid config: nested deeper than 256 levels");
    EXPECT_EQ(parse_error(std::string(1'000'000, '[')),
              "invalid config: nested deeper than 256 levels");
}

TEST(Parse, ShortensLongValues) {
    const auto error = parse_error(config_with("\"root\": \"" + std::string(10'000, 'x') + "\""));
    EXPECT_LT(error.size(), 200U);
    EXPECT_THAT(error, HasSubstr("xxx..."));
}

TEST(ParseProcess, ReadsTheObjectOfExec) {
    const auto process = parse_process(R"({"args": ["id"], "cwd": "/tmp", "user": {"uid": 7}})");
    EXPECT_EQ(process, (Process{.user = {.uid = 7}, .args = {"id"}, .cwd = "/tmp"}));
    EXPECT_EQ(error_of([] { static_cast<void>(parse_process(R"({"args": ["id"]})")); }),
              "invalid process: /cwd: required, and missing");
}

TEST(ParseResources, ReadsTheObjectOfUpdate) {
    const auto resources = parse_resources(R"({"pids": {"limit": -1}, "cpu": {"quota": 5000}})");
    EXPECT_EQ(resources, (Resources{.cpu = Cpu{.quota = 5000}, .pids_limit = -1}));
    EXPECT_THAT(error_of([] { static_cast<void>(parse_resources(R"({"pids": 5})")); }),
                StartsWith("invalid resources: /pids: expected an object"));
}

} // namespace
} // namespace sctr::oci
