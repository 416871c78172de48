// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace sctr::storage {

/// A small file as an overlay of these layers (the uppermost first) shows it, without mounting one;
/// empty when there is none, or something else than a file. `path` is relative; symbolic links are
/// followed within their layer alone.
std::string read_layered(const std::vector<std::string>& layers, const std::string& path);

} // namespace sctr::storage
