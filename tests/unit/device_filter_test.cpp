// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/device_filter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "base/error.hpp"

namespace sctr::plan {
namespace {

struct Access {
    std::uint32_t type;
    std::uint32_t access;
    std::uint32_t major;
    std::uint32_t minor;
};

constexpr std::uint32_t character = BPF_DEVCG_DEV_CHAR;
constexpr std::uint32_t block = BPF_DEVCG_DEV_BLOCK;
constexpr std::uint32_t read = BPF_DEVCG_ACC_READ;
constexpr std::uint32_t write = BPF_DEVCG_ACC_WRITE;
constexpr std::uint32_t make_node = BPF_DEVCG_ACC_MKNOD;

/// Does what the kernel does with the few instructions that a filter has.
bool allows(const StringPairs& allowed, const Access& asked) {
    const struct bpf_cgroup_dev_ctx context{
        asked.access << 16U | asked.type, asked.major, asked.minor};
    const auto program = device_filter(allowed);
    std::array<std::uint64_t, 10> registers{};
    for (std::size_t at = 0; at < program.size(); ++at) {
        const struct bpf_insn& each = program.at(at);
        std::uint64_t& to = registers.at(each.dst_reg);
        const auto value = static_cast<std::uint32_t>(each.imm);
        switch (each.code) {
        case BPF_LDX | BPF_MEM | BPF_W: {
            std::uint32_t word = 0;
            std::memcpy(&word, reinterpret_cast<const char*>(&context) + each.off, sizeof word);
            to = word;
            break;
        }
        case BPF_ALU | BPF_MOV | BPF_X:
            to = registers.at(each.src_reg);
            break;
        case BPF_ALU | BPF_MOV | BPF_K:
            to = value;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            to &= value;
            break;
        case BPF_ALU | BPF_RSH | BPF_K:
            to >>= value;
            break;
        case BPF_JMP | BPF_JNE | BPF_K:
            at += to != value ? static_cast<std::size_t>(each.off) : 0;
            break;
        case BPF_JMP | BPF_EXIT:
            return registers[0] == 1;
        default:
            ADD_FAILURE() << "instruction " << int(each.code);
            return false;
        }
    }
    ADD_FAILURE() << "no end";
    return false;
}

TEST(DeviceFilter, AllowsWhatIsInTheList) {
    const StringPairs list{{"/dev/char/1:3", "rw"}, {"char-136", "r"}, {"block-*", "m"}};

    struct Case {
        Access asked;
        bool allowed;
    };

    for (const Case& each : {
             Case{{character, read, 1, 3}, true},
             Case{{character, read | write, 1, 3}, true},
             Case{{character, make_node, 1, 3}, false},
             Case{{character, read | make_node, 1, 3}, false},
             Case{{character, read, 1, 4}, false},
             Case{{character, read, 2, 3}, false},
             Case{{block, read, 1, 3}, false},
             Case{{character, read, 136, 77}, true},
             Case{{character, write, 136, 77}, false},
             Case{{block, make_node, 8, 0}, true},
             Case{{block, read, 8, 0}, false},
         }) {
        EXPECT_EQ(allows(list, each.asked), each.allowed)
            << each.asked.type << ' ' << each.asked.access << ' ' << each.asked.major << ':'
            << each.asked.minor;
    }
}

TEST(DeviceFilter, AllowsNothingWithoutAList) {
    EXPECT_FALSE(allows({}, {character, read, 1, 3}));
}

TEST(DeviceFilter, RefusesWhatItCannotSay) {
    for (const char* device :
         {"/dev/null", "/dev/char/1", "/dev/char/x:1", "char-", "block-x", ""}) {
        EXPECT_THROW(device_filter({{device, "r"}}), Error) << device;
    }
}

} // namespace
} // namespace sctr::plan
