// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "storage/store.hpp"

namespace sctr::cli {

struct ImageRemovalOptions {
    bool whole = false;           ///< it goes, whatever else it is called; its names are told
    bool every_name = false;      ///< where it is named by its id, all its names go
    bool with_containers = false; ///< stored ones that do not run go with it
};

/// Removes a name of an image, or the image where it has no other. Throws Error where a container
/// runs on it or is made from it.
void remove_named_image(const storage::Store& store,
                        const std::string& text,
                        const ImageRemovalOptions& how);

/// --rmi, after a container has gone: the same, unless another container uses the image or somebody
/// else has removed it. What cannot be done is a warning: the command's exit status is known.
void remove_image_after_run(const std::string& text);

} // namespace sctr::cli
