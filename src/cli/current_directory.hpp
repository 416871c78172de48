// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>

namespace sctr::cli {

/// Where relative paths of the caller's begin; where that directory is gone, a path below which
/// nothing is found.
inline std::string current_directory() {
    std::error_code failure;
    const std::string path = std::filesystem::current_path(failure);
    return failure ? "/proc/self/cwd" : path;
}

} // namespace sctr::cli
