// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/store.hpp"

namespace sctr::storage {

/// Removes names of an image and, if it has no others, the image. The caller holds the store's
/// lock, exclusive. Throws Error when a container runs on it, or `check` does, which is called when
/// nobody can begin to use it any more; nothing is removed then.
void remove_image(const Store& store,
                  const std::string& digest,
                  const std::vector<std::string>& names,
                  const std::function<void()>& check);

/// What a sweep has removed, for people.
struct Swept {
    std::int64_t bytes = 0; ///< as storage/sizes.hpp counts
};

/// Removes what no image refers to, what killed writers left, and roots of containers that are
/// gone: `is_kept` is asked for each that no container has locked. The caller holds the store's
/// lock, exclusive.
Swept sweep_store(const Store& store,
                  const std::function<bool(const std::string& container)>& is_kept);

} // namespace sctr::storage
