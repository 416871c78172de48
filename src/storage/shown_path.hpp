// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace sctr::storage {

/// What is at `path` below what a user has typed, as he would have typed it.
inline std::string shown_path(const std::string& typed, const std::string& path) {
    if (path.empty()) {
        return typed;
    }
    std::string base = typed;
    while (base.ends_with('/') || base.ends_with("/.")) {
        base.pop_back();
    }
    return base + "/" + path;
}

} // namespace sctr::storage
