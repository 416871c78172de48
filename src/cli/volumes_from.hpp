// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "cli/mount_flags.hpp"
#include "container/record_store.hpp"

namespace sctr::cli {

/// The directories and volumes of other containers, stored or running: NAME[:ro|rw] each. Throws
/// Error for one that there is not.
std::vector<CallersMount> mounts_of_others(const std::vector<std::string>& names,
                                           const container::RecordStore& records);

} // namespace sctr::cli
