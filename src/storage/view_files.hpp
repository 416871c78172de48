// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "storage/view.hpp"

/// What sctr-layer writes to a container's files of its own accord.
namespace sctr::storage {

/// Appends lines to files of the root that are there, or could be: their directory is. Throws
/// Error.
void add_lines(const std::vector<std::pair<std::string, std::string>>& lines,
               const View& view,
               bool rootless);

/// Fills an empty directory with what layers have at a path, whose looks it gets, too. Where that
/// is no directory it stays as it is.
void fill(const std::string& directory,
          const std::string& path,
          const std::vector<std::string>& layers,
          bool rootless);

} // namespace sctr::storage
