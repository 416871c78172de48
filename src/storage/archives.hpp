// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

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

enum class ArchiveFormat { oci_archive, docker_archive, oci_layout };

/// Writes an image, under the name that it is to have there, to a path that is not there yet.
void save(const Store& store,
          const std::string& digest,
          const std::string& name,
          ArchiveFormat format,
          const std::string& path);

/// Makes an image of one layer from a root file system, an archive or a directory; returns its
/// digest.
/// `process` is what the image says of its containers.
std::string import_archive(const Store& store,
                           const std::string& path,
                           const oci::ImageProcess& process,
                           const std::string& comment);

// Shared by whoever makes images. -----------------------------------------------------------------

struct LayerDigests {
    std::string blob;
    std::string diff; ///< of the decompressed archive
};

LayerDigests digests_of(const std::string& archive);

/// Puts a text among the blobs; returns its digest.
std::string put_blob(const Store& store, const std::string& text);

/// Moves a file among the blobs.
void take_blob(const Store& store, const std::string& path, const std::string& hex);

/// The time as images have it, RFC 3339.
std::string now_text();

} // namespace sctr::storage
