// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace sctr::storage {

enum class Compression { none, gzip };

/// Writes an archive of a directory, with what is mounted below it left out, to `output`. As a
/// layer: whiteouts and opaque directories of overlayfs become those of images. Sorted by name, so
/// that the same tree gives the same archive. Throws Error.
/// Source: image-spec, layer.md.
void pack_tree(const std::string& directory, int output, Compression compression);

} // namespace sctr::storage
