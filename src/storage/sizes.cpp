// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storage/sizes.hpp"

#include <filesystem>

#include "base/strings.hpp"
#include "linux/procfs.hpp"

namespace sctr::storage {

namespace fs = std::filesystem;

std::int64_t tree_size(const std::string& path) {
    std::int64_t bytes = 0;
    std::error_code failure;
    fs::recursive_directory_iterator entry(
        path, fs::directory_options::skip_permission_denied, failure);
    for (; !failure && entry != fs::recursive_directory_iterator(); entry.increment(failure)) {
        std::error_code none;
        if (entry->is_regular_file(none) && !entry->is_symlink(none)) {
            bytes += static_cast<std::int64_t>(entry->file_size(none));
        }
    }
    return bytes;
}

std::int64_t layer_size(const Store& store, const std::string& chain_id) {
    const auto text = sys::read_small_file(store.layer(chain_id) + "/size");
    const auto size = parse_uint(text.value_or(""));
    return size ? static_cast<std::int64_t>(*size) : tree_size(store.layer_tree(chain_id));
}

std::int64_t image_size(const Store& store, const oci::StoredImage& image) {
    std::int64_t size = 0;
    for (const std::string& chain_id : image.layers) {
        size += layer_size(store, chain_id);
    }
    return size;
}

} // namespace sctr::storage
