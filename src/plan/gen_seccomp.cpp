// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cinttypes>
#include <cstdio>

#include "base/error.hpp"
#include "plan/capabilities.hpp"
#include "plan/seccomp.hpp"

/// Writes the compiled default filter as C++ numbers to stdout, for default_seccomp_program().
int main() {
    try {
        const auto profile = sctr::plan::default_seccomp(sctr::plan::default_capabilities());
        const auto step = sctr::plan::compile_seccomp(profile, sctr::plan::FilterLayout::tree);
        for (const std::uint64_t instruction : step.program) {
            std::printf("0x%016" PRIx64 ",\n", instruction);
        }
    } catch (const sctr::Error& error) {
        std::fprintf(stderr, "gen_seccomp: %s\n", error.what());
        return 1;
    }
    return 0;
}
