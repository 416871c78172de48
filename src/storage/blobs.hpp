// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "storage/store.hpp"

/// The blobs of layers, which recipes stand for where layers are unpacked: docs/storage.md.
namespace sctr::storage {

/// A blob is not what its name says, as after a power cut. It is gone now, and can be fetched anew.
class DamagedBlob : public Error {
  public:
    using Error::Error;
};

/// What stands for a blob: the layer that it was unpacked to.
struct BlobLink {
    std::string chain_id;
    std::string diff; ///< digest of the decompressed blob
};

/// Nothing for a blob that is there itself, or not there at all.
std::optional<BlobLink> link_of_blob(const Store& store, const std::string& hex);

/// By what is there in a layer; nothing for one whose blobs are kept.
std::optional<BlobLink> recipe_of_layer(const Store& store, const std::string& chain_id);

/// One layer of an image.
struct LayerBlob {
    std::string blob; ///< digest
    std::string chain_id;
};

/// Those of an image that is here, the lowest first. Throws Error when its manifest cannot be read.
std::vector<LayerBlob> layer_blobs(const Store& store, const oci::StoredImage& image);

/// Makes links of an image's blobs lead to its own layers where they lead to others than `kept`.
/// What has no recipe of its own is added to `kept`. Returns whether there is something to be
/// synced. Throws Error.
bool lead_to_own_layers(const Store& store,
                        const oci::StoredImage& image,
                        std::set<std::string>& kept);

/// Puts a link in the place of a blob. Not on disk yet: `blobs/sha256` is to be synced.
void replace_blob(const Store& store, const std::string& hex, const BlobLink& link);

/// Throws Error when the blob is neither there nor stood for, DamagedBlob when it is not what its
/// name says. What stands for one is not read.
void require_blob(const Store& store, const std::string& hex);

/// The SHA-256 of a blob that is there itself; nothing where a link stands for it, or it is not
/// there. Whoever loads the same image may put the one in the place of the other meanwhile. Throws
/// Error when it cannot be read.
std::optional<std::string> sha256_of_blob(const Store& store, const std::string& hex);

} // namespace sctr::storage
