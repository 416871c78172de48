// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace sctr::cli {

struct Removal {
    bool force = false;   ///< one that runs is killed first
    bool volumes = false; ///< its anonymous volumes go, too
};

/// Forgets a container: its definition or record, its service, what it has written. Throws Error
/// where it runs and is not forced, where a file describes it, and where there is none.
void remove_container(const std::string& name, const Removal& how);

/// Whether anything is known by that name: stored, running, ended or described by a file.
bool has_container(const std::string& name);

/// Those that remove_container() is for, in the order of their names.
std::vector<std::string> removable_containers();

} // namespace sctr::cli
