// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/seccomp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "plan/capabilities.hpp"
#include "seccomp_machine.hpp"

namespace sctr::plan {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::uint32_t run(const Program& program,
                  const char* name,
                  const Args& args = {},
                  std::uint32_t architecture = seccomp_arch_native()) {
    const int number = seccomp_syscall_resolve_name_arch(architecture, name);
    EXPECT_GE(number, 0) << name;
    return run_number(program, architecture, static_cast<std::uint32_t>(number), args);
}

oci::SeccompRule rule(std::vector<std::string> names,
                      std::string action,
                      std::optional<std::uint32_t> error = {},
                      std::vector<oci::SeccompArg> args = {}) {
    return {std::move(names), std::move(action), error, std::move(args)};
}

oci::Seccomp filter(std::vector<oci::SeccompRule> rules,
                    std::string default_action = "SCMP_ACT_ALLOW",
                    std::optional<std::uint32_t> error = {}) {
    return {.default_action = std::move(default_action),
            .default_errno_ret = error,
            .syscalls = std::move(rules)};
}

TEST(CompileSeccomp, KnowsEveryAction) {
    const struct {
        const char* action;
        std::optional<std::uint32_t> error;
        std::uint32_t result;
    } cases[] = {
        {"SCMP_ACT_ALLOW", {}, SECCOMP_RET_ALLOW},
        {"SCMP_ACT_ERRNO", {}, refused(EPERM)},
        {"SCMP_ACT_ERRNO", 0, refused(0)},
        {"SCMP_ACT_ERRNO", ENOSYS, refused(ENOSYS)},
        {"SCMP_ACT_KILL", {}, SECCOMP_RET_KILL_THREAD},
        {"SCMP_ACT_KILL_PROCESS", {}, SECCOMP_RET_KILL_PROCESS},
        {"SCMP_ACT_KILL_THREAD", {}, SECCOMP_RET_KILL_THREAD},
        {"SCMP_ACT_LOG", {}, SECCOMP_RET_LOG},
        {"SCMP_ACT_NOTIFY", {}, SECCOMP_RET_USER_NOTIF},
        {"SCMP_ACT_TRACE", 7, SECCOMP_RET_TRACE | 7},
        {"SCMP_ACT_TRAP", {}, SECCOMP_RET_TRAP},
    };

    for (const auto& each : cases) {
        const bool is_default = std::string_view(each.action) == "SCMP_ACT_ALLOW";
        oci::Seccomp seccomp = filter({rule({"getpid"}, each.action, each.error)},
                                      is_default ? "SCMP_ACT_LOG" : "SCMP_ACT_ALLOW");
        const Program program = compile_seccomp(seccomp).program;
        EXPECT_EQ(run(program, "getpid"), each.result) << each.action;
        EXPECT_EQ(run(program, "getppid"), is_default ? SECCOMP_RET_LOG : allowed) << each.action;
    }
}

TEST(CompileSeccomp, KnowsEveryOperator) {
    const struct {
        const char* op;
        std::uint64_t value;
        std::uint64_t value_two;
        std::vector<std::uint64_t> matches;
        std::vector<std::uint64_t> others;
    } cases[] = {
        {"SCMP_CMP_EQ", 5, 0, {5}, {4, 6, 0x100000005}},
        {"SCMP_CMP_NE", 5, 0, {4, 6, 0x100000005}, {5}},
        {"SCMP_CMP_LT", 5, 0, {0, 4}, {5, 0x100000000}},
        {"SCMP_CMP_LE", 5, 0, {0, 5}, {6, 0x100000000}},
        {"SCMP_CMP_GE", 5, 0, {5, 0x100000000}, {0, 4}},
        {"SCMP_CMP_GT", 5, 0, {6, 0x100000000}, {0, 5}},
        {"SCMP_CMP_MASKED_EQ", 0xff, 5, {5, 0x105, 0x100000005}, {0, 6, 0x50}},
    };

    for (const auto& each : cases) {
        const Program program =
            compile_seccomp(filter({rule({"dup3"},
                                         "SCMP_ACT_ERRNO",
                                         EXDEV,
                                         {{1, each.value, each.value_two, each.op}})}))
                .program;
        for (const std::uint64_t value : each.matches) {
            EXPECT_EQ(run(program, "dup3", {0, value}), refused(EXDEV)) << each.op << " " << value;
        }
        for (const std::uint64_t value : each.others) {
            EXPECT_EQ(run(program, "dup3", {0, value}), allowed) << each.op << " " << value;
        }
    }
}

TEST(CompileSeccomp, WantsEveryConditionOfARule) {
    const Program both =
        compile_seccomp(filter({rule({"socket"},
                                     "SCMP_ACT_ERRNO",
                                     EINVAL,
                                     {{0, 16, 0, "SCMP_CMP_EQ"}, {2, 9, 0, "SCMP_CMP_EQ"}})}))
            .program;
    EXPECT_EQ(run(both, "socket", {16, 0, 9}), refused(EINVAL));
    EXPECT_EQ(run(both, "socket", {16, 0, 8}), allowed);
    EXPECT_EQ(run(both, "socket", {15, 0, 9}), allowed);

    const Program either =
        compile_seccomp(filter({rule({"socket"},
                                     "SCMP_ACT_ERRNO",
                                     EINVAL,
                                     {{0, 16, 0, "SCMP_CMP_EQ"}, {0, 17, 0, "SCMP_CMP_EQ"}})}))
            .program;
    EXPECT_EQ(run(either, "socket", {16}), refused(EINVAL));
    EXPECT_EQ(run(either, "socket", {17}), refused(EINVAL));
    EXPECT_EQ(run(either, "socket", {18}), allowed);
}

TEST(CompileSeccomp, SkipsUnknownNamesAndRulesOfNoEffect) {
    const Program program =
        compile_seccomp(filter({rule({"no_such_call", "getpid"}, "SCMP_ACT_ERRNO", EPERM),
                                rule({"getppid"}, "SCMP_ACT_ALLOW")}))
            .program;
    EXPECT_EQ(run(program, "getpid"), refused(EPERM));
    EXPECT_EQ(run(program, "getppid"), allowed);
}

TEST(CompileSeccomp, KillsOnForeignArchitecturesUnlessNamed) {
    oci::Seccomp seccomp = filter({rule({"getpid"}, "SCMP_ACT_ERRNO", EPERM)});
    EXPECT_EQ(run(compile_seccomp(seccomp).program, "getpid", {}, SCMP_ARCH_RISCV64),
              SECCOMP_RET_KILL_THREAD);
    seccomp.architectures = {"SCMP_ARCH_RISCV64"};
    const Program program = compile_seccomp(seccomp).program;
    EXPECT_EQ(run(program, "getpid", {}, SCMP_ARCH_RISCV64), refused(EPERM));
    EXPECT_EQ(run(program, "getppid", {}, SCMP_ARCH_RISCV64), allowed);
    EXPECT_EQ(run(program, "getpid"), refused(EPERM));
}

TEST(CompileSeccomp, TranslatesFlags) {
    constexpr std::uint32_t log = SECCOMP_FILTER_FLAG_LOG;
    constexpr std::uint32_t spec = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    constexpr std::uint32_t sync = SECCOMP_FILTER_FLAG_TSYNC;
    constexpr std::uint32_t sync_with_listener = sync | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
    constexpr std::uint32_t listener = SECCOMP_FILTER_FLAG_NEW_LISTENER;
    constexpr std::uint32_t wait = SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

    const struct {
        std::vector<std::string> flags;
        const char* action;
        std::uint32_t bits;
    } cases[] = {
        {{}, "SCMP_ACT_ERRNO", 0},
        {{"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
         "SCMP_ACT_ERRNO",
         log | spec},
        {{"SECCOMP_FILTER_FLAG_TSYNC"}, "SCMP_ACT_ERRNO", sync},
        {{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}, "SCMP_ACT_ERRNO", 0},
        {{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}, "SCMP_ACT_NOTIFY", wait | listener},
        {{"SECCOMP_FILTER_FLAG_TSYNC"}, "SCMP_ACT_NOTIFY", sync_with_listener | listener},
    };

    for (const auto& each : cases) {
        oci::Seccomp seccomp = filter({rule({"getpid"}, each.action)});
        seccomp.flags = each.flags;
        EXPECT_EQ(compile_seccomp(seccomp).flags, each.bits);
    }
}

TEST(CompileSeccomp, RefusesWhatDoesNotExist) {
    const auto with = [](auto change) {
        oci::Seccomp seccomp =
            filter({rule({"dup3"}, "SCMP_ACT_ERRNO", EPERM, {{0, 0, 0, "SCMP_CMP_EQ"}})});
        change(seccomp);
        return seccomp;
    };

    const struct {
        oci::Seccomp seccomp;
        const char* where;
        const char* what;
    } cases[] = {
        {with([](auto& seccomp) { seccomp.default_action = "SCMP_ACT_NOPE"; }),
         "/linux/seccomp/defaultAction",
         "unknown seccomp action 'SCMP_ACT_NOPE'"},
        {with([](auto& seccomp) { seccomp.architectures = {"SCMP_ARCH_X86", "SCMP_ARCH_Z80"}; }),
         "/linux/seccomp/architectures/1",
         "unknown seccomp architecture 'SCMP_ARCH_Z80'"},
        {with([](auto& seccomp) { seccomp.flags = {"SECCOMP_FILTER_FLAG_NOPE"}; }),
         "/linux/seccomp/flags/0",
         "unknown seccomp flag"},
        {with([](auto& seccomp) { seccomp.syscalls[0].action = "allow"; }),
         "/linux/seccomp/syscalls/0/action",
         "unknown seccomp action 'allow'"},
        {with([](auto& seccomp) { seccomp.syscalls[0].args[0].op = "EQ"; }),
         "/linux/seccomp/syscalls/0/args/0/op",
         "unknown seccomp operator 'EQ'"},
        {with([](auto& seccomp) { seccomp.syscalls[0].args[0].index = 6; }),
         "/linux/seccomp/syscalls/0",
         "cannot add the seccomp rule of dup3"},
    };

    for (const auto& each : cases) {
        try {
            compile_seccomp(each.seccomp);
            ADD_FAILURE() << each.what << " was taken";
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr(each.where));
            EXPECT_THAT(error.what(), HasSubstr(each.what));
        }
    }
}

TEST(NewerSyscallGuard, IsOnlyForErrorsThatHideANewKernel) {
    const std::vector rules{rule({"read"}, "SCMP_ACT_ALLOW")};
    EXPECT_THAT(newer_syscall_guard(filter(rules, "SCMP_ACT_ERRNO")), Not(IsEmpty()));
    EXPECT_THAT(newer_syscall_guard(filter(rules, "SCMP_ACT_ERRNO", EACCES)), Not(IsEmpty()));
    EXPECT_THAT(newer_syscall_guard(filter(rules, "SCMP_ACT_ERRNO", ENOSYS)), IsEmpty());
    EXPECT_THAT(newer_syscall_guard(filter(rules, "SCMP_ACT_KILL")), IsEmpty());
    EXPECT_THAT(newer_syscall_guard(filter(rules, "SCMP_ACT_ALLOW")), IsEmpty());
    EXPECT_THAT(newer_syscall_guard(filter({}, "SCMP_ACT_ERRNO")), IsEmpty());
}

#ifdef __x86_64__
TEST(NewerSyscallGuard, KnowsTheArchitecturesApart) {
    constexpr std::uint32_t statx = 332;
    constexpr std::uint32_t i386_statx = 383;
    constexpr std::uint32_t x32_bit = 0x40000000;
    oci::Seccomp seccomp = filter({rule({"read", "statx"}, "SCMP_ACT_ALLOW")}, "SCMP_ACT_ERRNO");
    seccomp.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
    const Program program = compile_seccomp(seccomp).program;

    const struct {
        std::uint32_t architecture;
        std::uint32_t number;
        std::uint32_t result;
    } cases[] = {
        {SCMP_ARCH_X86_64, 0, allowed},
        {SCMP_ARCH_X86_64, 1, refused(EPERM)},
        {SCMP_ARCH_X86_64, statx, allowed},
        {SCMP_ARCH_X86_64, statx + 1, refused(ENOSYS)},
        {SCMP_ARCH_X86_64, x32_bit - 1, refused(ENOSYS)},
        {SCMP_ARCH_X86, 3, allowed},
        {SCMP_ARCH_X86, 4, refused(EPERM)},
        {SCMP_ARCH_X86, statx + 1, refused(EPERM)},
        {SCMP_ARCH_X86, i386_statx, allowed},
        {SCMP_ARCH_X86, i386_statx + 1, refused(ENOSYS)},
        {SCMP_ARCH_X32, x32_bit, allowed},
        {SCMP_ARCH_X32, x32_bit + 1, refused(EPERM)},
        {SCMP_ARCH_X32, x32_bit + statx, allowed},
        {SCMP_ARCH_X32, x32_bit + statx + 1, refused(ENOSYS)},
        {SCMP_ARCH_RISCV64, 10000, SECCOMP_RET_KILL_THREAD},
    };

    for (const auto& each : cases) {
        EXPECT_EQ(run_number(program, each.architecture, each.number), each.result)
            << std::hex << each.architecture << " " << each.number;
    }
}
#endif

TEST(DefaultSeccomp, OfTheDefaultCapabilities) {
    const struct {
        const char* name;
        Args args;
        std::uint32_t result;
    } cases[] = {
        {"read", {}, allowed},
        {"execve", {}, allowed},
        {"clone3", {}, allowed},
        {"openat2", {}, allowed},
        {"mount", {}, allowed},
        {"unshare", {}, allowed},
        {"ptrace", {}, allowed},
        {"chroot", {}, allowed},
        {"fchmodat2", {}, allowed},
        {"getrandom", {}, allowed},
        {"setns", {}, refused(EPERM)},
        {"bpf", {}, refused(EPERM)},
        {"perf_event_open", {}, refused(EPERM)},
        {"init_module", {}, refused(EPERM)},
        {"kexec_load", {}, refused(EPERM)},
        {"open_by_handle_at", {}, refused(EPERM)},
        {"clock_settime", {}, refused(EPERM)},
        {"add_key", {}, refused(EPERM)},
        {"userfaultfd", {}, refused(EPERM)},
        {"swapon", {}, refused(EPERM)},
        {"quotactl", {}, refused(EPERM)},
        {"io_uring_setup", {}, refused(ENOSYS)},
        {"io_uring_enter", {}, refused(ENOSYS)},
        {"personality", {0}, allowed},
        {"personality", {8}, allowed},
        {"personality", {0x20000}, allowed},
        {"personality", {0x20008}, allowed},
        {"personality", {0xffffffff}, allowed},
        {"personality", {0x0040000}, refused(ENOSYS)},
        {"socket", {AF_UNIX, SOCK_STREAM, 0}, allowed},
        {"socket", {AF_INET, SOCK_RAW, NETLINK_AUDIT}, allowed},
        {"socket", {AF_INET6, SOCK_STREAM, 0}, allowed},
        {"socket", {AF_PACKET, SOCK_RAW, 0x300}, allowed},
        {"socket", {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE}, allowed},
        {"socket", {AF_NETLINK, SOCK_RAW, NETLINK_GENERIC}, allowed},
        {"socket", {AF_NETLINK, SOCK_RAW, NETLINK_AUDIT}, refused(EINVAL)},
        {"socket", {AF_SMC, SOCK_STREAM, 0}, allowed},
        {"socket", {AF_XDP, SOCK_RAW, 0}, allowed},
        {"socket", {0x100000000 + AF_NETLINK, SOCK_RAW, NETLINK_AUDIT}, refused(ENOSYS)},
        {"socket", {AF_VSOCK, SOCK_STREAM, 0}, refused(EPERM)},
        {"socket", {0x100000000 + AF_VSOCK, SOCK_STREAM, 0}, refused(ENOSYS)},
        {"socket", {1000, SOCK_STREAM, 0}, refused(ENOSYS)},
    };

    for (const FilterLayout layout : {FilterLayout::list, FilterLayout::tree}) {
        const SeccompStep compiled =
            compile_seccomp(default_seccomp(default_capabilities()), layout);
        EXPECT_EQ(compiled.flags, 0U);
        EXPECT_LT(compiled.program.size(), std::size_t{BPF_MAXINSNS});
        for (const auto& each : cases) {
            EXPECT_EQ(run(compiled.program, each.name, each.args), each.result)
                << each.name << " " << each.args[0] << " " << each.args[2];
        }
        EXPECT_EQ(run_number(compiled.program, seccomp_arch_native(), 5000), refused(ENOSYS));
    }
}

TEST(CompileSeccomp, DecidesAlikeInBothLayouts) {
    const std::vector<std::uint64_t> values = {
        0, 1, 8, 9, 16, 40, 0x20000, 0xffffffff, 0x100000000};
    const std::vector<std::uint32_t> architectures = {
        SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_AARCH64};
    const oci::Seccomp mixed =
        filter({rule({"read"}, "SCMP_ACT_LOG"),
                rule({"dup3"}, "SCMP_ACT_ERRNO", EXDEV, {{0, 8, 0, "SCMP_CMP_GE"}}),
                rule({"dup3"}, "SCMP_ACT_TRAP", {}, {{0, 1, 0, "SCMP_CMP_EQ"}}),
                rule({"getpid", "keyctl", "close"}, "SCMP_ACT_NOTIFY")});
    for (const oci::Seccomp& seccomp : {default_seccomp({}),
                                        default_seccomp(default_capabilities()),
                                        default_seccomp(all_capabilities(40)),
                                        mixed}) {
        const Program list = compile_seccomp(seccomp, FilterLayout::list).program;
        const Program tree = compile_seccomp(seccomp, FilterLayout::tree).program;
        ASSERT_LT(tree.size(), std::size_t{BPF_MAXINSNS});
        for (const std::uint32_t architecture : architectures) {
            for (std::uint32_t number = 0; number < 1000; ++number) {
                for (const std::uint64_t value : values) {
                    const Args args{value, 1, 9};
                    ASSERT_EQ(run_number(list, architecture, number, args),
                              run_number(tree, architecture, number, args))
                        << architecture << " " << number << " " << value;
                }
            }
        }
    }
}

TEST(DefaultSeccomp, OpensWithCapabilities) {
    const struct {
        const char* capability;
        const char* name;
        Args args;
        std::uint32_t without;
    } cases[] = {
        {"CAP_SYS_ADMIN", "setns", {}, refused(EPERM)},
        {"CAP_SYS_ADMIN", "bpf", {}, refused(EPERM)},
        {"CAP_BPF", "bpf", {}, refused(EPERM)},
        {"CAP_PERFMON", "perf_event_open", {}, refused(EPERM)},
        {"CAP_DAC_READ_SEARCH", "open_by_handle_at", {}, refused(EPERM)},
        {"CAP_SYS_CHROOT", "chroot", {}, refused(EPERM)},
        {"CAP_SYS_MODULE", "finit_module", {}, refused(EPERM)},
        {"CAP_SYS_PACCT", "acct", {}, refused(EPERM)},
        {"CAP_SYS_PTRACE", "kcmp", {}, refused(EPERM)},
        {"CAP_SYS_TIME", "clock_settime", {}, refused(EPERM)},
        {"CAP_SYS_TTY_CONFIG", "vhangup", {}, refused(EPERM)},
        {"CAP_AUDIT_WRITE", "socket", {AF_NETLINK, SOCK_RAW, NETLINK_AUDIT}, refused(EINVAL)},
    };

    const Program nothing = compile_seccomp(default_seccomp({})).program;
    for (const auto& each : cases) {
        const Program one = compile_seccomp(default_seccomp({each.capability})).program;
        EXPECT_EQ(run(nothing, each.name, each.args), each.without) << each.name;
        EXPECT_EQ(run(one, each.name, each.args), allowed) << each.name;
        EXPECT_EQ(run(one, "kexec_load"), refused(EPERM)) << each.capability;
        EXPECT_EQ(run(one, "socket", {AF_VSOCK}), refused(EPERM)) << each.capability;
    }
}

#ifdef __x86_64__
TEST(DefaultSeccomp, CoversTheOtherArchitecturesOfTheMachine) {
    const Program program = compile_seccomp(default_seccomp(default_capabilities())).program;
    for (const std::uint32_t architecture : {SCMP_ARCH_X86, SCMP_ARCH_X32}) {
        EXPECT_EQ(run(program, "read", {}, architecture), allowed);
        EXPECT_EQ(run(program, "kexec_load", {}, architecture), refused(EPERM));
        EXPECT_EQ(run(program, "io_uring_setup", {}, architecture), refused(ENOSYS));
    }
    EXPECT_EQ(run(program, "socketcall", {1}, SCMP_ARCH_X86), allowed);
    EXPECT_EQ(run(program, "read", {}, SCMP_ARCH_AARCH64), SECCOMP_RET_KILL_THREAD);
}
#endif

TEST(DefaultSeccomp, IsCompiledWhenBuilt) {
    EXPECT_EQ(default_seccomp_program().program,
              compile_seccomp(default_seccomp(default_capabilities()), FilterLayout::tree).program);
    EXPECT_EQ(default_seccomp_program().flags, 0U);
}

} // namespace
} // namespace sctr::plan
