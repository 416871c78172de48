// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/run_flags.hpp"

#include "cli/flags.hpp"

namespace sctr::cli {
namespace {

void add_container_flags(CLI::App& app, RunFlags& flags) {
    add_text(app, "--rootfs", flags.rootfs, "directory that becomes the container's root");
    add_text(app, "--name", flags.name, "name of the container (default: random)");
    add_text(app, "--hostname", flags.hostname, "host name (default: the container's name)");
    add_text(app, "--entrypoint", flags.entrypoint, "program that gets COMMAND as its arguments");
    add_switch(app, "--rm", flags.remove, "forget the container when it ends (default: true)");
    add_text(app, "--stop-signal", flags.stop_signal, "signal that asks it to end (default: TERM)");
    add_text(app, "--stop-timeout", flags.stop_timeout, "seconds until SIGKILL (default: 10)");
    add_text(app, "--pidfile", flags.pid_file, "write the host pid of the container's init here");
    add_text(app, "--cidfile", flags.id_file, "write the container's name here; must not exist");
    add_text(app, "--log", flags.log, "where output goes: caller (default) or journal");
    add_switch(app, "--dry-run", flags.dry_run, "print the plan as JSON and touch nothing");
    add_switch(app, "--no-pivot", flags.no_pivot, "MS_MOVE and chroot instead of pivot_root");
}

void add_limit_flags(CLI::App& app, LimitFlags& flags) {
    add_text(app, "-m,--memory", flags.memory, "memory limit: bytes, or with k, m, g");
    add_text(app, "--memory-reservation", flags.memory_reservation, "memory kept from reclaim");
    add_text(app,
             "--memory-swap",
             flags.memory_swap,
             "memory and swap together; -1: no limit (default: twice --memory)");
    add_text(app, "--cpus", flags.cpus, "CPU time, in CPUs: 1.5");
    add_text(app, "--cpu-weight", flags.cpu_weight, "share of CPU against others: 1 to 10000");
    add_text(app, "--cpu-shares", flags.cpu_shares, "the same on cgroup v1's scale: 2 to 262144");
    add_text(app, "--cpuset-cpus", flags.cpuset_cpus, "CPUs it may use: 0-3,7");
    add_text(app, "--cpuset-mems", flags.cpuset_mems, "memory nodes it may use: 0,1");
    add_text(app, "--pids-limit,--tasks-max", flags.pids_limit, "most processes and threads");
    add_text(app, "--io-weight", flags.io_weight, "share of disk time: 1 to 10000");
    add_texts(app, "--device-read-bps", flags.device_read_bps, "DEVICE:BYTES a second");
    add_texts(app, "--device-write-bps", flags.device_write_bps, "DEVICE:BYTES a second");
    add_texts(app, "--device-read-iops", flags.device_read_iops, "DEVICE:OPERATIONS a second");
    add_texts(app, "--device-write-iops", flags.device_write_iops, "DEVICE:OPERATIONS a second");
    add_text(app, "--oom-score-adj", flags.oom_score_adj, "-1000 (never killed) to 1000 (first)");
    add_texts(app, "--ulimit", flags.ulimits, "NAME=SOFT[:HARD], as nofile=1024:2048");
    add_texts(app, "-p,--property", flags.properties, "NAME=VALUE: any property of the scope");
    add_text(app, "--slice", flags.slice, "slice of the scope (default: sctr.slice)");
}

void add_namespace_flags(CLI::App& app, NamespaceFlags& flags) {
    constexpr const char* modes = "private (default), host, container:NAME or ns:PATH";
    add_text(app, "--pid", flags.pid, modes);
    add_text(app, "--ipc", flags.ipc, modes);
    add_text(app, "--uts", flags.uts, modes);
    add_text(app, "--cgroupns", flags.cgroup, modes);
    add_text(app,
             "--network,--net",
             flags.network,
             "none (default: loopback alone), host, container:NAME or ns:PATH");
    add_text(app, "--userns", flags.user, "host (default), container:NAME or ns:PATH");
    add_texts(app, "--uidmap", flags.uid_maps, "CONTAINER:HOST:SIZE, in a new user namespace");
    add_texts(app, "--gidmap", flags.gid_maps, "CONTAINER:HOST:SIZE (default: as --uidmap)");
    add_text(app, "--time-offset", flags.time_offset, "monotonic=SECS,boottime=SECS");
}

void add_mount_flags(CLI::App& app, MountFlags& flags) {
    add_switch(app, "--read-only", flags.read_only, "mount the root read-only");
    add_texts(app, "-v,--volume", flags.volumes, "SOURCE:TARGET[:ro,rro,rbind,noexec,...]");
    add_texts(app, "--mount", flags.mounts, "type=bind|tmpfs|devpts,src=...,dst=...[,ro,...]");
    add_texts(app, "--tmpfs", flags.tmpfs, "TARGET[:size=...,mode=...,exec,...]");
    add_text(app, "--shm-size", flags.shm_size, "size of /dev/shm (default: 64m)");
    add_texts(app, "--device", flags.devices, "HOST[:CONTAINER][:rwm]: a device of the host");
}

void add_privilege_flags(CLI::App& app, PrivilegeFlags& flags) {
    add_texts(app, "--cap-add", flags.cap_add, "add a capability, or ALL");
    add_texts(app, "--cap-drop", flags.cap_drop, "drop a capability, or ALL");
    add_texts(app,
              "--security-opt",
              flags.security_opts,
              "no-new-privileges, seccomp=FILE|unconfined, apparmor=PROFILE, label=..., "
              "mask=PATHS, unmask=PATHS|ALL");
    add_texts(app, "--sysctl", flags.sysctls, "NAME=VALUE of a kernel setting with a namespace");
}

} // namespace

void add_process_flags(CLI::App& app, ProcessFlags& flags) {
    add_switch(app, "-i,--interactive", flags.interactive, "pass standard input on");
    add_switch(app, "-t,--tty", flags.tty, "give it a terminal");
    add_texts(app, "-e,--env", flags.env, "NAME=VALUE, or NAME for the caller's value");
    add_texts(app, "--env-file", flags.env_files, "file of NAME=VALUE lines");
    add_text(app, "-w,--workdir", flags.workdir, "working directory");
    add_text(app, "-u,--user", flags.user, "NAME|UID[:GROUP|GID], by the container's own files");
    add_switch(app, "--privileged", flags.privileged, "every capability, no confinement");
}

void add_run_flags(CLI::App& app, RunFlags& flags) {
    // A group is a heading in --help.
    app.option_defaults()->group("Container");
    add_container_flags(app, flags);
    app.option_defaults()->group("Process");
    add_process_flags(app, flags.process);
    app.option_defaults()->group("Limits");
    add_limit_flags(app, flags.limits);
    app.option_defaults()->group("Namespaces");
    add_namespace_flags(app, flags.namespaces);
    app.option_defaults()->group("Files and devices");
    add_mount_flags(app, flags.mounts);
    app.option_defaults()->group("Privileges");
    add_privilege_flags(app, flags.privileges);
    app.option_defaults()->group("Options");
}

RunFlags parse_run_flags(const std::vector<std::string>& words) {
    RunFlags flags;
    CLI::App app("Runs a command in a new container, in the foreground.", "sctr run");
    describe(app,
             "[OPTIONS] --rootfs DIR [--] [COMMAND [ARG...]]",
             {"sctr run -it --rootfs ./debian /bin/bash",
              "sctr run --name db -m 512m --cpus 1.5 -v ./data:/data --rootfs ./pg /bin/postgres",
              "sctr run --dry-run --read-only --tmpfs /tmp --rootfs ./busybox /bin/true"});
    add_run_flags(app, flags);
    auto [flag_words, command] = split_words(app, words);
    parse_flags(app, std::move(flag_words));
    flags.command = std::move(command);
    return flags;
}

} // namespace sctr::cli
