// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace sctr::sys {

/// What a program prints on stdout. It is looked up in PATH and gets this process's stderr. Throws
/// Error when it cannot be executed or ends with another status than 0.
std::string output_of(const std::vector<std::string>& command);

} // namespace sctr::sys
