// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Capability names and sets (capabilities(7); runtime-spec, config, Linux Process).
namespace sctr::plan {

/// The number of a capability as people write it: case ignored, with or without "CAP_".
/// Nothing when there is no such capability.
std::optional<int> capability_number(std::string_view name);

/// The full name of a capability ("CAP_CHOWN"); empty for a number that this program does not know.
std::string capability_name(int number);

/// Every capability from 0 to `last_capability` that this program knows by name.
std::vector<std::string> all_capabilities(std::uint64_t last_capability);

/// What a container may do when nothing is asked: the set that podman gives.
const std::vector<std::string>& default_capabilities();

/// The bit set of `names`, the spec's full names ("CAP_CHOWN"). Names above `last_capability`, the
/// highest that the kernel knows, are left out (see unsupported_capabilities). Throws Error with
/// the JSON pointer `pointer`/INDEX on a name that no kernel knows.
std::uint64_t capability_mask(const std::vector<std::string>& names,
                              std::uint64_t last_capability,
                              std::string_view pointer);

/// Those of `names` that exist and the running kernel lacks. The spec asks for a warning.
std::vector<std::string> unsupported_capabilities(const std::vector<std::string>& names,
                                                  std::uint64_t last_capability);

} // namespace sctr::plan
