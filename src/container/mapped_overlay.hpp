// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/unique_fd.hpp"
#include "container/scratch_mount.hpp"
#include "plan/init_plan.hpp"

namespace sctr::container {

/// Shows the files of a tree as a user namespace's, which has the id that is 0 on disk as its root.
/// Throws Error that names `where`.
void map_ids(int mount, int user_namespace, bool recursive, const std::string& where);

/// An overlay for a container with a user namespace of its own: every directory of it, the upper
/// one too, is an id-mapped mount. So on disk the owners are the container's ids, as in the layers
/// of any image: what is written needs no translation to be committed, and fits whatever ids of the
/// host the next start has.
///
/// Source: mount_setattr(2), ID-mapped mounts; overlayfs takes such layers since Linux 5.19.
class MappedOverlay {
  public:
    /// Clones the directories, in the host's mount namespace: in a user namespace's the kernel
    /// would refuse those that have other mounts below. Throws Error.
    MappedOverlay(const plan::OverlayStep& overlay, int user_namespace);

    /// Mounts it, detached. `uid` and `gid` are whom the host knows the container's root by.
    /// Throws Error.
    [[nodiscard]] UniqueFd mount(ScratchMount& scratch, uid_t uid, gid_t gid) const;

  private:
    const plan::OverlayStep& overlay_;
    std::vector<UniqueFd> lower_;
    UniqueFd writable_; ///< the directory of upper and work, which must be on one mount; or none
};

} // namespace sctr::container
