// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/unique_fd.hpp"

namespace sctr::sys {

/// As long as the fd is open the kernel sends this process SIGURG when a file in the directory is
/// made, written, renamed or removed; SignalQueue tells that from the SIGURG that others send. An
/// invalid fd where there is no such directory, or the kernel does not do it.
///
/// By dnotify (fcntl(2), F_NOTIFY) since a user has but 128 instances of inotify(7), which a host
/// full of supervisors would use up.
UniqueFd watch_directory(const std::string& path);

} // namespace sctr::sys
