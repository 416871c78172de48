// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/device_filter.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "base/strings.hpp"

namespace sctr::plan {

namespace {

using Program = std::vector<struct bpf_insn>;

/// Registers: the context comes in r1, the answer goes out in r0.
enum Register : std::uint8_t { answer, context, type, access, major, minor, scratch };

struct Rule {
    int type = BPF_DEVCG_DEV_CHAR;
    std::optional<std::int32_t> major;
    std::optional<std::int32_t> minor;
    int access = 0;
};

struct bpf_insn instruction(int code,
                            std::uint8_t to,
                            std::uint8_t from = 0,
                            std::int16_t offset = 0,
                            std::int32_t value = 0) {
    struct bpf_insn made{};
    made.code = static_cast<std::uint8_t>(code);
    made.dst_reg = to & 0xfU;
    made.src_reg = from & 0xfU;
    made.off = offset;
    made.imm = value;
    return made;
}

struct bpf_insn load(Register to, std::size_t offset) {
    return instruction(BPF_LDX | BPF_MEM | BPF_W, to, context, static_cast<std::int16_t>(offset));
}

struct bpf_insn compute(int operation, Register to, std::int32_t value) {
    return instruction(BPF_ALU | BPF_K | operation, to, 0, 0, value);
}

Error bad_device(const std::string& text) {
    Error error("cannot filter the device");
    error.at(text).because("it is not /dev/{char,block}/MAJOR:MINOR, {char,block}-MAJOR or -*");
    return error;
}

std::int32_t number(const std::string& device, std::string_view text) {
    const auto value = parse_uint(text);
    if (!value || *value > INT32_MAX) {
        throw bad_device(device);
    }
    return static_cast<std::int32_t>(*value);
}

Rule parse(const std::string& device, const std::string& letters) {
    Rule rule;
    for (const auto& [letter, bit] : {std::pair{'r', BPF_DEVCG_ACC_READ},
                                      std::pair{'w', BPF_DEVCG_ACC_WRITE},
                                      std::pair{'m', BPF_DEVCG_ACC_MKNOD}}) {
        rule.access |= letters.contains(letter) ? bit : 0;
    }
    for (const auto& [name, kind] :
         {std::pair{"char", BPF_DEVCG_DEV_CHAR}, std::pair{"block", BPF_DEVCG_DEV_BLOCK}}) {
        rule.type = kind;
        const std::string exact = std::string("/dev/") + name + "/";
        const std::string all = std::string(name) + "-";
        if (device.starts_with(exact)) {
            const auto [first, second] = split_once(device.substr(exact.size()), ':');
            rule.major = number(device, first);
            rule.minor = number(device, second.value_or(""));
            return rule;
        }
        if (device == all + "*") {
            return rule;
        }
        if (device.starts_with(all)) {
            rule.major = number(device, device.substr(all.size()));
            return rule;
        }
    }
    throw bad_device(device);
}

/// What does not match goes on behind the rule.
void add_rule(Program& program, const Rule& rule) {
    Program tests;
    std::vector<std::size_t> jumps;
    const auto skip_unless = [&](Register one, std::int32_t value) {
        jumps.push_back(tests.size());
        tests.push_back(instruction(BPF_JMP | BPF_JNE | BPF_K, one, 0, 0, value));
    };
    skip_unless(type, rule.type);
    // Any bit that is asked for and not in the rule.
    tests.push_back(instruction(BPF_ALU | BPF_MOV | BPF_X, scratch, access));
    tests.push_back(compute(BPF_AND, scratch, ~rule.access & 0xffff));
    skip_unless(scratch, 0);
    if (rule.major) {
        skip_unless(major, *rule.major);
    }
    if (rule.minor) {
        skip_unless(minor, *rule.minor);
    }
    tests.push_back(compute(BPF_MOV, answer, 1));
    tests.push_back(instruction(BPF_JMP | BPF_EXIT, 0));
    for (const std::size_t jump : jumps) {
        tests[jump].off = static_cast<std::int16_t>(tests.size() - jump - 1);
    }
    program.insert(program.end(), tests.begin(), tests.end());
}

} // namespace

std::vector<struct bpf_insn> device_filter(const StringPairs& allowed) {
    constexpr std::int32_t low_half = 0xffff;
    constexpr std::int32_t half = 16;
    Program program{
        load(type, offsetof(struct bpf_cgroup_dev_ctx, access_type)),
        instruction(BPF_ALU | BPF_MOV | BPF_X, access, type),
        compute(BPF_AND, type, low_half),
        compute(BPF_RSH, access, half),
        load(major, offsetof(struct bpf_cgroup_dev_ctx, major)),
        load(minor, offsetof(struct bpf_cgroup_dev_ctx, minor)),
    };
    for (const auto& [device, letters] : allowed) {
        add_rule(program, parse(device, letters));
    }
    program.push_back(compute(BPF_MOV, answer, 0));
    program.push_back(instruction(BPF_JMP | BPF_EXIT, 0));
    return program;
}

} // namespace sctr::plan
