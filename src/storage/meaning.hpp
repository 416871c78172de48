// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

namespace sctr::storage {

/// What the names in an archive stand for.
enum class Meaning {
    layer, ///< of an image: ".wh." names are whiteouts
    tree,  ///< files and nothing else
};

/// Of names that hide what a lower layer has. Source: image-spec, layer.md, Whiteouts.
inline constexpr std::string_view whiteout_prefix = ".wh.";

} // namespace sctr::storage
