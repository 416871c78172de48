// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "plan/init_plan.hpp"

namespace sctr::init {

/// Opens the socket of journald's stdout streams as a handle, while the host's tree is there.
/// Returns -1 when there is none.
int open_journal_socket() noexcept;

/// Makes stdout and stderr two journal streams (priorities info and err) of the process' journal
/// identifier and unit. Runs in the container's own scope, which journald looks at.
/// Source: sd_journal_stream_fd(3) and systemd's documentation of the stdout protocol.
void attach_journal(int journal_socket, const plan::ProcessStep& process) noexcept;

} // namespace sctr::init
