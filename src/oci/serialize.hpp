// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "oci/spec.hpp"

namespace sctr::oci {

/// The config as JSON that other runtimes read as well; what is absent is left out. parse() gives
/// back an equal Spec, but for bytes that are not UTF-8 (a people's argument may be any): JSON
/// cannot hold them, and each becomes U+FFFD.
std::string serialize(const Spec& spec);

/// `base`, with what `change` says in its place (JSON merge patch, RFC 7386): a list or a limit
/// that `change` does not name stays.
Resources merge(const Resources& base, const Resources& change);

} // namespace sctr::oci
