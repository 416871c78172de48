// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

/// sctr-layer's work on archives of layers. Each is read by a child that is confined to it.
namespace sctr::storage {

/// Unpacks the layers of an image, as standard input names them: five texts each, from the lowest
/// up, each ended by NUL: blob, its digest, that of its content, directory, recipe. Without a blob
/// a layer is unpacked already and nothing is to be done; without a recipe it is, and its blob is
/// to be verified. Prints passwd and group of the image. Throws Error.
void unpack_layers(bool rootless);

/// Unpacks one from standard input into a directory that is there and empty. Throws Error.
void unpack_from_input(const std::string& directory, bool rootless);

/// Compares layers with their archives: three texts each on standard input: recipe or blob, digest,
/// directory. Prints what is wrong, a line each.
void verify_layers(bool rootless);

/// From here on this process reads the archive or recipe that `source` is, and nothing else. Throws
/// Error.
void confine_to_reading(const std::string& source);

} // namespace sctr::storage
