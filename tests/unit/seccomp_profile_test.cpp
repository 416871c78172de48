// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/seccomp_profile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "base/error.hpp"

namespace sctr::oci {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Strings = std::vector<std::string>;

ProfileTarget target(Strings capabilities = {},
                     std::string architecture = "SCMP_ARCH_X86_64",
                     KernelVersion kernel = {6, 1}) {
    return {std::move(capabilities), std::move(architecture), kernel};
}

/// A profile of one rule with these members beside its name and action.
std::string with_rule(const std::string& members) {
    return R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"action":"SCMP_ACT_ALLOW",)" +
           members + "}]}";
}

TEST(SeccompProfile, ReadsTheOciFormat) {
    const Seccomp seccomp = resolve_seccomp_profile(
        R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
            "flags": ["SECCOMP_FILTER_FLAG_LOG"],
            "listenerPath": "/run/l", "listenerMetadata": "m",
            "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
                         {"names": ["dup3"], "action": "SCMP_ACT_TRACE", "errnoRet": 7, "args":
                          [{"index": 1, "value": 18446744073709551615, "valueTwo": 2,
                            "op": "SCMP_CMP_MASKED_EQ"}]}]})",
        target());
    const Seccomp expected{
        .default_action = "SCMP_ACT_ERRNO",
        .default_errno_ret = 38,
        .architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"},
        .flags = {"SECCOMP_FILTER_FLAG_LOG"},
        .listener_path = "/run/l",
        .listener_metadata = "m",
        .syscalls = {{.names = {"read", "write"}, .action = "SCMP_ACT_ALLOW"},
                     {.names = {"dup3"},
                      .action = "SCMP_ACT_TRACE",
                      .errno_ret = 7,
                      .args = {{1, ~std::uint64_t{0}, 2, "SCMP_CMP_MASKED_EQ"}}}},
    };
    EXPECT_EQ(seccomp, expected);
}

TEST(SeccompProfile, ReadsWhatDockerAndPodmanAdd) {
    const struct {
        const char* members;
        SeccompRule rule;
    } cases[] = {
        {R"("name": "read")", {.names = {"read"}}},
        {R"("name": "read", "names": [])", {.names = {"read"}}},
        {R"("name": "", "names": ["read"])", {.names = {"read"}}},
        {R"("names": ["read"], "args": null, "comment": "", "includes": {}, "excludes": {})",
         {.names = {"read"}}},
        {R"("names": ["read"], "includes": null, "excludes": {"caps": null}, "args": [])",
         {.names = {"read"}}},
        {R"("names": ["read"], "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}])",
         {.names = {"read"}, .args = {{.index = 0, .value = 1, .op = "SCMP_CMP_EQ"}}}},
        {R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "errno": "EACCES")",
         {.names = {"read"}, .action = "SCMP_ACT_ERRNO", .errno_ret = EACCES}},
        {R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 9, "errno": "ENOTSUP")",
         {.names = {"read"}, .action = "SCMP_ACT_ERRNO", .errno_ret = ENOTSUP}},
        {R"("names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 9, "errno": "")",
         {.names = {"read"}, .action = "SCMP_ACT_ERRNO", .errno_ret = 9}},
    };

    for (const auto& each : cases) {
        SeccompRule expected = each.rule;
        if (expected.action.empty()) {
            expected.action = "SCMP_ACT_ALLOW";
        }
        EXPECT_THAT(resolve_seccomp_profile(with_rule(each.members), target()).syscalls,
                    ElementsAre(expected))
            << each.members;
    }
}

TEST(SeccompProfile, KnowsTheDefaultErrnoByName) {
    const auto of = [](const std::string& members) {
        return resolve_seccomp_profile(R"({"defaultAction": "SCMP_ACT_ERRNO")" + members + "}",
                                       target())
            .default_errno_ret;
    };
    EXPECT_EQ(of(""), std::nullopt);
    EXPECT_EQ(of(R"(, "defaultErrnoRet": 1)"), EPERM);
    EXPECT_EQ(of(R"(, "defaultErrno": "ENOSYS")"), ENOSYS);
    EXPECT_EQ(of(R"(, "defaultErrnoRet": 1, "defaultErrno": "ENOSYS")"), ENOSYS);
}

