// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace sctr::sys {

/// Gives a file, or a directory with everything below it, a SELinux label. Symbolic links get it
/// themselves and are not followed; file systems without labels are passed over. Directories that
/// the host lives in ("/", /usr, /home, ...) are refused. Throws Error.
void relabel_tree(const std::string& path, const std::string& label);

} // namespace sctr::sys
