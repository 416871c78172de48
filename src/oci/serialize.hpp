// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "oci/spec.hpp"

namespace sctr::oci {

/// The config as JSON that other runtimes read as well; what is absent is left out. parse() gives
/// back an equal Spec, but for bytes that are not UTF-8 (a people's argument may be any): JSON
/// cannot hold them, and each becomes U+FFFD.
std::string serialize(const Spec& spec);

} // namespace sctr::oci
