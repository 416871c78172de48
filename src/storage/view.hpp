// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace sctr::storage {

/// Whose files: "host"; "fd", an open root as fd 3 and, if there is one, its user namespace as
/// fd 4; "layers" and directories, the uppermost first; "writable" and an upper and a work
/// directory before these. Before all that may stand what is mounted in it: "mount", the source on
/// the host, the place, and "ro" or "rw".
using View = std::vector<std::string>;

/// What is to be done with a container's files.
struct ViewWish {
    std::string path;
    std::string shown;     ///< what errors call it
    bool can_make = false; ///< what a start makes may be made
};

/// Whether the container has a user namespace of its own, which open_view_root() joins.
bool has_user_namespace(const View& view);

/// Throws Error.
UniqueFd open_view_root(const View& view, const ViewWish& wish, bool rootless);

} // namespace sctr::storage
