// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "storage/helper.hpp"
#include "storage/skopeo.hpp"
#include "storage/store.hpp"

namespace sctr::storage {

/// An image that was made known.
struct Loaded {
    std::string digest;
    std::vector<std::string> names;
};

/// Takes every image of an OCI archive or layout, or of an archive as docker saves them. Throws
/// Error when the file is neither.
std::vector<Loaded>
load(const Store& store, const std::string& path, const TransferOptions& options);

/// What an image of one layer says of its containers and of itself.
struct NewImage {
    oci::ImageProcess process;
    std::string created_by;
    std::string author;
    std::string comment;
    std::vector<std::string> changes; ///< lines for oci::change_config
};

/// Makes an image of an archive of a root file system, or of a directory with one; returns its
/// digest. Throws Error.
std::string import_root(const Store& store, const std::string& path, const NewImage& about);

// Shared by whoever makes images. -----------------------------------------------------------------

struct LayerDigests {
    std::string blob;
    std::string diff; ///< of the decompressed archive
};

LayerDigests digests_of(const std::string& archive);

/// Writes what sctr-layer prints to a new file. Throws Error.
void write_archive(const LayerWork& work, const std::string& path);

/// Makes an image of one layer, whose archive becomes a blob; returns its digest. The caller has
/// the store's lock. Throws Error.
std::string make_image(const Store& store, const std::string& archive, const NewImage& about);

/// Puts a text among the blobs; returns its digest.
std::string put_blob(const Store& store, const std::string& text);

/// Moves a file among the blobs.
void take_blob(const Store& store, const std::string& path, const std::string& hex);

/// The time as images have it, RFC 3339.
std::string now_text();

} // namespace sctr::storage
