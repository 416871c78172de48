// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <vector>

namespace sctr::plan {

using Args = std::array<std::uint64_t, 6>;
using Program = std::vector<std::uint64_t>;

inline constexpr std::uint32_t allowed = SECCOMP_RET_ALLOW;
inline constexpr std::uint32_t invalid_program = 0xdead;

constexpr std::uint32_t refused(std::uint32_t error) {
    return SECCOMP_RET_ERRNO | error;
}

/// A seccomp filter, one instruction at a time (Documentation/networking/filter.rst).
class Machine {
  public:
    explicit Machine(const seccomp_data& data) { std::memcpy(data_.data(), &data, sizeof data); }

    std::uint32_t run(const Program& program) {
        for (std::size_t at = 0; at < program.size(); ++at) {
            const std::uint64_t word = program[at];
            const auto code = static_cast<std::uint16_t>(word);
            const auto operand = static_cast<std::uint32_t>(word >> 32);
            if (BPF_CLASS(code) == BPF_RET) {
                return BPF_RVAL(code) == BPF_A ? accumulator_ : operand;
            }
            if (BPF_CLASS(code) == BPF_JMP) {
                at += jump(code, operand, word >> 16 & 0xff, word >> 24 & 0xff);
            } else if (!compute(code, operand)) {
                return invalid_program;
            }
        }
        return invalid_program;
    }

  private:
    [[nodiscard]] std::uint64_t jump(std::uint16_t code,
                                     std::uint32_t operand,
                                     std::uint64_t if_true,
                                     std::uint64_t if_false) const {
        switch (BPF_OP(code)) {
        case BPF_JA:
            return operand;
        case BPF_JEQ:
            return accumulator_ == operand ? if_true : if_false;
        case BPF_JGT:
            return accumulator_ > operand ? if_true : if_false;
        case BPF_JGE:
            return accumulator_ >= operand ? if_true : if_false;
        default:
            return (accumulator_ & operand) != 0 ? if_true : if_false;
        }
    }

    bool compute(std::uint16_t code, std::uint32_t operand) {
        switch (code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (operand > data_.size() - sizeof accumulator_) {
                return false;
            }
            std::memcpy(&accumulator_, &data_.at(operand), sizeof accumulator_);
            return true;
        case BPF_LD | BPF_MEM:
            accumulator_ = memory_.at(operand);
            return true;
        case BPF_ST:
            memory_.at(operand) = accumulator_;
            return true;
        case BPF_ALU | BPF_AND | BPF_K:
            accumulator_ &= operand;
            return true;
        default:
            return false;
        }
    }

    std::array<std::uint8_t, sizeof(seccomp_data)> data_{};
    std::array<std::uint32_t, BPF_MEMWORDS> memory_{};
    std::uint32_t accumulator_ = 0;
};

/// What a filter answers to a system call of that number.
inline std::uint32_t run_number(const Program& program,
                                std::uint32_t architecture,
                                std::uint32_t number,
                                const Args& args = {}) {
    seccomp_data data{.nr = static_cast<int>(number),
                      // The kernel has no architecture x32, only numbers of x86-64.
                      .arch = architecture == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : architecture,
                      .instruction_pointer = 0,
                      .args = {}};
    std::ranges::copy(args, std::begin(data.args));
    return Machine(data).run(program);
}

} // namespace sctr::plan
