// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sctr::plan {

/// Where an engine wants a container in systemd's tree.
struct ScopePlace {
    std::string slice;
    std::string unit; ///< "libpod-ID.scope"

    bool operator==(const ScopePlace&) const = default;
};

/// Reads linux.cgroupsPath as engines with a systemd cgroup driver write it:
///
/// - "SLICE:PREFIX:NAME" is PREFIX-NAME.scope in SLICE; without a prefix NAME.scope;
/// - "SLICE:NAME" and "NAME" are the same with less said;
/// - a path, "/a.slice/b.scope" or "/any/name": its last slice, and its last part as the scope;
/// - empty: sctr-ID.scope.
///
/// An empty slice is `default_slice`; nested ones are systemd's own affair ("a-b.slice" is in
/// "a.slice"). Characters that a unit's name cannot have are escaped (systemd.unit(5), "String
/// Escaping"). Throws Error at /linux/cgroupsPath.
ScopePlace
read_cgroups_path(std::string_view text, const std::string& id, const std::string& default_slice);

/// For a path to a cgroup below that of a service or scope, where no scope can be, the cgroup of
/// that unit: "/system.slice/web.service/runtime/x" gives "/system.slice/web.service". Nothing for
/// any other path, and for one that is not a plain absolute path.
std::optional<std::string> cgroup_of_unit_above(std::string_view path);

/// The unit that has a cgroup: "cpu.service" of "/system.slice/_cpu.service", since systemd puts an
/// underscore before what could be taken for a file of the kernel.
/// Source: systemd, docs/CGROUP_DELEGATION.md.
std::string unit_of_cgroup(std::string_view cgroup);

} // namespace sctr::plan
