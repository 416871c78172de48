// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace sctr::container {

/// True for what may be a container's name. Anything else below the state root is no container.
bool is_id(const std::string& text);

/// Checks a container name: [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 128 characters, as it becomes part
/// of a unit name and a path. Throws Error.
void check_id(const std::string& id);

/// Checks a container id of an engine: what check_id takes, or one that begins with '_', and '+' in
/// it. Throws Error.
void check_engine_id(const std::string& id);

} // namespace sctr::container
