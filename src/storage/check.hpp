// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "storage/store.hpp"

namespace sctr::storage {

/// Looks for what contradicts the store's invariants: names without an image, images that cannot
/// be read or lack a layer, blobs that are missing or not what their names say, layers that do not
/// give their archives any more. With `repair` such names, images, blobs and layers are removed, so
/// that pulling or loading again brings them back, but for those on which a container runs; the
/// caller holds the store's lock, exclusive then. Returns one line for each finding.
std::vector<std::string> check_store(const Store& store, bool repair);

} // namespace sctr::storage
