// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.hpp"

/// Values of flags: reading them, and one wording for what is wrong with them.
namespace sctr::cli {

/// The error for a value that a flag does not take: `form` says what it does take.
Error bad_value(std::string_view flag,
                std::string_view value,
                std::string_view why,
                std::string_view form);

/// A whole number in [low, high]. Throws Error that names the range.
std::int64_t
parse_in_range(std::string_view flag, std::string_view value, std::int64_t low, std::int64_t high);

/// A size in bytes ("512m", "1.5g"), positive. Throws Error that names `form`.
std::int64_t parse_bytes(std::string_view flag, std::string_view value, std::string_view form);

/// A "true", "false", "1", "0", "yes", "no". Throws Error.
bool parse_bool(std::string_view flag, std::string_view value);

/// The path without "." parts, doubled and trailing slashes, relative ones taken from `base`.
/// ".." is kept: what it means is the kernel's to say.
std::string absolute_path(std::string_view path, std::string_view base);

/// The absolute path of a place in the container, normalised; ".." goes up and stops at the root.
/// Throws Error when it is not absolute.
std::string container_path(std::string_view flag, std::string_view path);

} // namespace sctr::cli
