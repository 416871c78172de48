// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/error.hpp"

/// What libFuzzer calls with each input. Source: LLVM, docs/LibFuzzer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace sctr::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// Ends the run with the input kept when a promise does not hold.
inline void check(bool holds, const char* promise) {
    if (!holds) {
        std::fprintf(stderr, "does not hold: %s\n", promise);
        std::abort();
    }
}

/// Lets nothing but our own Error pass: whatever else is thrown ends the run.
template <typename Act> bool accepts(Act act) {
    try {
        act();
        return true;
    } catch (const Error&) {
        return false;
    }
}

} // namespace sctr::fuzz
