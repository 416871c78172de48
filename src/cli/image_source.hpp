// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "cli/run_flags.hpp"
#include "storage/store.hpp"

namespace sctr::cli {

/// The image that a command line names; it is pulled where --pull says so. Nothing when it names a
/// directory. Throws Error when there is none.
std::optional<storage::ImageUse> open_image(const RunFlags& flags);

/// Of a stored container: what its name meant when it was made. Nothing where `digest` is empty.
std::optional<storage::ImageUse> open_pinned_image(const std::string& name,
                                                   const std::string& digest);

} // namespace sctr::cli
