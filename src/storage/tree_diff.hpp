// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace sctr::storage {

/// What an upper directory of overlayfs changes of the lower ones (the uppermost first): "A /new",
/// "C /changed", "D /gone", sorted by path; without the empty /dev, /proc and /sys that a start
/// makes where an image has none. Throws Error.
std::vector<std::string> changes_of(const std::string& upper,
                                    const std::vector<std::string>& lower);

} // namespace sctr::storage
