// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace sctr::sys {

enum class Durability {
    memory, ///< survives the process
    disk,   ///< survives a power cut, too
};

/// Makes `path` hold `text`, with the old text there or the new one whatever happens: written
/// beside and renamed. Throws Error that begins with `what`.
void replace_file(const std::string& path,
                  const std::string& text,
                  unsigned mode,
                  Durability durability,
                  const char* what);

/// Makes a directory that may be there, with exactly that mode, whatever the umask; what is missing
/// above it is made as the umask says. Throws Error that begins with `what`.
void make_own_directory(const std::string& path, unsigned mode, const char* what);

/// Writes the names in a directory to disk.
void sync_directory(const std::string& path);

} // namespace sctr::sys
