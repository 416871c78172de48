// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "storage/helper.hpp"
#include "storage/store.hpp"

namespace sctr::storage {

/// What a new image says otherwise than the one below it.
struct CommitOptions {
    std::string author;
    std::string comment;
    std::vector<std::string> cmd;        ///< empty: as below
    std::vector<std::string> entrypoint; ///< empty: as below
    std::vector<std::string> env;        ///< added
    std::string user;
    std::string working_dir;
    std::vector<std::string> changes; ///< lines for oci::change_config, which come after these
};

/// Makes an image of what a container has written above its own; returns its digest. `pack` packs
/// that. The caller holds the store's lock, shared, until the image has its name: without one
/// `system prune` takes it. Throws Error.
std::string commit(const Store& store,
                   const oci::StoredImage& base,
                   const LayerWork& pack,
                   const CommitOptions& options);

/// The same of a container that has no image: one of all its files, which `pack` packs.
std::string commit_whole(const Store& store, const LayerWork& pack, const CommitOptions& options);

} // namespace sctr::storage
