// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

#include "plan/unit.hpp"

namespace sctr::plan {

/// In bytes. systemd's first process copies some texts to its stack, and dies of those of several
/// megabytes (257).
inline constexpr std::size_t longest_property_text = std::size_t{64} << 10U;

/// Reads "NAME=VALUE", a property of a scope as unit files, `systemd-run --scope -p` and
/// `systemctl set-property` have it (systemd.scope(5), systemd.resource-control(5),
/// systemd.kill(5), systemd.unit(5)), into its D-Bus name and type.
///
/// An empty VALUE empties a list. Percentages of memory and tasks become the *Scale property, so
/// that systemd computes them. Throws Error when the name is unknown (with the closest known one),
/// when scopes do not have it (with the flag of sctr that does it), or when the value is bad (with
/// what is valid).
UnitProperty parse_property(std::string_view name_equals_value);

} // namespace sctr::plan
