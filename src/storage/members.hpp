// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sctr::storage {

/// The texts of those of `names` that an archive has, as far as they are files of 16 MiB at most.
/// Throws Error when it is no archive.
std::map<std::string, std::string> read_members(const std::string& archive,
                                                const std::vector<std::string>& names);

/// Unpacks an archive that is an OCI layout into a directory that is there: index, blobs, and
/// nothing else, of that many bytes at most. Throws Error.
void extract_layout(const std::string& archive,
                    const std::string& directory,
                    std::uint64_t most_bytes);

} // namespace sctr::storage