TEST(SeccompProfile, KeepsTheRulesWhoseConditionsHold) {
    const ProfileTarget plain = target({"CAP_KILL"});
    const ProfileTarget admin = target({"CAP_KILL", "CAP_BPF", "CAP_SYS_ADMIN"});
    const ProfileTarget arm = target({}, "SCMP_ARCH_AARCH64");
    const ProfileTarget mips = target({}, "SCMP_ARCH_MIPSEL64");

    const struct {
        const char* conditions;
        const ProfileTarget& target;
        bool kept;
    } cases[] = {
        {R"("includes": {"caps": ["CAP_SYS_ADMIN"]})", plain, false},
        {R"("includes": {"caps": ["CAP_SYS_ADMIN"]})", admin, true},
        {R"("includes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]})", admin, true},
        {R"("includes": {"caps": ["CAP_SYS_ADMIN", "CAP_SYS_TIME"]})", admin, false},
        {R"("excludes": {"caps": ["CAP_SYS_ADMIN"]})", plain, true},
        {R"("excludes": {"caps": ["CAP_SYS_ADMIN"]})", admin, false},
        {R"("excludes": {"caps": ["CAP_SYS_TIME", "CAP_BPF"]})", admin, false},
        {R"("includes": {"caps": ["CAP_KILL"]}, "excludes": {"caps": ["CAP_BPF"]})", plain, true},
        {R"("includes": {"caps": ["CAP_KILL"]}, "excludes": {"caps": ["CAP_BPF"]})", admin, false},
        {R"("includes": {"arches": ["amd64", "x32"]})", plain, true},
        {R"("includes": {"arches": ["x86_64"]})", plain, true},
        {R"("includes": {"arches": ["SCMP_ARCH_X86_64"]})", plain, true},
        {R"("includes": {"arches": ["x86", "x32", "arm64", "s390x", ""]})", plain, false},
        {R"("includes": {"arches": []})", plain, true},
        {R"("excludes": {"arches": ["amd64"]})", plain, false},
        {R"("excludes": {"arches": ["s390", "s390x"]})", plain, true},
        {R"("includes": {"arches": ["arm", "arm64"]})", arm, true},
        {R"("includes": {"arches": ["aarch64"]})", arm, true},
        {R"("includes": {"arches": ["arm", "amd64"]})", arm, false},
        {R"("includes": {"arches": ["mips64le"]})", mips, true},
        {R"("includes": {"arches": ["mipsel64"]})", mips, true},
        {R"("includes": {"arches": ["mipsle"]})", mips, false},
        {R"("includes": {"minKernel": "4.8"})", plain, true},
        {R"("includes": {"minKernel": "6.1"})", plain, true},
        {R"("includes": {"minKernel": "6.2"})", plain, false},
        {R"("includes": {"minKernel": "10.0"})", plain, false},
        {R"("excludes": {"minKernel": "4.8"})", plain, false},
        {R"("excludes": {"minKernel": "6.12"})", plain, true},
        {R"("includes": {"minKernel": "4.8", "caps": ["CAP_SYS_TIME"]})", plain, false},
    };

    for (const auto& each : cases) {
        const auto seccomp = resolve_seccomp_profile(
            with_rule(R"("names": ["read"], )" + std::string(each.conditions)), each.target);
        EXPECT_EQ(seccomp.syscalls.size(), each.kept ? 1U : 0U) << each.conditions;
    }
}

TEST(SeccompProfile, TakesTheNativeEntryOfTheArchitectureMap) {
    constexpr const char* text = R"({"defaultAction": "SCMP_ACT_ALLOW", "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null}]})";
    const auto of = [&](const char* native) {
        return resolve_seccomp_profile(text, target({}, native)).architectures;
    };
    EXPECT_THAT(of("SCMP_ARCH_X86_64"),
                ElementsAre("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"));
    EXPECT_THAT(of("SCMP_ARCH_AARCH64"), ElementsAre("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"));
    EXPECT_THAT(of("SCMP_ARCH_RISCV64"), ElementsAre("SCMP_ARCH_RISCV64"));
    EXPECT_THAT(of("SCMP_ARCH_PPC"), IsEmpty());
}

