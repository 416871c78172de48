// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "storage/meaning.hpp"

namespace sctr::storage {

struct PackOptions {
    Meaning meaning = Meaning::layer;
    std::string as; ///< name of the root in the archive; empty: "./"
    /// What errors say that failed, and what they call the root.
    std::string what = "cannot pack";
    std::string shown = "/";
};

/// Writes an archive of a directory to `output`, sorted by name, so that the same tree gives the
/// same archive. As a layer: whiteouts and opaque directories of overlayfs become those of images,
/// and what is mounted below is left out. As a tree: all of it as it is. Throws Error; the
/// archive has no end mark then.
/// Source: image-spec, layer.md.
void pack_tree(const std::string& directory, int output, const PackOptions& options);

/// The same of whatever `name` in the open directory is; a symbolic link stays one.
void pack_node(int directory, const std::string& name, int output, const PackOptions& options);

} // namespace sctr::storage
