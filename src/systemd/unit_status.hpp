// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <string>
#include <vector>

#include "systemd/types.hpp"

/// Reads what systemd says of units. Throws sdbus::Error. Source: org.freedesktop.systemd1(5).
namespace sctr::systemd {

/// From the reply of GetAll.
UnitStatus read_status(sdbus::MethodReply& reply);

/// From the reply of ListUnitsByPatterns.
std::vector<std::string> read_names(sdbus::MethodReply& reply);

} // namespace sctr::systemd
