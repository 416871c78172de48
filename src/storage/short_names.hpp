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

/// Adds what a text of containers-registries.conf(5) says; later texts win. `path` is where it is
/// from. Throws Error with file and line for what is no TOML, or has other types than that says.
void read_registries_conf(std::string_view text, const std::string& path, ShortNames& names);

/// The full names that a short one may mean, in the order in which they are tried; docker.io when
/// nothing is configured.
std::vector<std::string> expand_short_name(const oci::Reference& reference,
                                           const ShortNames& names);

/// Where the configuration of registries may be.
struct RegistriesPlaces {
    std::string chosen;     ///< $CONTAINERS_REGISTRIES_CONF; empty: not set
    std::string home;       ///< of this user
    std::string cache_home; ///< $XDG_CACHE_HOME; empty: not set
    bool is_root = false;
};

/// A file, or a directory of files, of the configuration.
struct RegistriesPlace {
    std::string path;
    bool is_directory = false;
    bool is_required = false;      ///< it is an error where it is not there
    bool has_aliases_only = false; ///< nothing else counts that it says

    bool operator==(const RegistriesPlace&) const = default;
};

/// What is read, in this order, each as far as it is there. A user's own file takes the place of
/// the host's and of its directory, root's as well. The cache is where podman writes what people
/// chose. Source: containers-registries.conf(5), containers-registries.conf.d(5), podman(1).
std::vector<RegistriesPlace> registries_places(const RegistriesPlaces& where, bool has_own_file);

/// The same by the files of this host and user.
std::vector<std::string> names_in_registries(const oci::Reference& reference);

/// $CONTAINERS_REGISTRIES_CONF; empty: not set.
std::string chosen_registries_conf();

} // namespace sctr::storage
