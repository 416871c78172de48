// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <utility>

#include "storage/layer_member.hpp"

/// What a layer's tree and that of a copy do alike.
namespace sctr::storage {

/// Throws Error about a member's path, with errno.
[[noreturn]] void fail_at(const std::string& path);
/// The same in words.
[[noreturn]] void refuse_at(const std::string& path, const std::string& why);

/// The directory and the name.
std::pair<std::string, std::string> split_path(const std::string& path);

/// What an open directory is called below the root that the kernel names `root_name`, without links
/// on the way; "" for the root. Throws Error.
std::string place_below(const std::string& root_name, int directory);
/// What the kernel names a root; "" for "/". Throws Error.
std::string name_of_root(int root);

/// Gives a file that is open (O_PATH will do) the owner, mode, xattrs and time of a member; `type`
/// is what it must be. Throws Error.
void give_looks(int node, const LayerMember& member, mode_t type, bool rootless);

/// The same of what has a name. By fd: a container that runs could put a link to a file of the
/// host's in its place. Throws Error.
void give_looks_at(
    int directory, const std::string& name, const LayerMember& member, mode_t type, bool rootless);

/// Throws Error.
void give_xattrs(int file, const LayerMember& member, bool rootless);

} // namespace sctr::storage
