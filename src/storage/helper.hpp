// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace sctr::storage {

/// Runs sctr-layer, where files have the owners that containers see: as root, or in a user
/// namespace with this caller's ids. Returns what it prints, unless that goes to `output`. Throws
/// the Error that it tells of.
std::string
run_layer_program(const std::vector<std::string>& words, const std::string& input, int output = -1);

/// Removes trees whose files may belong to subordinate ids. Throws Error.
void remove_trees(const std::vector<std::string>& paths);

/// Whether layers and roots are those of a plain user, in whose user namespace they are mounted.
bool is_rootless();

} // namespace sctr::storage
