// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "plan/own_ids.hpp"

namespace sctr::cli {

/// What a container was made from, whether it is stored, runs, or has ended and is not removed.
struct MadeFrom {
    std::string image_digest; ///< of the manifest; empty: a directory
    std::string rootfs;       ///< its root on the host
    std::string lower;        ///< the directory below it, of --rootfs DIR:O
    /// Whom the container calls the caller, where that is not its root: owners on disk are by that.
    std::optional<plan::KeptIds> kept;
};

/// Throws Error where there is no such container.
MadeFrom made_from(const std::string& name);

} // namespace sctr::cli
