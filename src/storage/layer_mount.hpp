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

/// Mounts layers as one tree, in a mount namespace of this process's own: it is gone with the
/// process, however that ends. A single layer is opened as it is. Throws Error.
UniqueFd mount_layers(const LayerMount& mount);

} // namespace sctr::storage
