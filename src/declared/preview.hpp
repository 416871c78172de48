// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace sctr::declared {

/// Prints the units that `files`, or where there are none all files of `directories`, become, and
/// on stderr what is wrong with them. False when something is.
bool preview(const std::vector<std::string>& directories,
             const std::vector<std::string>& files,
             const std::string& sctr);

} // namespace sctr::declared
