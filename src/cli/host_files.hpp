// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/unique_fd.hpp"

/// Files that a command line names, or that a root has which is not trusted.
namespace sctr::cli {

/// Reads a file that the caller names, a pipe or /dev/stdin included. Throws Error at `flag`.
std::string read_host_file(const std::string& path, const std::string& flag);

/// Throws Error.
UniqueFd open_root(const std::string& path);

/// Reads a file below a root that is not trusted: links cannot lead out of it, and a pipe or a
/// device in its place is not opened for reading. Empty when there is no such file. Throws Error.
std::string read_in_root(const UniqueFd& root, const char* path);

} // namespace sctr::cli
