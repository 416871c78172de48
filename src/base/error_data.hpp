// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

/// Errors on their way from one process to another.
namespace sctr {

/// The text of an error as people read it, and its parts, each after a NUL.
std::string error_data(const Error& error);

/// The error that the last of `bytes` is; nothing where that is no error_data().
std::optional<Error> error_from_data(std::string_view bytes);

} // namespace sctr
