// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace sctr::network {

/// Programs of others that do the work; empty where they are not installed.
struct Programs {
    std::string netavark;
    std::string aardvark; ///< without it containers do not find each other by name
    std::string nft;      ///< netavark calls it
    std::string pasta;
};

Programs find_programs();

/// What is missing for bridge networks ("netavark, nftables"); empty: nothing.
std::string missing_for_bridges(const Programs& programs);

} // namespace sctr::network
