// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "oci/spec.hpp"

/// The three flags with which people ask for a mount, each read into the spec's own words.
/// `directory` is what relative sources start from.
namespace sctr::cli {

/// Whom a volume's SELinux label lets in: every container (z), or this one (Z).
enum class Sharing { none, all, one };

/// -v SOURCE:TARGET[:OPTIONS].
oci::Mount parse_volume(const std::string& text, const std::string& directory);
Sharing volume_sharing(const std::string& text);

/// --mount type=bind|tmpfs|devpts,... with docker's and podman's keys.
oci::Mount parse_mount(const std::string& text, const std::string& directory);
Sharing mount_sharing(const std::string& text);

/// --tmpfs TARGET[:OPTIONS].
oci::Mount parse_tmpfs(const std::string& text);

} // namespace sctr::cli
