// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "oci/spec.hpp"

namespace sctr::oci {

/// The config as JSON that other runtimes read as well; what is absent is left out. parse() gives
/// back an equal Spec. Throws Error when a string is not UTF-8, which JSON cannot hold.
std::string serialize(const Spec& spec);

} // namespace sctr::oci
