// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

/// What the people's command line says beside its results: on stderr, as far as --log-level asks.
namespace sctr::cli {

enum class LogLevel { error, warn, info, debug };

/// Sets the level by its name. Throws Error.
void set_log_level(std::string_view name);

/// Prints "sctr: TEXT" (with the level's name, unless it is an error).
void log(LogLevel level, std::string_view text);

} // namespace sctr::cli
