// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "storage/store.hpp"

namespace sctr::cli {

/// sctr system df: how many images, containers and volumes there are, what they take, and how much
/// of that would come free if all went that no container needs.
void show_disk_use(const storage::Store& store, bool json);

} // namespace sctr::cli
