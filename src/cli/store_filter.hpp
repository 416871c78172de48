// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "cli/filter.hpp"
#include "oci/image.hpp"
#include "storage/volumes.hpp"

/// What `--filter` of images and volumes asks for. Pure.
namespace sctr::cli {

struct ImageRow {
    const oci::StoredImage& image;
    std::vector<std::string> names;
};

struct VolumeRow {
    const storage::Volume& volume;
    bool is_mounted = false; ///< by a stored container
};

/// before and since are times there, as images have them: RFC 3339, UTC. Throws Error.
Filter<ImageRow> image_filter(const std::vector<std::string>& texts);
/// Throws Error.
Filter<VolumeRow> volume_filter(const std::vector<std::string>& texts);

/// Whether a pattern of the shell's fits a full name, with its tag or without, or the end of it
/// from some "/" on.
bool fits_reference(const std::string& full_name, const std::string& pattern);

} // namespace sctr::cli
