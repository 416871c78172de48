// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "declared/keys.hpp"
#include "declared/unit_file.hpp"

/// Files NAME.volume, NAME.image, NAME.build and NAME.network: what containers need to be there
/// before them, each a service that makes it and is then done. Pure. Source:
/// podman-systemd.unit(5).
namespace sctr::declared {

struct ResourceKind {
    std::string_view suffix;      ///< of the file
    std::string_view unit_suffix; ///< what takes its place in the unit's name
    std::string_view section;
    std::string_view name_key; ///< what it is called
};

/// What the file at a path declares; a null pointer for a container's.
const ResourceKind* resource_kind(std::string_view path);

/// "data-volume.service" of "/etc/sctr/data.volume", "web.service" of "web.container".
std::string unit_of(const std::string& path);

/// True for what unit_of makes another name of.
bool is_declared_file(std::string_view path);

/// True for what comes from elsewhere, and so has a name there.
bool is_fetched(const ResourceKind& kind);

/// "Volume data": for people.
std::string resource_description(const ResourceKind& kind, const std::string& name);

/// The volume, image or network that is made; empty where the file does not say.
std::string
resource_name(const ResourceKind& kind, const std::vector<Entry>& section, const std::string& path);

/// The words after `sctr` that make it. What is wrong is added to `problems`.
std::vector<std::string> resource_command(const ResourceKind& kind,
                                          const std::vector<Entry>& section,
                                          const std::string& path,
                                          std::vector<Problem>& problems);

/// Directories of the host that it needs.
std::vector<std::string> resource_paths(const ResourceKind& kind,
                                        const std::vector<Entry>& section,
                                        const std::string& path);

/// What the files of resources are about, by their names: {"data.volume", "data"}.
using Names = std::map<std::string, std::string>;

} // namespace sctr::declared
