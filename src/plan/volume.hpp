// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>

namespace sctr::plan {

/// A volume that a container mounts.
struct VolumeUse {
    std::string name;
    std::string destination; ///< in the container
    std::string owner;       ///< of an anonymous one: names the container that it belongs to
    bool copy_up = true;     ///< one that is new begins with what the image has there
};

/// A tree of the host to give to a user before the start (-v SOURCE:TARGET:U).
struct Chown {
    std::string path;
    std::uint32_t uid = 0; ///< of the host; for a plain user: in his user namespace
    std::uint32_t gid = 0;
};

/// Throws Error unless the text can be a volume's name: docker's and podman's rules.
void check_volume_name(const std::string& name);

/// Where a volume's content is below the directory of all volumes.
std::string volume_data(const std::string& volumes, const std::string& name);

/// The name of the anonymous volume that a container has at a place.
std::string anonymous_volume(const std::string& owner, const std::string& destination);

} // namespace sctr::plan
