// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/store.hpp"

/// What the verbs of images share.
namespace sctr::cli {

/// As much of an id is shown, as by docker and podman.
inline constexpr std::size_t short_id = 12;

/// Throws Error when there is no such image.
storage::ImageUse require_image(const storage::Store& store, const std::string& name);

/// Every name of an image, sorted.
std::vector<std::string> names_of(const storage::Store& store, const std::string& digest);

/// Whether a container's root is to be kept: it is stored, or has a record.
bool keeps_root(const std::string& name);

/// Containers that an image may not go from under.
struct ImageUsers {
    std::vector<std::string> running;
    std::vector<std::string> stored; ///< which start from it again; they may be running, too
};

/// Who uses the image as his root. Whoever only mounts it is not among them; the store's own locks
/// know of him.
ImageUsers users_of_image(const std::string& digest);

/// Throws Error that names the containers which run on the image, or else are made from it.
void refuse_if_used(const std::string& digest);

/// The lock of whoever removes things from the store. A word is said where it must be waited for.
UniqueFd lock_to_remove(const storage::Store& store);

/// A name that people give to an image here: localhost's where they name no registry.
std::string local_name(const std::string& text);

/// "5.3 MB", in powers of ten as docker and podman show images.
std::string size_text(std::int64_t bytes);

} // namespace sctr::cli
