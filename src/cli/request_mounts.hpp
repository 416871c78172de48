// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "cli/request_builder.hpp"

/// The parts of a container's mounts.
namespace sctr::cli {

/// The namespace of that kind; a null pointer where it is the host's.
const oci::Namespace* find_namespace(const oci::Spec& spec, oci::NamespaceType type);

/// The mounts that docker and podman give every container (runtime-spec, config-linux, Default
/// Filesystems).
std::vector<oci::Mount>
standard_mounts(const oci::Spec& spec, const MountFlags& flags, bool privileged);

/// Adds what --read-only-tmpfs asks for, where nothing else is.
void add_temporary_places(std::vector<CallersMount>& mounts, const MountFlags& flags);

/// Says of which places that the image wants kept there is no volume.
void tell_missing_volumes(const oci::ImageProcess& image);

} // namespace sctr::cli
