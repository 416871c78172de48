// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/unique_fd.hpp"

/// Paths of the container, resolved as if its root were already "/". The rootfs may be hostile:
/// every look-up goes through openat2(RESOLVE_IN_ROOT) and gives an fd, and what is done next is
/// done to that fd, so that a symlink or a race cannot lead outside.
namespace sctr::init {

enum class Symlinks { follow, refuse };

/// Opens `path` below `root` with O_PATH; an invalid fd and errno when that fails.
UniqueFd
open_path(int root, const std::string& path, Symlinks symlinks = Symlinks::follow) noexcept;

/// As open_path of a symlink itself; an invalid fd where there is none.
UniqueFd open_symlink(int root, const std::string& path) noexcept;

/// As open_path, and makes the missing directories (mode 0755), those that a followed symlink
/// leads to as well.
UniqueFd
make_directory(int root, const std::string& path, Symlinks symlinks = Symlinks::follow) noexcept;

/// As open_path, and makes an empty file and its missing parents, to mount a file on.
UniqueFd
make_file(int root, const std::string& path, Symlinks symlinks = Symlinks::follow) noexcept;

/// The part before the last slash ("/" for a path at the top) and the name after it.
std::string parent_of(const std::string& path);
std::string name_of(const std::string& path);

} // namespace sctr::init
