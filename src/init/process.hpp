// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "init/hooks.hpp"
#include "plan/init_plan.hpp"

namespace sctr::init {

/// Where a user namespace of a plain user forbids to change groups, they stay as they are; it ends
/// the process when some are asked for.
void keep_denied_groups(plan::ProcessStep& process, int proc) noexcept;

/// Says with the current errno why the command at `path` could not be executed, and ends the
/// process.
[[noreturn]] void fail_to_execute(const std::string& path) noexcept;

/// Takes the credentials and limits of `process`, runs `hooks` and executes its command. What needs
/// privilege comes first, what takes it away last. `proc` is the host's /proc.
/// With `start_socket` (-1: none) all is done but the hooks and the very last, which wait for
/// `start` on it.
[[noreturn]] void
become(const plan::ProcessStep& process, int proc, int start_socket, StartHooks hooks) noexcept;

} // namespace sctr::init
