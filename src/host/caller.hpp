// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sctr::host {

/// Who runs this program, and thereby which service manager makes its scopes.
struct Caller {
    /// Root of the user namespace in which the host's first process is: its systemd does our units.
    /// Everybody else has a `systemd --user`, also whoever is root of a user namespace of his own,
    /// as podman makes it for plain users.
    bool is_system = false;
    bool in_user_namespace = false; ///< in another one than the host's first process
    std::uint32_t uid = 0;          ///< as it is outside of that namespace
};

/// Probed once. For root it costs one stat.
const Caller& caller();

/// The id that stands outside for `id` inside; nothing when it has none. `id_map` is the text of
/// /proc/PID/uid_map or gid_map. Source: user_namespaces(7).
std::optional<std::uint32_t> outside_id(std::string_view id_map, std::uint32_t id);

/// Where this user's programs have their sockets and state: $XDG_RUNTIME_DIR, which podman hands
/// on, or logind's directory for the uid where the variable is not set, or is that of another user:
/// `su` leaves it as it was. Whether it exists shows when it is used.
std::string runtime_directory(const Caller& caller);

/// logind's directory for the uid.
std::string logins_directory(const Caller& caller);

/// True when a file or directory is another user's, or in a directory that is closed to the caller.
bool is_of_another(const Caller& caller, const std::string& path);

/// Where this user's programs keep what outlives a boot: /var/lib/sctr, or ~/.local/share/sctr.
std::string data_directory(const Caller& caller);

/// The cgroup of this user's service manager, below /sys/fs/cgroup: where `systemd --user` makes
/// its slices.
std::string user_manager_cgroup(const Caller& caller);

} // namespace sctr::host
