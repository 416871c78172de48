// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "oci/spec.hpp"
#include "plan/health.hpp"
#include "plan/init_plan.hpp"
#include "plan/network.hpp"
#include "plan/own_ids.hpp"
#include "plan/unit.hpp"
#include "plan/volume.hpp"

namespace sctr::plan {

/// Where a container's stdout and stderr go; of a terminal nothing is kept but in the journal.
enum class LogTarget { caller, journal, none };

/// In a stored config: the container runs under the default seccomp profile, which is not repeated.
inline constexpr const char* default_seccomp_annotation = "io.sctr.default-seccomp";

/// A tree of the host to give a SELinux label before the start (-v SOURCE:TARGET:z).
struct Relabel {
    std::string path;
    std::string label;
};

/// A pid alone is soon another process's.
struct JoinedProcess {
    int pid = 0;
    std::uint64_t start_time = 0; ///< in clock ticks since boot (proc_pid_stat(5), 22)
};

/// One container as asked for: the OCI config plus what OCI has no word for.
/// People's flags and engines' bundles both become this.
struct Request {
    oci::Spec spec;
    std::string id;
    std::string bundle;      ///< directory of the config, for hooks; empty: there is none
    std::string description; ///< of the scope, for systemctl status
    std::string image;       ///< name of the image that it is made from; empty: none
    OverlayStep overlay;     ///< what spec.root.path shows, if it has lower directories
    std::string slice = "sctr.slice";
    std::string unit_name; ///< empty: sctr-ID.scope
    /// The flag that asked for what stands at a JSON pointer, or for a property, for messages.
    std::map<std::string, std::string, std::less<>> flag_of;
    int stop_signal = 15;
    std::chrono::microseconds stop_timeout = std::chrono::seconds(10);
    std::vector<JoinedProcess> joined; ///< whose namespaces and /dev/shm the container gets
    int shared_memory_of = 0; ///< pid of the process whose /dev/shm this container has too; 0: none
    std::vector<VolumeUse> volumes;
    std::string volume_owner; ///< of the anonymous ones
    std::vector<Relabel> relabels;
    std::vector<Chown> chowns;
    ContainerNetwork network;
    std::vector<SecretStep> secrets;
    std::vector<std::string> secret_variables; ///< NAME=VALUE, apart from the config that is kept
    std::optional<KeptIds> kept;               ///< whose ids the layers of its images must have
    std::string own_passwd;                    ///< lines to add to its account files, once
    std::string own_group;
    LogTarget log = LogTarget::caller;
    std::optional<HealthCheck> health;
    /// --property, and flags for what only systemd offers; they win over what is planned.
    std::vector<UnitProperty> extra_properties;
    /// The default profile for the default capabilities, whose program is prepared at build time;
    /// instead of spec.linux.seccomp.
    bool default_seccomp = false;
    /// Limits whose controller the host lacks are set all the same, and take effect when it has it.
    /// Engines send limits by default that nobody asked for.
    bool unenforced_limits = false;
    /// Below the service that starts it, which systemd has delegated: no scope, but this cgroup of
    /// the service's own tree, with the limits as its files; empty: a scope.
    std::string cgroup;
    /// False: no scope and no limits; the container stays in the cgroup of whoever starts it.
    bool has_scope = true;
    bool create_cwd = true;
    bool run_init = false; ///< --init: a first process that reaps, and the command as its child
    bool die_with_supervisor = false;
    bool no_pivot = false;
    bool no_new_keyring = false;
};

} // namespace sctr::plan
