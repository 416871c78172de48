// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace sctr::host {

struct MountEntry {
    std::string target;
    std::string type;
    std::vector<std::string> options; ///< of the file system, not of this mount of it
};

/// Reads the text of a mountinfo file (proc_pid_mountinfo(5)) through libmount; nothing when the
/// library is not installed or finds the text damaged.
///
/// libmount is loaded here and not linked: it brings four more libraries, whose loading every start
/// of a container would pay for.
std::optional<std::vector<MountEntry>> parse_mountinfo(const std::string& text);

} // namespace sctr::host
