// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

/// What `sctr doctor` looks at: does this host offer what containers need, and what mends it.
namespace sctr::host {

enum class CheckState {
    ok,
    info,    ///< worth knowing; containers run all the same
    missing, ///< something that sctr promises does not work here
};

struct Check {
    std::string name;
    CheckState state = CheckState::ok;
    std::string text; ///< what was found
    std::string mend; ///< the command or setting that mends it; empty when there is nothing to mend
};

/// What the checks start from. `root` comes before every path, so that tests look at a folder of
/// their own; it is empty on a real host.
struct CheckInput {
    std::string root;
    uid_t uid = 0;
    std::string user;            ///< its name
    std::string runtime_dir;     ///< $XDG_RUNTIME_DIR; empty: none
    std::string kernel;          ///< release, as uname(2) says it
    std::string systemd;         ///< version, as the manager says it; empty: no answer
    std::string systemd_failure; ///< why there was no answer
    std::string cut_off_mend;    ///< what mends a `systemd --user` that has lost the system's bus;
                                 ///< empty: it has not
};

/// All checks, in the order in which people should mend what is missing.
std::vector<Check> run_checks(const CheckInput& input);

} // namespace sctr::host
