// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "oci/reference.hpp"

namespace sctr::storage {

/// What the configuration of containers' tools says of names without a registry.
struct ShortNames {
    std::vector<std::string> registries;        ///< unqualified-search-registries, in their order
    std::map<std::string, std::string> aliases; ///< path to the repository that is meant
};

/// Adds what a text of registries.conf(5) says; later texts win. Of TOML it knows what these two
/// settings take; the rest is read by skopeo.
void read_registries_conf(std::string_view text, ShortNames& names);

/// The full names that a short one may mean, in the order in which they are tried; docker.io when
/// nothing is configured.
std::vector<std::string> expand_short_name(const oci::Reference& reference,
                                           const ShortNames& names);

/// The same by the files of this host and user.
std::vector<std::string> names_in_registries(const oci::Reference& reference);

} // namespace sctr::storage
