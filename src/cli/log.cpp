// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/log.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "base/strings.hpp"
#include "cli/values.hpp"

namespace sctr::cli {
namespace {

constexpr std::array<std::string_view, 4> names = {"error", "warn", "info", "debug"};

LogLevel current = LogLevel::warn;

} // namespace

void set_log_level(std::string_view name) {
    const auto* const found = std::ranges::find(names, name);
    if (found == names.end()) {
        throw bad_value("--log-level", name, "", "error, warn, info or debug");
    }
    current = static_cast<LogLevel>(found - names.begin());
}

void log(LogLevel level, std::string_view text) {
    if (level > current) {
        return;
    }
    std::string line = "sctr: ";
    if (level != LogLevel::error) {
        line += std::string(names.at(static_cast<std::size_t>(level))) + ": ";
    }
    line += escape_controls(text) + '\n';
    std::fwrite(line.data(), 1, line.size(), stderr); // one write: others may print there too
}

} // namespace sctr::cli
