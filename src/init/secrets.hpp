// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "plan/init_plan.hpp"

namespace sctr::init {

/// Puts secrets into the container as read-only files in memory, which nothing else shares and
/// where the kernel can do so nothing swaps: those below /run/secrets as one directory, any other
/// as a file mounted at its place. They are no longer in our own memory afterwards.
void mount_secrets(int root, std::vector<plan::SecretStep> secrets) noexcept;

} // namespace sctr::init
