// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sctr::oci {

/// The images that a Containerfile builds on or copies from, as it writes them, each once: neither
/// its own stages nor "scratch", nor names that have variables in them.
/// Source: Containerfile(5), FROM and COPY.
std::vector<std::string> bases_of(std::string_view text);

} // namespace sctr::oci
