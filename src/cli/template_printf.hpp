// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "cli/template_functions.hpp"

namespace sctr::cli::go_template {

/// Go's Sprintf with %s %v %q %d %x %f %t and %%, the flags - and 0, a width and a precision.
/// Throws Refusal where Go would write an error into the text. Source: Go, fmt.
std::string format_values(std::string_view format, Arguments values);

/// As Go writes it with %q: on one line, in quotes.
std::string quote(std::string_view text);

} // namespace sctr::cli::go_template
