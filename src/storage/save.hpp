// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "storage/store.hpp"

namespace sctr::storage {

/// An image, and the names that it is to have where it is saved.
struct SavedImage {
    std::string digest;
    std::vector<std::string> names;
};

enum class SavedAs {
    oci_layout, ///< image-spec, image-layout.md
    docker,     ///< what `docker save` archives
};

/// Writes images to a directory that is not there yet; the caller has the store's lock, shared.
/// An archive of that directory is what load() takes. Layers that several have are there once.
/// Throws Error.
void save(const Store& store,
          const std::vector<SavedImage>& images,
          SavedAs form,
          const std::string& directory);

} // namespace sctr::storage
