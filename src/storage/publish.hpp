// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/error.hpp"
#include "storage/store.hpp"

namespace sctr::storage {

/// A blob is not what its name says, as after a power cut. It is gone now, and can be fetched anew.
class DamagedBlob : public Error {
  public:
    using Error::Error;
};

/// Makes an image of the store from a manifest whose blobs are among the store's, unproven: checks
/// them, unpacks the layers that are missing, and writes all of it to disk. The caller holds the
/// store's lock, shared. Returns the digest of the manifest. Throws Error; no image is there then,
/// and blobs that are wrong are gone.
std::string publish_image(const Store& store, const std::string& manifest);

/// The SHA-256 of a file. Throws Error when it cannot be read.
std::string sha256_of_file(const std::string& path);

} // namespace sctr::storage
