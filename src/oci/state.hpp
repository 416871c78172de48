// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

namespace sctr::oci {

/// The state of a container (runtime-spec, runtime.md, State): what `state` prints and what hooks
/// read.
struct State {
    std::string oci_version = "1.3.0";
    std::string id;
    std::string status; ///< "creating", "created", "running", "stopped"
    pid_t pid = 0;      ///< 0: none
    std::string bundle;
    std::map<std::string, std::string> annotations;
};

/// The state as JSON text.
std::string to_json(const State& state);

} // namespace sctr::oci
