// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace sctr::storage {

/// What a layer may become at most, so that a small archive cannot fill a disk.
struct LayerBounds {
    std::uint64_t members = 4'000'000;
    std::uint64_t bytes = 0; ///< of content, holes not counted
};

struct LayerSource {
    std::string blob;        ///< path of the archive, or of the link that stands for it
    std::string digest;      ///< SHA-256 of the blob; empty: not checked
    std::string diff_digest; ///< SHA-256 of the decompressed stream; empty: not checked
    std::string recipe;      ///< where to write the recipe; empty: nowhere
};

struct UnpackedLayer {
    std::set<std::string> implied; ///< see LayerTree::implied()
    std::set<std::string> opaque;  ///< see LayerTree::opaque()
    std::uint64_t bytes = 0;       ///< of content
    std::uint64_t archive = 0;     ///< bytes of the archive, not compressed
};

/// Reads a layer and checks its digests. Throws Error.
void verify_layer(const LayerSource& source);

/// Unpacks a layer into a directory that is there and empty. Throws Error when the archive is
/// damaged, hostile, above the bounds or not that of the digests; the directory is the caller's to
/// remove then. The recipe is there afterwards if it gives the archive again and takes no more disk
/// than the blob.
UnpackedLayer unpack_layer(const LayerSource& source,
                           const std::string& directory,
                           const LayerBounds& bounds,
                           bool rootless);

/// Reads a layer's archive, a blob or made again from a recipe, and compares it with what it was
/// unpacked to: the content of files that a recipe names, and what everything looks like. Throws
/// Error that names the first file which is not as it was.
void check_layer(const std::string& archive,
                 const std::string& diff_digest,
                 const std::string& tree,
                 bool rootless);

} // namespace sctr::storage
