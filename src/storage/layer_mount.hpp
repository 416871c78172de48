// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace sctr::storage {

struct LayerMount {
    std::vector<std::string> layers; ///< the uppermost first
    std::string upper;               ///< empty: read-only
    std::string work;
    bool attached = false;    ///< so that other mounts can be put into it
    bool user_xattrs = false; ///< opaque directories are marked as a plain user can
};

/// Gives this process a mount namespace of its own, once. Throws Error.
void enter_own_mounts();

/// Puts a mount on the root of this mount namespace, which must be our own: nobody looks it up
/// there, but it is one that all calls can resolve names in. Throws Error.
void attach_tree(int tree);

/// Puts a copy of a directory of another mount namespace, with all that is mounted in it, into our
/// own, so that what confines us bounds it: the other's own mounts nobody here can close. Both are
/// fds. Takes CAP_SYS_ADMIN over the user namespaces of both, Throws Error.
UniqueFd attach_copy(int directory, int mount_namespace);

/// Mounts layers as one tree (nodev, nosuid, noexec), in a mount namespace of this process's own:
/// it is gone with the process, however that ends. A single layer is opened as it is. Throws Error.
UniqueFd mount_layers(const LayerMount& mount);

} // namespace sctr::storage
