// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plan/own_ids.hpp"
#include "storage/store.hpp"

/// Layers for containers of a plain user in which he is not root (--userns keep-id). The kernel
/// maps no ids of a mount for him: their files have the ids of such a container on disk, beside
/// those that all others of his have (docs/storage.md).
namespace sctr::storage {

/// What overlayfs takes as a lower directory there. It may not be there yet.
std::string
kept_layer_tree(const Store& store, const std::string& chain_id, const plan::KeptIds& ids);

/// Those for which a layer has been made so.
std::vector<plan::KeptIds> kept_copies(const Store& store, const std::string& chain_id);

/// The tree of a layer as such a container, or one that keeps no ids, must have it.
std::string layer_tree_for(const Store& store,
                           const std::string& chain_id,
                           const std::optional<plan::KeptIds>& ids);

/// Makes those of `trees` that kept_layer_tree() named and that are missing, one after the other;
/// `before_first` is called if there is one. On disk when this returns. Throws Error.
void make_kept_layers(const Store& store,
                      const std::vector<std::string>& trees,
                      const plan::KeptIds& ids,
                      const std::function<void()>& before_first);

} // namespace sctr::storage
