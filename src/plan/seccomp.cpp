// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/seccomp.hpp"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <span>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace sctr::plan {

namespace {

constexpr std::string_view base = "/linux/seccomp";

template <typename Value> struct Named {
    std::string_view name;
    Value value;
};

constexpr std::array actions{
    Named{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
    Named{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
    Named{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
    Named{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    Named{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
    Named{"SCMP_ACT_LOG", SCMP_ACT_LOG},
    Named{"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},
    Named{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
    Named{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
};

constexpr std::array<Named<std::uint32_t>, 23> architectures{{
    {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
    {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
    {"SCMP_ARCH_LOONGARCH64", SCMP_ARCH_LOONGARCH64},
    {"SCMP_ARCH_M68K", SCMP_ARCH_M68K},
    {"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
    {"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},
    {"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
    {"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},
    {"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
    {"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
    {"SCMP_ARCH_PARISC", SCMP_ARCH_PARISC},
    {"SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64},
    {"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
    {"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},
    {"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
    {"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
    {"SCMP_ARCH_S390", SCMP_ARCH_S390},
    {"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
    {"SCMP_ARCH_SH", SCMP_ARCH_SH},
    {"SCMP_ARCH_SHEB", SCMP_ARCH_SHEB},
    {"SCMP_ARCH_X32", SCMP_ARCH_X32},
    {"SCMP_ARCH_X86", SCMP_ARCH_X86},
    {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
}};

constexpr std::array operators{
    Named{"SCMP_CMP_EQ", SCMP_CMP_EQ},
    Named{"SCMP_CMP_GE", SCMP_CMP_GE},
    Named{"SCMP_CMP_GT", SCMP_CMP_GT},
    Named{"SCMP_CMP_LE", SCMP_CMP_LE},
    Named{"SCMP_CMP_LT", SCMP_CMP_LT},
    Named{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
    Named{"SCMP_CMP_NE", SCMP_CMP_NE},
};

constexpr std::array<Named<std::uint32_t>, 4> flags{{
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
}};

template <typename Value>
Value look_up(std::span<const Named<Value>> table,
              std::string_view kind,
              const std::string& name,
              const std::string& pointer) {
    const auto found = std::ranges::find(table, name, &Named<Value>::name);
    if (found == table.end()) {
        throw Error("unknown seccomp " + std::string(kind) + " '" + name + "'").at(pointer);
    }
    return found->value;
}

std::uint32_t look_up_architecture(const std::string& name, std::size_t index) {
    return look_up(std::span<const Named<std::uint32_t>>(architectures),
                   "architecture",
                   name,
                   std::string(base) + "/architectures/" + std::to_string(index));
}

/// The action with its errno, which is EPERM where none is given.
std::uint32_t parse_action(const std::string& name,
                           const std::optional<std::uint32_t>& errno_ret,
                           const std::string& pointer) {
    const auto action =
        look_up(std::span<const Named<std::uint32_t>>(actions), "action", name, pointer);
    const std::uint32_t value = errno_ret.value_or(EPERM);
    if (name == "SCMP_ACT_ERRNO") {
        return SCMP_ACT_ERRNO(value);
    }
    return name == "SCMP_ACT_TRACE" ? SCMP_ACT_TRACE(value) : action;
}

struct ReleaseFilter {
    void operator()(void* filter) const { ::seccomp_release(filter); }
};

using Filter = std::unique_ptr<void, ReleaseFilter>;

void check(int result, std::string_view what, std::string_view pointer) {
    if (result < 0) {
        throw Error(std::string(what)).at(pointer).because(-result);
    }
}

void add_architectures(const Filter& filter, const std::vector<std::string>& names) {
    for (std::size_t index = 0; index < names.size(); ++index) {
        const int result =
            ::seccomp_arch_add(filter.get(), look_up_architecture(names[index], index));
        // The native one is there from the beginning.
        if (result != -EEXIST) {
            check(result, "cannot add the architecture '" + names[index] + "'", base);
        }
    }
}

std::vector<scmp_arg_cmp> parse_args(const oci::SeccompRule& rule, const std::string& pointer) {
    std::vector<scmp_arg_cmp> args;
    for (std::size_t index = 0; index < rule.args.size(); ++index) {
        const oci::SeccompArg& arg = rule.args[index];
        const std::string here = pointer + "/args/" + std::to_string(index);
        args.push_back({
            .arg = arg.index,
            .op = look_up(
                std::span<const Named<scmp_compare>>(operators), "operator", arg.op, here + "/op"),
            .datum_a = arg.value,
            .datum_b = arg.value_two,
        });
    }
    return args;
}

/// Conditions on different arguments must all hold. Two on one argument cannot be one rule of
/// libseccomp: then each condition is a rule of its own, as runc and crun do.
std::vector<std::vector<scmp_arg_cmp>> alternatives(const std::vector<scmp_arg_cmp>& args) {
    const bool repeats = std::ranges::any_of(args, [&](const scmp_arg_cmp& one) {
        return std::ranges::count(args, one.arg, &scmp_arg_cmp::arg) > 1;
    });
    if (!repeats) {
        return {args};
    }
    std::vector<std::vector<scmp_arg_cmp>> result;
    result.reserve(args.size());
    for (const scmp_arg_cmp& arg : args) {
        result.push_back({arg});
    }
    return result;
}

void add_rule(const Filter& filter,
              std::uint32_t default_action,
              const oci::SeccompRule& rule,
              const std::string& pointer) {
    const std::uint32_t action = parse_action(rule.action, rule.errno_ret, pointer + "/action");
    const auto conditions = alternatives(parse_args(rule, pointer));
    if (action == default_action) {
        return; // libseccomp refuses what would change nothing
    }
    for (const std::string& name : rule.names) {
        const int number = ::seccomp_syscall_resolve_name(name.c_str());
        if (number == __NR_SCMP_ERROR) {
            continue;
        }
        for (const auto& args : conditions) {
            check(
                ::seccomp_rule_add_array(
                    filter.get(), action, number, static_cast<unsigned>(args.size()), args.data()),
                "cannot add the seccomp rule of " + name,
                pointer);
        }
    }
}

std::vector<std::uint64_t> export_program(const Filter& filter) {
    const UniqueFd file(::memfd_create("seccomp", MFD_CLOEXEC));
    if (!file.valid()) {
        throw Error("cannot export the seccomp filter").because(errno);
    }
    check(::seccomp_export_bpf(filter.get(), file.get()), "cannot export the seccomp filter", base);

    struct stat status{};

    if (::fstat(file.get(), &status) != 0) {
        throw Error("cannot export the seccomp filter").because(errno);
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    std::vector<std::uint64_t> program(size / sizeof(std::uint64_t));
    if (::pread(file.get(), program.data(), size, 0) != status.st_size) {
        throw Error("cannot export the seccomp filter").because(EIO);
    }
    return program;
}

bool notifies(const oci::Seccomp& seccomp) {
    return std::ranges::contains(
        seccomp.syscalls, std::string("SCMP_ACT_NOTIFY"), &oci::SeccompRule::action);
}

std::uint32_t parse_flags(const oci::Seccomp& seccomp) {
    std::uint32_t bits = 0;
    for (std::size_t index = 0; index < seccomp.flags.size(); ++index) {
        bits |= look_up(std::span<const Named<std::uint32_t>>(flags),
                        "flag",
                        seccomp.flags[index],
                        std::string(base) + "/flags/" + std::to_string(index));
    }
    if (!notifies(seccomp)) {
        // The kernel refuses it without a listener, where it has no meaning.
        return bits & ~static_cast<std::uint32_t>(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    }
    bits |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
    if ((bits & SECCOMP_FILTER_FLAG_TSYNC) != 0) {
        bits |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH; // both return a number; this tells them apart
    }
    return bits;
}

} // namespace

std::string native_architecture() {
    const auto found =
        std::ranges::find(architectures, ::seccomp_arch_native(), &Named<std::uint32_t>::value);
    return std::string(found == architectures.end() ? std::string_view() : found->name);
}

SeccompStep compile_seccomp(const oci::Seccomp& seccomp, FilterLayout layout) {
    // By default libseccomp refuses actions that the kernel on which it runs does not know; the
    // newest level makes the program independent of where it is compiled.
    constexpr unsigned newest_api_level = 7;
    ::seccomp_api_set(newest_api_level);

    const std::uint32_t default_action = parse_action(
        seccomp.default_action, seccomp.default_errno_ret, std::string(base) + "/defaultAction");
    const Filter filter(::seccomp_init(default_action));
    if (!filter) {
        throw Error("cannot make a seccomp filter").at(base);
    }
    add_architectures(filter, seccomp.architectures);
    for (std::size_t index = 0; index < seccomp.syscalls.size(); ++index) {
        add_rule(filter,
                 default_action,
                 seccomp.syscalls[index],
                 std::string(base) + "/syscalls/" + std::to_string(index));
    }
    if (layout == FilterLayout::tree) {
        constexpr std::uint32_t binary_tree = 2;
        check(::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, binary_tree),
              "cannot optimize the seccomp filter",
              base);
    }

    SeccompStep step{.program = newer_syscall_guard(seccomp), .flags = parse_flags(seccomp)};
    const auto program = export_program(filter);
    step.program.insert(step.program.end(), program.begin(), program.end());
    return step;
}

} // namespace sctr::plan
