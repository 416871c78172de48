// SPDX-License-Identifier: LGPL-2.1-or-later
// The default filter beside podman's, call by call: what sctr allows, podman allows as well.
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <seccomp.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "oci/seccomp_profile.hpp"
#include "plan/capabilities.hpp"
#include "plan/seccomp.hpp"
#include "seccomp_machine.hpp"

namespace sctr::plan {
namespace {

constexpr const char* podmans_profile = "/usr/share/containers/seccomp.json";

/// Values of one argument at which some rule may change its mind.
using Values = std::set<std::uint64_t>;

/// What podman refuses and sctr allows, each for its reason.
const std::map<std::string, std::string> reasons = {
    {"perf_event_open",
     "with CAP_PERFMON, which is for nothing else and has been given by name; docker allows it"},
};

void add_values(std::map<std::string, std::map<std::uint32_t, Values>>& values,
                const oci::Seccomp& seccomp) {
    for (const oci::SeccompRule& rule : seccomp.syscalls) {
        for (const oci::SeccompArg& arg : rule.args) {
            for (const std::string& name : rule.names) {
                for (const std::uint64_t value : {arg.value, arg.value_two}) {
                    values[name][arg.index].insert({0,
                                                    value - 1,
                                                    value,
                                                    value + 1,
                                                    ~value,
                                                    value | std::uint64_t{1} << 32U,
                                                    value & (~value + 1)});
                }
            }
        }
    }
}

/// Every combination of the values, of one argument after the other.
std::vector<Args> combinations(const std::map<std::uint32_t, Values>& values) {
    std::vector<Args> all{Args{}};
    for (const auto& [index, candidates] : values) {
        std::vector<Args> next;
        for (const Args& args : all) {
            for (const std::uint64_t value : candidates) {
                next.push_back(args);
                next.back().at(index) = value;
            }
        }
        all = std::move(next);
    }
    return all;
}

class BesidePodman : public testing::Test {
  protected:
    void SetUp() override {
        std::ifstream file(podmans_profile);
        if (!file) {
            GTEST_SKIP() << podmans_profile
                         << " is not there: install golang-github-containers-common";
        }
        std::stringstream text;
        text << file.rdbuf();
        profile_ = text.str();
    }

    /// The calls that sctr's filter lets through and podman's does not.
    [[nodiscard]] std::set<std::string> weaker(const std::vector<std::string>& capabilities) const {
        const auto podmans = oci::resolve_seccomp_profile(profile_,
                                                          {.capabilities = capabilities,
                                                           .architecture = native_architecture(),
                                                           .kernel = {6, 12}});
        const auto ours = default_seccomp(capabilities);
        std::map<std::string, std::map<std::uint32_t, Values>> values;
        add_values(values, podmans);
        add_values(values, ours);
        const Program their_program = compile_seccomp(podmans, FilterLayout::tree).program;
        const Program our_program = compile_seccomp(ours, FilterLayout::tree).program;
        std::set<std::string> found;
        for (const auto architecture :
             std::initializer_list<std::uint32_t>{SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32}) {
            const std::uint32_t first = architecture == SCMP_ARCH_X32 ? 0x40000000 : 0;
            for (std::uint32_t number = first; number < first + 600; ++number) {
                char* const text =
                    ::seccomp_syscall_resolve_num_arch(architecture, static_cast<int>(number));
                const std::string name = text != nullptr ? text : std::to_string(number);
                std::free(text); // libseccomp's own strdup
                for (const Args& args : combinations(values[name])) {
                    if (run_number(our_program, architecture, number, args) == allowed &&
                        run_number(their_program, architecture, number, args) != allowed) {
                        found.insert(name);
                    }
                }
            }
        }
        return found;
    }

  private:
    std::string profile_;
};

TEST_F(BesidePodman, NothingMoreIsAllowed) {
    std::vector<std::vector<std::string>> sets = {
        {}, default_capabilities(), all_capabilities(CAP_LAST_CAP)};
    for (const std::string& name : all_capabilities(CAP_LAST_CAP)) {
        sets.push_back(default_capabilities());
        sets.back().push_back(name);
    }
    for (const auto& capabilities : sets) {
        for (const std::string& name : weaker(capabilities)) {
            EXPECT_TRUE(reasons.contains(name) && !capabilities.empty())
                << name << " with " << (capabilities.empty() ? "none" : capabilities.back());
        }
    }
}

} // namespace
} // namespace sctr::plan
