// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>

#include "plan/seccomp.hpp"

namespace sctr::plan {

namespace {

/// The numbers of an architecture's system calls: x32 is told from x86-64 by them alone.
struct Numbers {
    std::uint32_t audit_architecture = 0;
    std::uint32_t first = 0;
    std::uint32_t last = UINT32_MAX;
};

constexpr std::uint32_t first_x32 = 0x40000000;

Numbers numbers_of(std::uint32_t architecture) {
    if (architecture == SCMP_ARCH_X86_64) {
        return {.audit_architecture = SCMP_ARCH_X86_64, .last = first_x32 - 1};
    }
    if (architecture == SCMP_ARCH_X32) {
        return {.audit_architecture = SCMP_ARCH_X86_64, .first = first_x32};
    }
    return {.audit_architecture = architecture};
}

/// The highest number of a system call that a rule names; nothing when none exists.
std::optional<std::uint32_t> newest_syscall(const oci::Seccomp& seccomp,
                                            std::uint32_t architecture) {
    std::optional<std::uint32_t> newest;
    for (const oci::SeccompRule& rule : seccomp.syscalls) {
        for (const std::string& name : rule.names) {
            const int number = ::seccomp_syscall_resolve_name_arch(architecture, name.c_str());
            if (number >= 0) { // below are errors and libseccomp's stand-ins for what is missing
                newest = std::max(newest.value_or(0), static_cast<std::uint32_t>(number));
            }
        }
    }
    return newest;
}

constexpr std::uint64_t
instruction(unsigned code, std::uint32_t k, unsigned jump_true = 0, unsigned jump_false = 0) {
    return std::uint64_t{code} | std::uint64_t{jump_true} << 16 | std::uint64_t{jump_false} << 24 |
           std::uint64_t{k} << 32;
}

void append_guard(std::vector<std::uint64_t>& program,
                  const Numbers& numbers,
                  std::uint32_t newest) {
    constexpr unsigned load = BPF_LD | BPF_W | BPF_ABS;
    constexpr unsigned is_equal = BPF_JMP | BPF_JEQ | BPF_K;
    constexpr unsigned is_above = BPF_JMP | BPF_JGT | BPF_K;
    constexpr unsigned is_at_least = BPF_JMP | BPF_JGE | BPF_K;
    const std::array guard{
        instruction(load, offsetof(struct seccomp_data, arch)),
        instruction(is_equal, numbers.audit_architecture, 0, 5),
        instruction(load, offsetof(struct seccomp_data, nr)),
        instruction(is_at_least, numbers.first, 0, 3),
        instruction(is_above, numbers.last, 2, 0),
        instruction(is_above, newest, 0, 1),
        instruction(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    };
    program.insert(program.end(), guard.begin(), guard.end());
}

} // namespace

std::vector<std::uint64_t> newer_syscall_guard(const oci::Seccomp& seccomp) {
    std::vector<std::uint64_t> program;
    if (seccomp.default_action != "SCMP_ACT_ERRNO" ||
        seccomp.default_errno_ret.value_or(EPERM) == ENOSYS) {
        return program;
    }
    std::vector<std::uint32_t> architectures{::seccomp_arch_native()};
    for (const std::string& name : seccomp.architectures) {
        // libseccomp's own names are the spec's without the prefix, in small letters.
        std::string short_name = name.substr(std::min(name.size(), sizeof("SCMP_ARCH_") - 1));
        std::ranges::transform(short_name, short_name.begin(), [](char letter) {
            return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
        });
        const std::uint32_t architecture = ::seccomp_arch_resolve_name(short_name.c_str());
        if (architecture != 0 && !std::ranges::contains(architectures, architecture)) {
            architectures.push_back(architecture);
        }
    }
    for (const std::uint32_t architecture : architectures) {
        if (const auto newest = newest_syscall(seccomp, architecture)) {
            append_guard(program, numbers_of(architecture), *newest);
        }
    }
    return program;
}

} // namespace sctr::plan
