// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>

#include "storage/store.hpp"

/// How large things are, in bytes, for people.
namespace sctr::storage {

/// Of the archive that a layer was unpacked from, not compressed: the same however it came. Of a
/// layer that an earlier sctr has unpacked: of its files.
std::int64_t layer_size(const Store& store, const std::string& chain_id);

/// Of all its layers, as podman counts.
std::int64_t image_size(const Store& store, const oci::StoredImage& image);

/// Of the files of a tree, of what this caller may look at.
std::int64_t tree_size(const std::string& path);

} // namespace sctr::storage
