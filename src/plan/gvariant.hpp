// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "plan/unit.hpp"

namespace sctr::plan {

/// Reads a unit property as engines write it in annotations: `name` is what follows
/// "org.systemd.property.", `text` a value in GVariant's text format ("uint64 90000000",
/// "['crio.service']", "'inactive-or-failed'", "true").
///
/// A time in seconds, NAMESec, becomes NAMEUSec in microseconds, as runc has it; a number without a
/// type takes the one that systemd wants where it is known. Throws Error with `where`, the
/// annotation's name.
UnitProperty
read_gvariant_property(std::string_view name, std::string_view text, std::string_view where);

} // namespace sctr::plan
