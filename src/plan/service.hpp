// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

/// The service of a container that outlives its caller. Pure.
namespace sctr::plan {

/// When systemd starts an ended container again. Source: systemd.service(5), Restart=.
enum class Restart { no, on_failure, always };

/// What differs between one container's service and the template units/sctr@.service.
struct ServiceOptions {
    Restart restart = Restart::no;
    std::optional<int> most_restarts;     ///< after one start by hand; nothing: without end
    std::vector<std::string> after;       ///< units, or names of containers
    std::vector<std::string> requisite;   ///< the same; started first, and stopping them stops this
    std::vector<std::string> credentials; ///< NAME or NAME:PATH, to load
    bool forget = false;                  ///< --rm: systemd too forgets it, even when it failed

    bool operator==(const ServiceOptions&) const = default;
};

/// The service of a stored container: an instance of units/sctr@.service.
inline std::string service_name(const std::string& id) {
    return "sctr@" + id + ".service";
}

/// What --after and --requires name: a unit where the suffix is that of one, else a container's
/// service.
std::string unit_for(const std::string& word);

/// The drop-in that makes the template this container's; empty where the template says it all.
std::string service_drop_in(const ServiceOptions& options);

} // namespace sctr::plan
