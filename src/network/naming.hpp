// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "network/name_files.hpp"
#include "network/state.hpp"

/// The files of names (name_files.hpp) of one container.
namespace sctr::network {

/// Its /etc/resolv.conf by what it is attached to and the host's (`raw`: as that stands there;
/// `reachable`: see host_resolver). Pure.
Resolver resolver_of(const Attachment& attachment, const Resolver& raw, const Resolver& reachable);

/// Makes those that it is to have, or changes them to what they are to be now. Throws Error.
void write_names(const Attachment& attachment);

/// Brings its /etc/resolv.conf up to the host's, and has the network's server ask the servers that
/// the host has now. Throws Error.
void follow_host(const Attachment& attachment);

} // namespace sctr::network
