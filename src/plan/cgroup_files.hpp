// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "plan/unit.hpp"

/// Limits where no unit can be: below a service whose cgroup systemd has delegated, the limits of
/// a container are files of its own cgroup (Documentation/admin-guide/cgroup-v2.rst).
namespace sctr::plan {

/// What is written to one file of a cgroup.
struct CgroupFile {
    std::string name; ///< "memory.max"; what is before the dot is the controller
    std::string text;

    bool operator==(const CgroupFile&) const = default;
};

/// The cgroup of a container that has no unit; without a path there is none.
struct CgroupPlan {
    std::string path; ///< in the host's tree, "/system.slice/web.service/payload"
    std::vector<CgroupFile> files;
    bool filters_devices = false; ///< only these are allowed
    StringPairs devices;          ///< as DeviceAllow= has them: "/dev/char/1:3", "rwm"

    bool operator==(const CgroupPlan&) const = default;
};

/// The files that say the same as these properties, in the order in which they are to be written.
/// Properties that are about a unit and no limit, such as Description, are left out.
CgroupPlan cgroup_files(const std::vector<UnitProperty>& properties);

} // namespace sctr::plan
