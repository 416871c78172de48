// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "declared/unit_file.hpp"

/// The keys of [Container], as Podman's Quadlet has them, and the words of `sctr run` that each
/// becomes. Pure. Source: podman-systemd.unit(5).
namespace sctr::declared {

/// How the value of a key becomes words.
enum class Kind {
    text,      ///< FLAG + value; the last assignment counts
    path,      ///< the same for a path, which may begin with "." for the file's directory
    flag,      ///< FLAG, if the value is true
    list,      ///< FLAG + value for each assignment; an empty one forgets those before it
    paths,     ///< the same for paths
    words,     ///< the same for each word of each value
    variables, ///< the same, and every word has a '='
    volume,    ///< a list of SOURCE:TARGET[:OPTIONS]
    device,    ///< a list; with '-' before it only if the host has it
    network,   ///< a list of what sctr has; the rest is refused
    arguments, ///< the words themselves, after all others
    notify,    ///< true, false or healthy
    elsewhere, ///< read by whoever makes the unit (service.hpp)
    missing,   ///< sctr has no such thing; FLAG says what to use
};

struct Key {
    std::string_view name;
    Kind kind;
    std::string_view flag;
};

/// A path that is named in a file at `place`, from where relative ones begin. A specifier may be
/// one.
std::string path_of(const std::string& value, const Place& place);

/// True for a path of the host; else the source of a volume is a volume's name.
bool is_host_path(const std::string& source);

/// The keys of [Container], in the order in which their flags are given.
std::span<const Key> container_keys();

/// The key of that name among those that are known; a null pointer when there is none.
const Key* find_key(std::span<const Key> known, std::string_view name);

/// The known key that is nearest to a mistyped one; empty when none is near.
std::string_view nearest_key(std::span<const Key> known, std::string_view name);

/// The flags of `sctr run` that the assignments of [Container] ask for; what they ask for in vain
/// is added to `problems`.
std::vector<std::string> flags_of(const std::vector<Entry>& container,
                                  std::vector<Problem>& problems);

/// The same of another section, whose keys are these.
std::vector<std::string> flags_of(const std::vector<Entry>& section,
                                  std::vector<Problem>& problems,
                                  std::span<const Key> known,
                                  std::string_view name);

/// What in [Container] names files of volumes, images and networks.
std::vector<const Entry*> resource_uses(const std::vector<Entry>& container);

/// The file of a volume in Volume=, of an image in Image=, of a network in Network=; empty where it
/// is something else.
std::string resource_file(const Entry& use);

/// The command with its arguments.
std::vector<std::string> command_of(const std::vector<Entry>& container,
                                    std::vector<Problem>& problems);

/// Directories and files of the host that the container has.
std::vector<std::string> host_paths(const std::vector<Entry>& container);

/// What counts of a key with one value; a null pointer where it is not set, or set to nothing.
const Entry* last_of(const std::vector<Entry>& entries, std::string_view key);

/// What counts of a key with many values: those after the last empty assignment.
std::vector<const Entry*> all_of(const std::vector<Entry>& entries, std::string_view key);

} // namespace sctr::declared
