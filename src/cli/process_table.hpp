// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace sctr::cli {

/// What ps(1) says of `pids`, under its heading. Without options they are shown as by "ps -ef".
/// Throws Error when ps fails, or shows no column PID.
std::string process_table(const std::vector<pid_t>& pids, const std::vector<std::string>& options);

} // namespace sctr::cli
