// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

namespace sctr::storage {

/// What the names in an archive stand for.
enum class Meaning {
    layer, ///< of an image: ".wh." names are whiteouts
    tree,  ///< files and nothing else
};

} // namespace sctr::storage
