// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/run_flag_list.hpp"

#include <CLI/App.hpp>

#include <algorithm>

#include "cli/flags.hpp"

namespace sctr::cli {

void Registrar::heading(const char* name) {
    app_.option_defaults()->group(name);
}

void Registrar::text(const char* names,
                     std::optional<std::string>& value,
                     const char* description) {
    if (wants(names)) {
        add_text(app_, names, value, description);
    }
}

void Registrar::texts(const char* names,
                      std::vector<std::string>& values,
                      const char* description) {
    if (wants(names)) {
        add_texts(app_, names, values, description);
    }
}

void Registrar::on_off(const char* names, bool& value, const char* description) {
    if (wants(names)) {
        add_switch(app_, names, value, description);
    }
}

/// True when a word looks like one of "-m,--memory"; too often is fine, too seldom is not.
bool Registrar::wants(std::string_view names) const {
    if (only_ == nullptr) {
        return true;
    }
    return std::ranges::any_of(*only_, [names](std::string_view word) {
        if (word.size() < 2 || word.front() != '-' || word == "--") {
            return false;
        }
        if (word[1] == '-') {
            return names.contains(word.substr(0, word.find('=')));
        }
        // Short flags may stand together ("-it") or before their value ("-m1g").
        return names[1] != '-' && word.contains(names[1]);
    });
}

namespace {

void add_container_flags(Registrar& to, RunFlags& flags) {
    to.text("--rootfs",
            flags.rootfs,
            "instead of an image: the directory that becomes the container's root; DIR:O: what is "
            "written goes above it and is forgotten");
    to.text("--pull", flags.pull, "fetch the image: missing (default), always, never");
    to.on_off("-q,--quiet", flags.fetch.quiet, "fetch it without a word of how that goes");
    to.text("--platform", flags.fetch.platform, "of the image to fetch: OS/ARCHITECTURE[/VARIANT]");
    to.text("--os", flags.fetch.os, "the same in parts (default: linux)");
    to.text("--arch", flags.fetch.architecture, "amd64, arm64, ... (default: this machine's)");
    to.text("--variant", flags.fetch.variant, "of the architecture: v7, v8");
    to.text("--retry", flags.fetch.retry, "how often to try again when it cannot be fetched (0)");
    to.text("--retry-delay",
            flags.fetch.retry_delay,
            "between the tries: 5s (default: longer each time)");
    to.text("--authfile",
            flags.fetch.auth_file,
            "credentials to fetch it with, as podman login writes them");
    to.on_off("--tls-verify", flags.fetch.verify_tls, "false: from a registry without (valid) TLS");
    to.text("--name", flags.name, "name of the container (default: random)");
    to.on_off("--replace", flags.replace, "remove another container of that name first");
    to.texts("-l,--label", flags.labels, "NAME[=VALUE], of no meaning to sctr: see sctr inspect");
    to.texts("--label-file", flags.label_files, "file of NAME[=VALUE] lines");
    to.texts("--annotation", flags.annotations, "NAME=VALUE, as in the config of an OCI bundle");
    to.text("--hostname", flags.hostname, "host name (default: the container's name)");
    to.text("--entrypoint", flags.entrypoint, "program that gets COMMAND as its arguments");
    to.on_off("-d,--detach", flags.detach, "run it as a service of systemd, and return");
    to.text("--restart", flags.restart, "of a service: no (default), on-failure[:TIMES], always");
    to.texts("--after", flags.after, "of a service: start after this container or unit");
    to.texts("--requires", flags.requisite, "the same, and start that too");
    to.text("--sdnotify",
            flags.sdnotify,
            "of a service: what makes it ready: exec (default), container: its own sd_notify, "
            "healthy: its health check");
    to.text("--service", flags.service, "be the main process of this service of systemd: %n");
    to.on_off("--rm",
              flags.remove,
              "forget the container when it ends (default: true; of a service: false)");
    to.on_off("--rmi",
              flags.remove_image,
              "forget it, and then remove its image, unless another container uses that");
    to.on_off("--init",
              flags.init,
              "a first process that passes signals on and reaps, and COMMAND as its child");
    to.on_off("--no-register", flags.no_register, "keep it out of machinectl's list");
    to.on_off("--sig-proxy",
              flags.signal_proxy,
              "signals that sctr gets are the command's (default); false: only with -d, where "
              "there are none");
    to.text("--stop-signal", flags.stop_signal, "signal that asks it to end (default: TERM)");
    to.text("--stop-timeout", flags.stop_timeout, "seconds until SIGKILL (default: 10)");
    to.text("--pidfile", flags.pid_file, "write the host pid of the container's init here");
    to.text("--cidfile", flags.id_file, "write the container's name here; must not exist");
    to.text("--log,--log-driver",
            flags.log,
            "where output goes: caller (default; also passthrough), journal (default of a service, "
            "see sctr logs; also journald) or none");
    to.on_off("--dry-run", flags.dry_run, "print the plan as JSON and touch nothing");
    to.on_off("--no-pivot", flags.no_pivot, "MS_MOVE and chroot instead of pivot_root");
}

void add_systemd_flags(Registrar& to, SystemdFlags& flags) {
    to.texts("--ip-allow", flags.ip_allow, "ADDRESS[/BITS] it may talk to, whatever is denied");
    to.texts("--ip-deny",
             flags.ip_deny,
             "ADDRESS[/BITS] it may not talk to; any, localhost, link-local, multicast");
    to.on_off("--ip-accounting",
              flags.ip_accounting,
              "have the kernel count its traffic, whatever its network, for 'sctr stats'");
    to.texts("--socket-bind-allow",
             flags.socket_bind_allow,
             "[ipv4:|ipv6:][tcp:|udp:]PORT[-PORT] it may bind, whatever is denied");
    to.texts("--socket-bind-deny", flags.socket_bind_deny, "the same that it may not bind; any");
    to.text("--restrict-interfaces",
            flags.restrict_interfaces,
            "network interfaces it may use: lo,eth0; with ~ before them: all but these");
    to.text("--runtime-max,--timeout", flags.runtime_max, "end it after this time: 90s, 1h 30min");
    to.text("--oom-policy",
            flags.oom_policy,
            "after an OOM kill: continue (default), stop or kill the container");
    to.text("--managed-oom-swap",
            flags.managed_oom_swap,
            "kill: systemd-oomd may end it when the swap is full");
    to.text("--managed-oom-memory-pressure",
            flags.managed_oom_pressure,
            "kill: systemd-oomd may end it when it waits for memory too long");
    to.text("--managed-oom-memory-pressure-limit",
            flags.managed_oom_pressure_limit,
            "what share of the time is too long: 60%");
    to.text("--managed-oom-preference",
            flags.managed_oom_preference,
            "of systemd-oomd's choice: none (default), avoid or omit it");
}

void add_namespace_flags(Registrar& to, NamespaceFlags& flags) {
    constexpr const char* modes = "private (default), host, container:NAME or ns:PATH";
    to.text("--pid", flags.pid, modes);
    to.text("--ipc", flags.ipc, modes);
    to.text("--uts", flags.uts, modes);
    to.text("--cgroupns", flags.cgroup, modes);
    to.text("--userns",
            flags.user,
            "host (root's default), auto[:size=N]: ids that no other container has, "
            "keep-id[:uid=N,gid=N]: a plain user is himself in it and not root, "
            "container:NAME or ns:PATH");
    to.texts("--uidmap", flags.uid_maps, "CONTAINER:HOST:SIZE, in a new user namespace");
    to.texts("--gidmap", flags.gid_maps, "CONTAINER:HOST:SIZE (default: as --uidmap)");
    to.text("--time-offset", flags.time_offset, "monotonic=SECS,boottime=SECS");
}

void add_network_flags(Registrar& to, NetworkFlags& flags) {
    to.texts("--network,--net",
             flags.networks,
             "bridge (root's default), NAME[:ip=,ip6=,mac=,alias=,interface_name=], pasta (for "
             "plain users), none, host, container:NAME, ns:PATH or zone:NAME; several NAMEs");
    to.texts("-p,--publish",
             flags.publish,
             "[IP:]HOST:CONTAINER[/tcp|udp|sctp], ranges, or CONTAINER alone: ports of the host "
             "that lead into it (and NAME=VALUE, as --property)");
    to.on_off("-P,--publish-all",
              flags.publish_all,
              "each port of --expose and of the image, on one that is free");
    to.texts("--expose", flags.expose, "PORT[-PORT][/tcp|udp|sctp], for -P");
    to.text("--ip", flags.ip, "its IPv4 address, of the network's");
    to.text("--ip6", flags.ip6, "its IPv6 address");
    to.text("--mac-address", flags.mac, "its hardware address");
    to.texts("--network-alias", flags.aliases, "one more name by which others find it");
    to.texts("--dns", flags.dns, "server to ask for names; none: leave /etc/resolv.conf alone");
    to.texts("--dns-search", flags.dns_search, "domain to look names up in; .: none");
    to.texts("--dns-option", flags.dns_options, "option of resolv.conf(5)");
    to.texts("--add-host", flags.add_hosts, "NAME:ADDRESS or NAME:host-gateway, for /etc/hosts");
    to.on_off("--no-hosts", flags.no_hosts, "leave /etc/hosts alone");
    to.on_off("--no-hostname", flags.no_hostname, "leave /etc/hostname alone");
}

void add_mount_flags(Registrar& to, MountFlags& flags) {
    to.on_off("--read-only", flags.read_only, "mount the root read-only");
    to.on_off("--read-only-tmpfs",
              flags.read_only_tmpfs,
              "with --read-only: a tmpfs at /run, /tmp and /var/tmp (default: false)");
    to.texts("-v,--volume", flags.volumes, "[PATH|VOLUME:]TARGET[:ro,nocopy,U,noexec,...]");
    to.texts("--volumes-from",
             flags.volumes_from,
             "CONTAINER[:ro]: the directories and volumes of another container");
    to.texts(
        "--mount", flags.mounts, "type=bind|volume|image|tmpfs|devpts,src=...,dst=...[,ro,...]");
    to.texts("--tmpfs", flags.tmpfs, "TARGET[:size=...,mode=...,exec,...]");
    to.texts("--secret",
             flags.secrets,
             "NAME[,type=mount|env,target=...,uid=,gid=,mode=]: of 'sctr secret create', as a file "
             "in /run/secrets");
    to.texts("--credential",
             flags.credentials,
             "NAME[:PATH][,...as --secret]: a credential of the service's; with PATH it loads it");
    to.text("--shm-size", flags.shm_size, "size of /dev/shm (default: 64m)");
    to.texts("--device", flags.devices, "HOST[:CONTAINER][:rwm]: a device of the host");
    to.texts("--device-cgroup-rule",
             flags.device_rules,
             "'a|b|c MAJOR:MINOR rwm', * for any: devices it may use without a node of ours");
    to.text("--tz", flags.time_zone, "its time zone: Europe/Berlin, or local: the host's");
}

void add_privilege_flags(Registrar& to, PrivilegeFlags& flags) {
    to.texts("--cap-add", flags.cap_add, "add a capability, or ALL");
    to.texts("--cap-drop", flags.cap_drop, "drop a capability, or ALL");
    to.texts("--security-opt",
             flags.security_opts,
             "no-new-privileges, seccomp=FILE|unconfined, apparmor=PROFILE, label=..., "
             "mask=PATHS, unmask=PATHS|ALL");
    to.texts("--sysctl", flags.sysctls, "NAME=VALUE of a kernel setting with a namespace");
}

void add_health_flags(Registrar& to, HealthFlags& flags) {
    to.text("--health-cmd",
            flags.command,
            "command that succeeds while it does its work: for its shell, or [\"PROGRAM\",...]");
    to.text("--health-interval", flags.interval, "between checks (default: 30s); or disable");
    to.text("--health-timeout", flags.timeout, "of one check (default: 30s)");
    to.text("--health-retries", flags.retries, "failures in a row that count (default: 3)");
    to.text("--health-start-period", flags.start_period, "after the start none counts (0s)");
    to.text("--health-start-interval", flags.start_interval, "between checks until then (5s)");
    to.text("--health-on-failure",
            flags.on_failure,
            "of one that is unhealthy: none (default), kill, stop or restart it");
    to.text("--health-startup-cmd",
            flags.startup_command,
            "command that must succeed first, as --health-cmd; the checks begin then");
    to.text("--health-startup-interval", flags.startup_interval, "between its runs (30s)");
    to.text("--health-startup-retries",
            flags.startup_retries,
            "failures after which a service is started anew (0: never)");
    to.text("--health-startup-success", flags.startup_success, "how often it must succeed (1)");
    to.text("--health-startup-timeout", flags.startup_timeout, "of one run (30s)");
    to.on_off("--no-healthcheck", flags.none, "no check, whatever else asks for one");
}

void add_identity_flags(Registrar& to, IdentityFlags& flags) {
    to.texts("--group-add", flags.groups, "NAME|GID: one more group of its user");
    to.texts("--unsetenv", flags.unset_env, "NAME of a variable that the image sets");
    to.on_off("--unsetenv-all", flags.unset_all_env, "no variable but those of --env, --env-file");
    to.on_off("--env-host", flags.env_host, "the caller's variables, below those of the image");
    to.on_off("--http-proxy",
              flags.http_proxy,
              "of the caller's variables http_proxy, https_proxy, ftp_proxy, no_proxy");
    to.text("--umask", flags.umask, "octal (default: 0022)");
    to.text("--preserve-fds",
            flags.preserve_fds,
            "how many of the caller's file descriptors from 3 on it has, too (0)");
    to.texts("--preserve-fd", flags.preserve_fd, "FD[,FD...]: these of them, by their numbers");
}

} // namespace

void register_limit_flags(Registrar& to, LimitFlags& flags, const char* property_names) {
    to.text("-m,--memory", flags.memory, "memory limit: bytes, or with k, m, g");
    to.text("--memory-reservation", flags.memory_reservation, "memory kept from reclaim");
    to.text("--memory-swap",
            flags.memory_swap,
            "memory and swap together; -1: no limit (default: twice --memory)");
    to.text("--memory-high", flags.memory_high, "slow it down above this, instead of killing it");
    to.text("--memory-zswap-max", flags.memory_zswap_max, "most of its memory in zswap; 0: none");
    to.text("--cpus", flags.cpus, "CPU time, in CPUs: 1.5");
    to.text("--cpu-quota", flags.cpu_quota, "the same: microseconds of CPU in each period");
    to.text("--cpu-period", flags.cpu_period, "length of a period, in microseconds (100000)");
    to.text("--cpu-weight", flags.cpu_weight, "share of CPU against others: 1 to 10000");
    to.text("--cpu-shares", flags.cpu_shares, "the same on cgroup v1's scale: 2 to 262144");
    to.text("--cpuset-cpus", flags.cpuset_cpus, "CPUs it may use: 0-3,7");
    to.text("--cpuset-mems", flags.cpuset_mems, "memory nodes it may use: 0,1");
    to.text("--pids-limit,--tasks-max", flags.pids_limit, "most processes and threads");
    to.text("--io-weight", flags.io_weight, "share of disk time: 1 to 10000");
    to.texts("--device-read-bps", flags.device_read_bps, "DEVICE:BYTES a second");
    to.texts("--device-write-bps", flags.device_write_bps, "DEVICE:BYTES a second");
    to.texts("--device-read-iops", flags.device_read_iops, "DEVICE:OPERATIONS a second");
    to.texts("--device-write-iops", flags.device_write_iops, "DEVICE:OPERATIONS a second");
    to.text("--oom-score-adj", flags.oom_score_adj, "-1000 (never killed) to 1000 (first)");
    to.texts("--ulimit", flags.ulimits, "NAME=SOFT[:HARD], as nofile=1024:2048");
    to.texts(property_names, flags.properties, "NAME=VALUE: any property of the scope");
    to.text("--slice,--cgroup-parent", flags.slice, "slice of the scope (default: sctr.slice)");
}

void register_process_flags(Registrar& to, ProcessFlags& flags) {
    to.on_off("-i,--interactive", flags.interactive, "pass standard input on");
    to.on_off("-t,--tty", flags.tty, "give it a terminal");
    to.texts("-e,--env", flags.env, "NAME=VALUE, or NAME for the caller's value");
    to.texts("--env-file", flags.env_files, "file of NAME=VALUE lines");
    to.text("-w,--workdir", flags.workdir, "working directory");
    to.text("-u,--user", flags.user, "NAME|UID[:GROUP|GID], by the container's own files");
    to.on_off("--privileged", flags.privileged, "every capability, no confinement");
}

void register_run_flags(Registrar& to, RunFlags& flags) {
    to.heading("Container");
    add_container_flags(to, flags);
    to.heading("Process");
    register_process_flags(to, flags.process);
    add_identity_flags(to, flags.identity);
    to.heading("Health");
    add_health_flags(to, flags.health);
    to.heading("Limits");
    register_limit_flags(to, flags.limits, "--property");
    to.heading("systemd");
    add_systemd_flags(to, flags.systemd);
    to.heading("Namespaces");
    add_namespace_flags(to, flags.namespaces);
    to.heading("Network");
    add_network_flags(to, flags.network);
    to.heading("Files and devices");
    add_mount_flags(to, flags.mounts);
    to.heading("Privileges");
    add_privilege_flags(to, flags.privileges);
}

} // namespace sctr::cli
