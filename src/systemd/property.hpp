// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "plan/unit.hpp"

#include <sdbus-c++/Message.h>

#include <vector>

namespace sctr::systemd {

/// Appends one property as (sv), with the signature that systemd wants for its type.
void append_property(sdbus::Message& message, const plan::UnitProperty& property);

/// Appends properties as a(sv), in their order.
void append_properties(sdbus::Message& message, const std::vector<plan::UnitProperty>& properties);

} // namespace sctr::systemd
