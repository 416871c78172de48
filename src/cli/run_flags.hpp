// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/typed_names.hpp"

namespace sctr::cli {

/// What `run` and `exec` both ask of a process, as typed.
struct ProcessFlags {
    std::vector<std::string> env;
    std::vector<std::string> env_files;
    std::optional<std::string> workdir;
    std::optional<std::string> user;
    bool interactive = false;
    bool tty = false;
    bool privileged = false;
};

/// What only `run` asks of its process, as typed.
struct IdentityFlags {
    std::vector<std::string> groups; ///< --group-add
    std::vector<std::string> unset_env;
    bool unset_all_env = false; ///< --unsetenv-all
    bool env_host = false;
    bool http_proxy = false;
    std::optional<std::string> umask;
    std::optional<std::string> preserve_fds; ///< how many from 3 on
    std::vector<std::string> preserve_fd;    ///< which
};

/// Resource limits, as typed.
struct LimitFlags {
    std::optional<std::string> memory;
    std::optional<std::string> memory_reservation;
    std::optional<std::string> memory_swap;
    std::optional<std::string> memory_high;
    std::optional<std::string> memory_zswap_max;
    std::optional<std::string> cpus;
    std::optional<std::string> cpu_period;
    std::optional<std::string> cpu_quota;
    std::optional<std::string> cpu_weight;
    std::optional<std::string> cpu_shares;
    std::optional<std::string> cpuset_cpus;
    std::optional<std::string> cpuset_mems;
    std::optional<std::string> pids_limit;
    std::optional<std::string> io_weight;
    std::vector<std::string> device_read_bps;
    std::vector<std::string> device_write_bps;
    std::vector<std::string> device_read_iops;
    std::vector<std::string> device_write_iops;
    std::optional<std::string> oom_score_adj;
    std::vector<std::string> properties;
    std::optional<std::string> slice;
    std::vector<std::string> ulimits;
};

/// What only systemd offers: unit properties that OCI has no word for, as typed.
struct SystemdFlags {
    std::vector<std::string> ip_allow;
    std::vector<std::string> ip_deny;
    bool ip_accounting = false;
    std::vector<std::string> socket_bind_allow;
    std::vector<std::string> socket_bind_deny;
    std::optional<std::string> restrict_interfaces;
    std::optional<std::string> runtime_max;
    std::optional<std::string> oom_policy;
    std::optional<std::string> managed_oom_swap;
    std::optional<std::string> managed_oom_pressure;
    std::optional<std::string> managed_oom_pressure_limit;
    std::optional<std::string> managed_oom_preference;
};

/// Namespaces, as typed.
struct NamespaceFlags {
    std::optional<std::string> pid;
    std::optional<std::string> ipc;
    std::optional<std::string> uts;
    std::optional<std::string> cgroup;
    std::optional<std::string> network; ///< of --network, what concerns the namespace
    std::optional<std::string> user;
    std::vector<std::string> uid_maps;
    std::vector<std::string> gid_maps;
    std::optional<std::string> time_offset;
};

/// Networks, ports and names, as typed.
struct NetworkFlags {
    std::vector<std::string> networks;
    std::optional<std::string> ip;
    std::optional<std::string> ip6;
    std::optional<std::string> mac;
    std::vector<std::string> aliases;
    std::vector<std::string> publish;
    std::vector<std::string> expose;
    std::vector<std::string> dns;
    std::vector<std::string> dns_search;
    std::vector<std::string> dns_options;
    std::vector<std::string> add_hosts;
    bool publish_all = false;
    bool no_hosts = false;
    bool no_hostname = false;
};

/// File systems and devices, as typed.
struct MountFlags {
    bool read_only = false;
    bool read_only_tmpfs = false;
    std::vector<std::string> volumes;
    std::vector<std::string> mounts;
    std::vector<std::string> tmpfs;
    std::vector<std::string> volumes_from;
    std::vector<std::string> secrets;
    std::vector<std::string> credentials;
    std::optional<std::string> shm_size;
    std::vector<std::string> devices;
    std::vector<std::string> device_rules; ///< --device-cgroup-rule
    std::optional<std::string> time_zone;
};

/// Privileges, as typed.
struct PrivilegeFlags {
    std::vector<std::string> cap_add;
    std::vector<std::string> cap_drop;
    std::vector<std::string> security_opts;
    std::vector<std::string> sysctls;
};

/// The health check, as typed.
struct HealthFlags {
    std::optional<std::string> command;
    std::optional<std::string> interval;
    std::optional<std::string> timeout;
    std::optional<std::string> start_period;
    std::optional<std::string> start_interval;
    std::optional<std::string> retries;
    std::optional<std::string> on_failure;
    std::optional<std::string> startup_command;
    std::optional<std::string> startup_interval;
    std::optional<std::string> startup_retries;
    std::optional<std::string> startup_success;
    std::optional<std::string> startup_timeout;
    bool none = false;
};

/// How an image is fetched, as typed.
struct FetchFlags {
    std::optional<std::string> platform;
    std::optional<std::string> os;
    std::optional<std::string> architecture; ///< --arch
    std::optional<std::string> variant;
    std::optional<std::string> auth_file;
    std::optional<std::string> retry;
    std::optional<std::string> retry_delay;
    bool verify_tls = true;
    bool quiet = false;
};

/// The command line of `sctr run`.
struct RunFlags {
    std::optional<std::string> name;
    std::optional<std::string> rootfs; ///< with ":O": under an overlay
    std::optional<std::string> image;  ///< the first word, where there is no --rootfs
    std::optional<std::string> pull;
    FetchFlags fetch;
    std::optional<std::string> hostname;
    std::optional<std::string> entrypoint;
    std::vector<std::string> labels;
    std::vector<std::string> label_files;
    std::vector<std::string> annotations;
    std::optional<std::string> stop_signal;
    std::optional<std::string> stop_timeout;
    std::optional<std::string> pid_file;
    std::optional<std::string> id_file;
    std::optional<std::string> log;
    std::optional<std::string> restart;
    std::vector<std::string> after;
    std::vector<std::string> requisite; ///< --requires
    std::optional<std::string> sdnotify;
    std::optional<std::string> service; ///< this process is the main process of that unit
    bool detach = false;
    bool remove = true;
    bool no_register = false;
    bool remove_image = false; ///< --rmi
    bool remove_given = false; ///< --rm was said, with or without a value
    bool replace = false;      ///< another container of its name goes first
    bool dry_run = false;
    bool no_pivot = false;
    bool init = false;
    bool signal_proxy = true; ///< --sig-proxy
    ProcessFlags process;
    IdentityFlags identity;
    LimitFlags limits;
    SystemdFlags systemd;
    NamespaceFlags namespaces;
    NetworkFlags network;
    MountFlags mounts;
    PrivilegeFlags privileges;
    HealthFlags health;
    std::vector<std::string> command; ///< without the image
    std::vector<std::string> words;   ///< the flags as typed, without the command
    TypedNames typed;                 ///< by which names
};

/// Parses the words after `sctr run`, or `create` where `verb` says so. Throws as parse_flags
/// (cli/flags.hpp). Whoever reads the values does it in as_typed (cli/typed_names.hpp).
RunFlags parse_run_flags(const std::vector<std::string>& words, const char* verb = "run");

/// Flags of `sctr run` without those that choose networks, and what it asks for there.
std::vector<std::string> without_networks(const std::vector<std::string>& flags);

/// Flags of `sctr run` without those that name files of labels.
std::vector<std::string> without_label_files(const std::vector<std::string>& flags);

/// Flags of `sctr run` without those that later ones take the place of, which say the same and are
/// no more for each that comes after them.
std::vector<std::string> without_overridden(const std::vector<std::string>& flags);

/// Flags of `sctr run` with those that `sctr update` was given, in the place of what says the same,
/// in other words, too: --cpus of --cpu-quota.
std::vector<std::string> with_limits(const std::vector<std::string>& flags,
                                     const std::vector<std::string>& given);

/// Registers the flags of limits, as add_process_flags.
void add_limit_flags(CLI::App& app, LimitFlags& flags);

/// Registers the flags that run and exec share; parsing writes into `flags`, which must outlive
/// `app`.
void add_process_flags(CLI::App& app, ProcessFlags& flags);

} // namespace sctr::cli
