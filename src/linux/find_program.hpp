// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace sctr::sys {

/// The path of a program in $PATH, or where the administrator's are: engines call with a PATH that
/// need not name these. Empty where there is none.
std::string find_program(const std::string& name);

} // namespace sctr::sys