TEST(SeccompProfile, RefusesWhatItCannotKeepTo) {
    const std::string top = R"({"defaultAction": "SCMP_ACT_ERRNO")";

    const struct {
        std::string text;
        const char* where;
        const char* why;
    } cases[] = {
        {"{", "line 1", ""},
        {"[]", "", "expected an object"},
        {"{}", "/defaultAction", "missing"},
        {R"({"defaultAction": "SCMP_ACT_DENY"})", "/defaultAction", "SCMP_ACT_ALLOW"},
        {top + R"(, "defaultErrno": "ENONSENSE"})", "/defaultErrno", "errno"},
        {top + R"(, "defaultErrnoRet": -1})", "/defaultErrnoRet", "0 to"},
        {top + R"(, "flags": ["TSYNC"]})", "/flags/0", "SECCOMP_FILTER_FLAG_TSYNC"},
        {top + R"(, "architectures": ["amd64"]})", "/architectures/0", "SCMP_ARCH_X86_64"},
        {top + R"(, "architectures": ["SCMP_ARCH_X86"],
                   "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]})",
         "/archMap",
         "either"},
        {top + R"(, "archMap": [{"subArchitectures": []}]})", "/archMap/0/architecture", "missing"},
        {top + R"(, "syscalls": [{"names": ["a"], "action": "SCMP_ACT_ALLOW"}, {"names": ["b"]}]})",
         "/syscalls/1/action",
         "missing"},
        {with_rule(R"("comment": "no names")"), "/syscalls/0/names", "at least one"},
        {with_rule(R"("name": "a", "names": ["b"])"), "/syscalls/0/name", "either"},
        {with_rule(R"("names": "a")"), "/syscalls/0/names", "an array"},
        {with_rule(R"("names": ["a"], "errnoRet": 1)"), "/syscalls/0/errnoRet", "ALLOW"},
        {with_rule(R"("names": ["a"], "args": [{"index": 0, "value": 1}])"),
         "/syscalls/0/args/0/op",
         "missing"},
        {with_rule(R"("names": ["a"], "args": [{"index": 0, "op": "SCMP_CMP_EQ"}])"),
         "/syscalls/0/args/0/value",
         "missing"},
        {with_rule(R"("names": ["a"], "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}])"),
         "/syscalls/0/args/0/index",
         "0 to 5"},
        // A rule that is not kept is judged all the same.
        {with_rule(R"("names": [], "includes": {"caps": ["CAP_BPF"]})"), "/syscalls/0/names", ""},
        {with_rule(R"("names": ["a"], "includes": {"maxKernel": "4.8"})"),
         "/syscalls/0/includes/maxKernel",
         "caps, arches or minKernel"},
        {with_rule(R"("names": ["a"], "excludes": {"minKernel": "four"})"),
         "/syscalls/0/excludes/minKernel",
         "a kernel version"},
        {with_rule(R"("names": ["a"], "excludes": {"caps": "CAP_BPF"})"),
         "/syscalls/0/excludes/caps",
         "an array"},
    };

    for (const auto& each : cases) {
        try {
            resolve_seccomp_profile(each.text, target());
            ADD_FAILURE() << each.text << " was taken";
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr(each.where)) << each.text;
            EXPECT_THAT(error.what(), HasSubstr(each.why)) << each.text;
        }
    }
}

TEST(KernelVersion, IsReadFromReleases) {
    const struct {
        const char* text;
        std::optional<KernelVersion> version;
    } cases[] = {
        {"4.8", KernelVersion{4, 8}},
        {"6.12.38+deb13-amd64", KernelVersion{6, 12}},
        {"6.1-rc1", KernelVersion{6, 1}},
        {"", std::nullopt},
        {"6", std::nullopt},
        {"6.", std::nullopt},
        {"x6.1", std::nullopt},
        {".1", std::nullopt},
        {"99999999999.1", std::nullopt},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(parse_kernel_version(each.text), each.version) << each.text;
    }
}

} // namespace
} // namespace sctr::oci
