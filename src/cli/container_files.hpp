// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "plan/request.hpp"
#include "storage/root.hpp"

namespace sctr::cli {

/// What a container has on disk besides its image, locked: its root, unless that is a directory as
/// it is, and its volumes.
class ContainerFiles {
  public:
    /// Makes what is missing, and gives it the owners and labels that were asked for. `keep`: it
    /// outlives the container. Throws Error; what was made is gone then, unless it is to be kept.
    ContainerFiles(const plan::Request& request, bool keep);

    /// Removes the root and the anonymous volumes. What fails is a warning: the container has
    /// ended.
    void remove();

  private:
    std::string volume_owner_;
    std::optional<storage::ContainerRoot> root_;
    std::vector<UniqueFd> volumes_;
};

} // namespace sctr::cli
