// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

#include "oci/spec.hpp"

/// From JSON to the spec's structs (runtime-spec 1.3, config.md and config-linux.md).
///
/// Unknown fields are ignored, as the spec asks, and null is the same as absent. Everything else
/// that is not what the spec says is an Error with the JSON pointer (or the line and column, if it
/// is not JSON), what was found and what is expected. What the values mean together is judged by
/// validate().
namespace sctr::oci {

/// Parses a config.json.
Spec parse(std::string_view json);

/// Parses the process object that `exec --process` is given.
Process parse_process(std::string_view json);

/// Parses the resources object that `update --resources` is given.
Resources parse_resources(std::string_view json);

} // namespace sctr::oci
