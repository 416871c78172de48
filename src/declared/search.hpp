// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "declared/service.hpp"

/// The files NAME.container of this host and their drop-ins.
namespace sctr::declared {

/// Where they are looked for, what counts most first: /run/sctr-containers, /etc/sctr and
/// /usr/share/sctr; of a user $XDG_RUNTIME_DIR/sctr-containers, ~/.config/sctr, and
/// /etc/sctr/users and /usr/share/sctr/users, with his uid below them first.
/// $SCTR_UNIT_DIRS, with colons, instead of all that.
std::vector<std::string> directories(bool of_user);

/// Each file that counts, with its drop-ins (NAME.container.d/*.conf, in all directories): of one
/// name that in the first directory alone. An empty file hides those after it. What cannot be read
/// is added to `problems`.
std::vector<std::vector<Source>> find_sources(const std::vector<std::string>& directories,
                                              std::vector<Problem>& problems);

/// The same for one file, whose drop-ins are beside it.
std::vector<Source> read_source(const std::string& path, std::vector<Problem>& problems);

} // namespace sctr::declared
