// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "oci/spec.hpp"

namespace sctr::container {

/// Moves network devices of the host into the network namespace of `pid`, renames them, gives them
/// back the permanent addresses of global scope, which the kernel takes away, and sets them up.
/// Throws Error with the JSON pointer of the device. Source: config-linux.md, Network Devices.
void move_net_devices(const std::map<std::string, oci::NetDevice>& devices, pid_t pid);

} // namespace sctr::container
