// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace sctr::init {

/// Copies what the directory `from` holds into the directory `to`, with owners, modes, times and
/// extended attributes, and those of the directory itself. Symlinks are copied, not followed;
/// device nodes are left out where they cannot be made (in a user namespace).
void copy_up(int from, int to, const std::string& where) noexcept;

} // namespace sctr::init
