// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>

#include "oci/rules.hpp"

namespace sctr::oci {
namespace {

constexpr std::array<std::string_view, 9> actions = {
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
};

/// The spec's list, and what libseccomp 2.6 knows beyond it.
constexpr std::array<std::string_view, 23> architectures = {
    "SCMP_ARCH_X86",     "SCMP_ARCH_X86_64",   "SCMP_ARCH_X32",         "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",      "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",   "SCMP_ARCH_PPC64LE",  "SCMP_ARCH_S390",        "SCMP_ARCH_S390X",
    "SCMP_ARCH_PARISC",  "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64",     "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",    "SCMP_ARCH_SH",       "SCMP_ARCH_SHEB",
};

constexpr std::array<std::string_view, 4> filter_flags = {
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
};

constexpr std::array<std::string_view, 7> operators = {
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
};

/// config-linux.md, Seccomp: an errno with an action that has none MUST fail.
void check_errno(const Place& place,
                 const std::string& action,
                 const std::optional<std::uint32_t>& value) {
    constexpr std::int64_t highest = 4095; // MAX_ERRNO of the kernel
    if (value) {
        require(action == "SCMP_ACT_ERRNO" || action == "SCMP_ACT_TRACE",
                place,
                "only for SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not for " + action);
        require_range(place, *value, 0, highest);
    }
}

void check_rule(const Place& place, const SeccompRule& rule) {
    require(!rule.names.empty(), Place(place, "names"), "empty; at least one syscall is required");
    require_one_of(Place(place, "action"), rule.action, actions);
    check_errno(Place(place, "errnoRet"), rule.action, rule.errno_ret);
    const Place args(place, "args");
    for (std::size_t i = 0; i < rule.args.size(); ++i) {
        const Place here(args, i);
        require_range(Place(here, "index"), rule.args[i].index, 0, 5);
        require_one_of(Place(here, "op"), rule.args[i].op, operators);
    }
}

/// Between loading the filter and handing its listener over, sctr-init makes one system call. If
/// that one were notified, it would wait for an answer from nobody.
void check_notifications(const Place& place, const Seccomp& seccomp) {
    constexpr std::string_view notify = "SCMP_ACT_NOTIFY";
    require(seccomp.default_action != notify,
            Place(place, "defaultAction"),
            "SCMP_ACT_NOTIFY is for single system calls: the runtime could not hand its listener "
            "over if all of them waited for it");
    const Place rules(place, "syscalls");
    for (std::size_t i = 0; i < seccomp.syscalls.size(); ++i) {
        const SeccompRule& rule = seccomp.syscalls[i];
        const Place here(rules, i);
        if (rule.action != notify) {
            continue;
        }
        require(!std::ranges::contains(rule.names, "sendmsg"),
                Place(here, "names"),
                "SCMP_ACT_NOTIFY is not possible for sendmsg, with which the runtime hands the "
                "listener over");
        require(!seccomp.listener_path.empty(),
                Place(here, "action"),
                "SCMP_ACT_NOTIFY needs /linux/seccomp/listenerPath, the socket of whoever answers");
    }
}

/// The kernel takes programs of 4096 instructions, and each condition is one at least. To compile
/// more takes libseccomp minutes, and ends in a refusal all the same.
void check_size(const Place& place, const Seccomp& seccomp) {
    constexpr std::size_t most_conditions = 4096;
    constexpr std::size_t most_names = 32768; // 50 times what there is
    std::size_t conditions = 0;
    std::size_t names = 0;
    for (const SeccompRule& rule : seccomp.syscalls) {
        names += rule.names.size();
        conditions += rule.names.size() * rule.args.size();
    }
    require(conditions <= most_conditions && names <= most_names,
            place,
            "more than the 4096 instructions that the kernel takes: " + std::to_string(names) +
                " names of system calls and " + std::to_string(conditions) + " conditions");
}

} // namespace

void check_seccomp(const Place& place, const Seccomp& seccomp) {
    require_one_of(Place(place, "defaultAction"), seccomp.default_action, actions);
    check_errno(Place(place, "defaultErrnoRet"), seccomp.default_action, seccomp.default_errno_ret);
    require_each_of(Place(place, "architectures"), seccomp.architectures, architectures);
    require_each_of(Place(place, "flags"), seccomp.flags, filter_flags);
    require(seccomp.listener_metadata.empty() || !seccomp.listener_path.empty(),
            Place(place, "listenerMetadata"),
            "needs listenerPath");
    const Place rules(place, "syscalls");
    for (std::size_t i = 0; i < seccomp.syscalls.size(); ++i) {
        check_rule(Place(rules, i), seccomp.syscalls[i]);
    }
    check_size(rules, seccomp);
    check_notifications(place, seccomp);
}

} // namespace sctr::oci
