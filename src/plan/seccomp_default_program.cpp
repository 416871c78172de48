// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>

#include "plan/seccomp.hpp"

namespace sctr::plan {

namespace {

constexpr auto instructions = std::to_array<std::uint64_t>({
#include "seccomp_default_program.inc" // written by gen_seccomp
});

} // namespace

const SeccompStep& default_seccomp_program() {
    static const SeccompStep step{.program{instructions.begin(), instructions.end()}};
    return step;
}

} // namespace sctr::plan
