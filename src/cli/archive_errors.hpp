// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"

/// What people read of archives that they name: the program that unpacks knows of layers and of
/// files in the store alone.
namespace sctr::cli {

/// The same failure with `what` that they wanted and the archive's name as they typed it, `place`;
/// `path` is where it was read, if that is another.
Error about_archive(const char* what,
                    const std::string& place,
                    const Error& failure,
                    const std::string& path = "");

} // namespace sctr::cli
