// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "oci/spec.hpp"

/// The three flags with which people ask for a mount, each read into the spec's own words.
/// `directory` is what relative sources start from.
namespace sctr::cli {

/// Whom a volume's SELinux label lets in: every container (z), or this one (Z).
enum class Sharing { none, all, one };

struct VolumeSource {
    std::string name; ///< empty: an anonymous one
    bool copy_up = true;
};

/// A mount that a flag asks for.
struct CallersMount {
    oci::Mount mount; ///< of a volume: without its source
    std::optional<VolumeSource> volume;
    std::string owner;                ///< of an anonymous volume that has got its name
    std::optional<std::string> image; ///< whose files it shows
    bool chown = false;               ///< the source is to belong to the container's user
};

/// -v [SOURCE:]TARGET[:OPTIONS], where SOURCE is a path or the name of a volume.
CallersMount parse_volume(const std::string& text, const std::string& directory);
Sharing volume_sharing(const std::string& text);

/// --mount type=bind|volume|image|tmpfs|devpts,... with docker's and podman's keys.
CallersMount parse_mount(const std::string& text, const std::string& directory);
Sharing mount_sharing(const std::string& text);

/// --tmpfs TARGET[:OPTIONS].
oci::Mount parse_tmpfs(const std::string& text);

} // namespace sctr::cli
