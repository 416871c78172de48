// SPDX-License-Identifier: LGPL-2.1-or-later
#include "validate_cases.hpp"

namespace sctr::oci {
namespace {

TEST(Validate, JudgesTheVersion) {
    for (const auto* good : {"1.0.0", "1.3.0", "1.0.2-dev", "1.0.0-rc5+git.007", "1.10.20"}) {
        EXPECT_EQ(error_after([good](Spec& s) { s.oci_version = good; }), "no error") << good;
    }
    for (const auto* bad : {"",
                            "1",
                            "1.0",
                            "1.0.0.0",
                            "0.5.0",
                            "2.0.0",
                            "10.0.0",
                            "v1.0.0",
                            "1.0.x",
                            "1.00.0",
                            "1.0.0-",
                            "1.0.0-01",
                            "1.0.0-a..b",
                            "1.0.0+",
                            "1.0.0 ",
                            "-1.0.0"}) {
        EXPECT_THAT(error_after([bad](Spec& s) { s.oci_version = bad; }),
                    StartsWith("invalid config: /ociVersion: \"" + std::string(bad) + "\""));
    }
}

TEST(Validate, AcceptsAConfigWithoutProcess) {
    expect_all_accepted({[](Spec& s) { s.process.reset(); }});
}

TEST(Validate, RefusesBadTopLevelFields) {
    expect_all_refused({
        {[](Spec& s) { s.root.path = ""; }, "/root/path", "required"},
        {[](Spec& s) { s.annotations[""] = "x"; }, "/annotations", "empty"},
        {[](Spec& s) { s.mounts = {{.destination = ""}}; }, "/mounts/0/destination", "empty"},
        {[](Spec& s) { s.mounts = {{.destination = "/a", .uid_mappings = {{0, 0, 1}}}}; },
         "/mounts/0",
         "together"},
        {[](Spec& s) {
             s.mounts = {
                 {.destination = "/a", .uid_mappings = {{0, 0, 1}}, .gid_mappings = {{0, 0, 0}}}};
         },
         "/mounts/0/gidMappings/0/size",
         "at least one"},
        {[](Spec& s) {
             s.hostname = "web";
             drop_namespace(s, NamespaceType::uts);
         },
         "/hostname",
         "namespace of type uts"},
        {[](Spec& s) {
             s.domainname = "example";
             drop_namespace(s, NamespaceType::uts);
         },
         "/domainname",
         "namespace of type uts"},
    });
    expect_all_accepted({
        [](Spec& s) { s.mounts = {{.destination = "relative"}}; },
        [](Spec& s) {
            s.hostname = "web";
            join_namespace(s, NamespaceType::uts);
        },
    });
}

TEST(Validate, JudgesHooks) {
    const Hook relative{.path = "bin/hook"};
    const Hook hasty{.path = "/bin/hook", .timeout = 0};
    expect_all_refused({
        {[&](Spec& s) { s.hooks.prestart = {relative}; }, "/hooks/prestart/0/path", "absolute"},
        {[&](Spec& s) { s.hooks.create_runtime = {relative}; },
         "/hooks/createRuntime/0/path",
         "\"bin/hook\" is not an absolute path"},
        {[&](Spec& s) { s.hooks.create_container = {hasty}; },
         "/hooks/createContainer/0/timeout",
         "0 seconds"},
        {[&](Spec& s) { s.hooks.start_container = {{.path = "/a"}, relative}; },
         "/hooks/startContainer/1/path",
         "absolute"},
        {[&](Spec& s) { s.hooks.poststart = {hasty}; }, "/hooks/poststart/0/timeout", "1 and more"},
        {[&](Spec& s) { s.hooks.poststop = {relative}; }, "/hooks/poststop/0/path", "absolute"},
    });
    expect_all_accepted({[](Spec& s) { s.hooks.poststop = {{.path = "/a", .timeout = 1}}; }});
}

TEST(Validate, JudgesSeccomp) {
    const auto with = [](const std::function<void(Seccomp&)>& change) {
        return [change](Spec& s) {
            s.linux.seccomp = Seccomp{
                .default_action = "SCMP_ACT_ALLOW",
                .syscalls = {{.names = {"read"}, .action = "SCMP_ACT_ERRNO"}},
            };
            change(*s.linux.seccomp);
        };
    };
    expect_all_refused({
        {with([](Seccomp& s) { s.default_action = "allow"; }),
         "/linux/seccomp/defaultAction",
         "SCMP_ACT_ALLOW"},
        {with([](Seccomp& s) { s.default_errno_ret = 1; }),
         "/linux/seccomp/defaultErrnoRet",
         "not for SCMP_ACT_ALLOW"},
        {with([](Seccomp& s) { s.architectures = {"SCMP_ARCH_X86", "x86"}; }),
         "/linux/seccomp/architectures/1",
         "SCMP_ARCH_X86_64"},
        {with([](Seccomp& s) { s.flags = {"LOG"}; }),
         "/linux/seccomp/flags/0",
         "SECCOMP_FILTER_FLAG_LOG"},
        {with([](Seccomp& s) { s.listener_metadata = "x"; }),
         "/linux/seccomp/listenerMetadata",
         "listenerPath"},
        {with([](Seccomp& s) {
             s.default_action = "SCMP_ACT_NOTIFY";
             s.listener_path = "/run/x";
         }),
         "/linux/seccomp/defaultAction",
         "single system calls"},
        {with([](Seccomp& s) { s.syscalls[0].action = "SCMP_ACT_NOTIFY"; }),
         "/linux/seccomp/syscalls/0/action",
         "listenerPath"},
        {with([](Seccomp& s) {
             s.syscalls = {{{"bind", "sendmsg"}, "SCMP_ACT_NOTIFY", {}, {}}};
             s.listener_path = "/run/x";
         }),
         "/linux/seccomp/syscalls/0/names",
         "sendmsg"},
        {with([](Seccomp& s) { s.syscalls[0].names = {}; }),
         "/linux/seccomp/syscalls/0/names",
         "at least one"},
        {with([](Seccomp& s) { s.syscalls[0].action = "SCMP_ACT_DENY"; }),
         "/linux/seccomp/syscalls/0/action",
         "SCMP_ACT_KILL"},
        {with([](Seccomp& s) { s.syscalls[0].errno_ret = 4096; }),
         "/linux/seccomp/syscalls/0/errnoRet",
         "0 to 4095"},
        {with([](Seccomp& s) { s.syscalls[0] = {{"read"}, "SCMP_ACT_LOG", 1, {}}; }),
         "/linux/seccomp/syscalls/0/errnoRet",
         "not for SCMP_ACT_LOG"},
        {with([](Seccomp& s) { s.syscalls[0].args = {{.index = 6, .op = "SCMP_CMP_EQ"}}; }),
         "/linux/seccomp/syscalls/0/args/0/index",
         "0 to 5"},
        {with([](Seccomp& s) { s.syscalls[0].args = {{.index = 0, .op = "=="}}; }),
         "/linux/seccomp/syscalls/0/args/0/op",
         "SCMP_CMP_MASKED_EQ"},
    });
    expect_all_accepted({
        with([](Seccomp&) {}),
        with([](Seccomp& s) { s.syscalls[0].errno_ret = 38; }),
        with([](Seccomp& s) {
            s.syscalls = {{{"bind", "read", "execve"}, "SCMP_ACT_NOTIFY", {}, {}}};
            s.listener_path = "/run/x";
        }),
        with([](Seccomp& s) { s.syscalls[0].args = {{.index = 5, .op = "SCMP_CMP_GE"}}; }),
        with([](Seccomp& s) {
            s.default_action = "SCMP_ACT_ERRNO";
            s.default_errno_ret = 1;
            s.architectures = {"SCMP_ARCH_RISCV64"};
            s.flags = {"SECCOMP_FILTER_FLAG_LOG"};
            s.listener_path = "/run/x";
            s.listener_metadata = "x";
        }),
    });
}

TEST(Validate, JudgesAProcessAndResourcesByThemselves) {
    EXPECT_NO_THROW(validate_process({.args = {"id"}, .cwd = "/"}));
    EXPECT_THROW(validate_process({.args = {"id"}, .cwd = "tmp"}), Error);
    EXPECT_NO_THROW(validate_resources({.pids_limit = 5}));
    EXPECT_THROW(validate_resources({.pids_limit = -5}), Error);
}

} // namespace
} // namespace sctr::oci
