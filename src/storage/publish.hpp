// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "storage/store.hpp"

namespace sctr::storage {

/// Makes an image of the store from a manifest whose blobs are among the store's, unproven: checks
/// them, unpacks the layers that are missing, and writes all of it to disk; blobs that recipes
/// stand for then are gone. The caller holds the store's lock, shared. Returns the digest of the
/// manifest. Throws Error; no image is there then, and blobs that are wrong are gone.
std::string publish_image(const Store& store, const std::string& manifest);

} // namespace sctr::storage
