// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "plan/request.hpp"
#include "storage/root.hpp"

namespace sctr::cli {

/// Makes and locks what the container writes into; nothing where its root is a directory as it is.
/// Throws Error.
std::optional<storage::ContainerRoot> make_container_root(const plan::Request& request);

/// Removes what make_container_root() made. What fails is a warning: the container has ended.
void remove_container_root(std::optional<storage::ContainerRoot>& root);

} // namespace sctr::cli
