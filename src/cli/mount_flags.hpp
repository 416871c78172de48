// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "oci/spec.hpp"

/// The three flags with which people ask for a mount, each read into the spec's own words.
/// `directory` is what relative sources start from.
namespace sctr::cli {

/// -v SOURCE:TARGET[:OPTIONS]. A relation to SELinux labels (z, Z) is refused where
/// `has_selinux`, and means nothing elsewhere.
oci::Mount parse_volume(const std::string& text, const std::string& directory, bool has_selinux);

/// --mount type=bind|tmpfs|devpts,... with docker's and podman's keys.
oci::Mount parse_mount(const std::string& text, const std::string& directory, bool has_selinux);

/// --tmpfs TARGET[:OPTIONS].
oci::Mount parse_tmpfs(const std::string& text);

} // namespace sctr::cli
