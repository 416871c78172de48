// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "cli/run_flags.hpp"

namespace sctr::cli {

/// `sctr run --service UNIT`: runs a container as the main process of a service that somebody else
/// has described, for which sctr-generator writes the description. Returns the service's status.
/// `preserved_fds`: see container::RunOptions. Throws Error.
int run_as_main_process(const RunFlags& flags, const std::vector<int>& preserved_fds);

/// Throws Error when a stored container has the name, which is its own whether it runs or not.
void check_name_is_free(const std::string& name);

} // namespace sctr::cli
