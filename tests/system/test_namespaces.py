# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which namespaces a container has of its own, and which it shares when asked."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import harness
from harness import eventually, sctr, started

FLAGS = {
    "pid": "--pid",
    "ipc": "--ipc",
    "uts": "--uts",
    "net": "--network",
    "cgroup": "--cgroupns",
}
NEW = ["cgroup", "ipc", "mnt", "net", "pid", "uts"]
SHARED = ["time", "user"]
MAPS = ["--uidmap", "0:200000:65536", "--gidmap", "0:300000:65536"]


def mine(kind, pid="self"):
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def inside(run, kind, *flags):
    return several(run, [kind], *flags)[0]


def several(run, kinds, *flags):
    script = "for kind; do readlink /proc/self/ns/$kind; done"
    return run(*flags, "sh", "-c", script, "-", *kinds).ok().splitlines()


def test_the_defaults(run):
    kinds = NEW + SHARED
    found = several(run, kinds)
    assert len(found) == len(kinds)
    for kind, inode in zip(kinds, found):
        assert (inode != mine(kind)) == (kind in NEW), kind


@pytest.mark.parametrize("kind", FLAGS)
def test_the_hosts_namespace(run, kind):
    assert inside(run, kind, FLAGS[kind], "host") == mine(kind)


@pytest.mark.parametrize("kind", FLAGS)
@pytest.mark.parametrize("form", ["ns:{}", "{}"])
def test_a_namespace_by_its_path(start, run, kind, form):
    with start() as other:
        path = f"/proc/{other.init()}/ns/{kind}"
        expected = os.readlink(path)
        assert inside(run, kind, FLAGS[kind], form.format(path)) == expected
        assert expected != mine(kind)


@pytest.mark.parametrize("kind", FLAGS)
def test_a_containers_namespace(start, run, kind):
    with start() as other:
        found = inside(run, kind, FLAGS[kind], f"container:{other.name}")
        assert found == mine(kind, other.init())


def test_all_namespaces_of_a_container_at_once(start, run):
    with start() as other:
        flags = [word for kind in FLAGS for word in (FLAGS[kind], f"container:{other.name}")]
        assert several(run, FLAGS, *flags) == [mine(kind, other.init()) for kind in FLAGS]


@pytest.mark.parametrize("kind", FLAGS)
@pytest.mark.parametrize(
    "value, words",
    [
        ("container:no-such", ["does not exist", "no-such"]),
        ("container:../x", ["invalid container name"]),
        ("container:", []),
        ("ns:/no/such/file", ["/no/such/file"]),
        ("ns:relative", []),
        ("nonsense", ["nonsense"]),
        ("", []),
    ],
)
def test_bad_namespace_values(run, kind, value, words):
    run(FLAGS[kind], value, "true").failed(125, *words)


@pytest.mark.parametrize("kind", FLAGS)
def test_a_path_that_is_not_such_a_namespace(run, kind):
    other = "uts" if kind != "uts" else "ipc"
    for path in (f"/proc/self/ns/{other}", "/etc/passwd", "/proc/self/ns"):
        run(FLAGS[kind], f"ns:{path}", "true").failed(125, path)


def test_a_container_that_has_ended_has_no_namespaces(run):
    name = "ended"
    run("--name", name, "--rm=false", "true").ok()
    try:
        run("--pid", f"container:{name}", "true").failed(125, name, "not running")
    finally:
        sctr("rm", name).ok()


def test_the_first_process_is_number_one(run):
    assert run("sh", "-c", "echo $$ /proc/[0-9]*").ok() == "1 /proc/1"


def test_processes_of_a_shared_pid_namespace_see_each_other(start, run):
    with start() as other:
        text = run("--pid", f"container:{other.name}", "ps", "-o", "pid,args").ok()
        assert "1 sh -c trap" in text


def test_network_none_has_loopback_alone_and_up(run):
    text = run("--network", "none", "ip", "-o", "addr").ok()
    assert "127.0.0.1/8" in text and "::1/128" in text
    assert {line.split()[1] for line in text.splitlines()} == {"lo"}
    talk = "echo word > /dev/shm/index.html; httpd -p 7 -h /dev/shm; until wget -q -O - http://127.0.0.1:7/; do :; done"
    assert run("--network", "none", "sh", "-c", talk).ok() == "word"
    assert run("--network", "none", "ip", "route").ok() == ""


def test_hostname_stays_inside(run):
    before = os.uname().nodename
    assert run("--hostname", "inside", "hostname").ok() == "inside"
    assert os.uname().nodename == before
    run("--uts", "host", "--hostname", "x", "true").failed(125, "--hostname", "uts")


def give_away(root):
    """Makes the ids that MAPS gives to root the owner of everything."""
    for path in [root, *root.rglob("*")]:
        os.lchown(path, 200000, 300000)


def test_a_new_user_namespace(own_rootfs):
    give_away(own_rootfs)
    words = ["run", "--rootfs", own_rootfs, *MAPS]
    script = "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map; touch /made; stat -c %u:%g /made"
    lines = sctr(*words, "sh", "-c", script).ok().splitlines()
    assert lines[:2] == ["0", "0"]
    assert lines[2].split() == ["0", "200000", "65536"]
    assert lines[3].split() == ["0", "300000", "65536"]
    assert lines[4] == "0:0"
    made = os.stat(own_rootfs / "made")
    assert (made.st_uid, made.st_gid) == (200000, 300000)
    for kind in NEW + ["user"]:
        found = sctr(*words, "readlink", f"/proc/self/ns/{kind}").ok()
        assert found != mine(kind), kind


def test_a_user_namespace_with_the_whole_range_of_features(own_rootfs):
    give_away(own_rootfs)
    words = ["run", "--rootfs", own_rootfs, *MAPS]
    assert sctr(*words, "-u", "alice", "id", "-u").ok() == "1234"
    assert sctr(*words, "--read-only", "--tmpfs", "/scratch", "touch", "/scratch/y").ok() == ""
    assert sctr(*words, "sh", "-c", "echo x > /dev/null; head -c 3 /dev/zero | wc -c").ok() == "3"
    assert "lo" in sctr(*words, "--network", "none", "ip", "link").ok()
    assert sctr(*words, "--network", "host", "true").status == 0
    assert sctr(*words, "--pid", "host", "true").status == 0
    assert sctr(*words, "--ipc", "host", "true").status == 0
    assert sctr(*words, "cat", "/proc/sys/kernel/hostname").status == 0
    # Not a way to power over the host: nothing in there is root outside.
    assert sctr(*words, "--privileged", "mknod", "/null2", "c", "1", "3").status != 0


def test_a_joined_user_namespace(own_rootfs):
    give_away(own_rootfs)
    with started(own_rootfs, *MAPS) as other:
        text = sctr(
            "run", "--rootfs", own_rootfs, "--userns", f"container:{other.name}",
            "sh", "-c", "readlink /proc/self/ns/user; id -u; cat /proc/self/uid_map",
        ).ok()  # fmt: skip
        lines = text.splitlines()
        assert lines[0] == mine("user", other.init()) != mine("user")
        assert lines[1] == "0" and lines[2].split() == ["0", "200000", "65536"]


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--uidmap", "0:1"], ["--uidmap", "CONTAINER:HOST:SIZE"]),
        (["--uidmap", "0:1:0"], ["--uidmap"]),
        (["--uidmap", "a:1:1"], ["--uidmap"]),
        (["--uidmap", "0:1:4294967295"], ["--uidmap"]),
        (["--uidmap", "0:1000:10", "--uidmap", "5:5000:10"], ["--uidmap", "overlap"]),
        (["--uidmap", "0:1000:10", "--uidmap", "50:1005:10"], ["--uidmap", "overlap"]),
        (["--uidmap", "0:1000:10", "-u", "alice"], ["1234", "--uidmap"]),
        (["--uidmap", "0:1000:10", "--userns", "host"], ["--userns"]),
        (["--uidmap", "5:1000:10"], []),
        (["--userns", "auto:size=0"], ["--userns auto"]),
        (["--userns", "auto:size=70000"], ["--userns auto"]),
        (["--userns", "auto:uidmapping=0:1:2"], ["--userns", "auto:size="]),
        (["--userns", "auto", "--uidmap", "0:1000:10"], ["--userns auto"]),
        (["--userns", "keep-id"], ["--userns", "keep-id"]),
        (["--userns", "sideways"], ["--userns", "sideways"]),
    ],
)
def test_bad_id_maps(run, flags, words):
    run(*flags, "true").failed(125, *words)


def test_time_offset(run):
    day = 86400
    uptime = run("--time-offset", f"boottime={day}", "cat", "/proc/uptime").ok().split()[0]
    assert day <= float(uptime) - time.clock_gettime(time.CLOCK_BOOTTIME) + 60 < day + 120
    text = run("--time-offset", "monotonic=-5,boottime=7", "cat", "/proc/self/timens_offsets").ok()
    assert [line.split() for line in text.splitlines()] == [
        ["monotonic", "-5", "0"],
        ["boottime", "7", "0"],
    ]
    assert inside(run, "time", "--time-offset", "monotonic=1") != mine("time")


@pytest.mark.parametrize(
    "value", ["", "monotonic", "monotonic=", "monotonic=x", "realtime=1", "monotonic=99999999999"]
)
def test_bad_time_offset(run, value):
    run("--time-offset", value, "true").failed(125, "--time-offset")


def test_the_cgroup_namespace_hides_the_hosts_tree(run):
    assert run("cat", "/proc/self/cgroup").ok().splitlines()[-1] == "0::/"
    name = "cgroupns-host"
    text = run("--name", name, "--cgroupns", "host", "cat", "/proc/self/cgroup").ok()
    assert text.splitlines()[-1].endswith(f"/sctr.slice/sctr-{name}.scope")


def test_cgroup_files_inside_are_the_containers_own(run):
    listing = run("cat", "/sys/fs/cgroup/cgroup.procs").ok().split()
    assert "1" in listing and "0" not in listing
    assert run("ls", "-d", "/sys/fs/cgroup/sctr.slice").status != 0


def test_sysv_ipc_and_mqueue_are_apart(start, run):
    with start(command=["sh", "-c", "touch /dev/mqueue/q /dev/shm/s; echo ready; sleep 1000"]) as one:
        assert run("ls", "/dev/mqueue", "/dev/shm").ok().split() == ["/dev/mqueue:", "/dev/shm:"]
        shared = run("--ipc", f"container:{one.name}", "ls", "/dev/mqueue").ok()
        assert shared == "q"


SHM_WAIT = "touch /dev/mqueue/q /dev/shm/s; echo ready; sleep 1000"


@pytest.mark.parametrize("flags", [(), MAPS], ids=["plain", "userns"])
def test_another_containers_ipc_has_its_shared_memory(start, run, flags):
    with start(*flags, command=["sh", "-c", SHM_WAIT]) as one:
        both = ("--ipc", f"container:{one.name}")
        if flags:  # an ipc namespace belongs to its user namespace
            both += ("--userns", f"container:{one.name}")
        assert run(*both, "ls", "/dev/shm").ok() == "s"
        run(*both, "sh", "-c", "echo word > /dev/shm/heard").ok()
        assert one.exec("cat", "/dev/shm/heard").ok() == "word"
        options = mount_options(run(*both, "cat", "/proc/self/mountinfo").ok(), "/dev/shm")
        assert {"nosuid", "nodev", "noexec"} <= options
        run(*both, "--shm-size", "1m", "true").failed(125, "--shm-size", one.name)
        assert run(*both, "--tmpfs", "/dev/shm", "ls", "/dev/shm").ok() == ""


def mount_options(mountinfo, target):
    for line in mountinfo.splitlines():
        fields = line.split()
        if fields[4] == target:
            return set(fields[5].split(","))
    raise AssertionError(f"nothing is mounted at {target}: {mountinfo}")


def test_the_hosts_ipc_has_its_shared_memory(run):
    shm, queue = Path("/dev/shm/sctr-test"), Path("/dev/mqueue/sctr-test")
    shm.touch()
    queue.touch()
    try:
        listing = run("--ipc", "host", "ls", "/dev/shm", "/dev/mqueue").ok().split()
        assert listing.count("sctr-test") == 2
    finally:
        shm.unlink()
        queue.unlink()


@pytest.mark.parametrize("place", ["/dev/shm", "/dev"])
@pytest.mark.parametrize("target", ["/secret", "../secret", "/proc/1/root/secret"])
def test_a_hostile_shared_memory_leads_nowhere(start, run, own_rootfs, tmp_path, place, target):
    """The other container has links where its /dev or /dev/shm should be."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host/file").touch()
    script = f"""
        umount /dev/shm && rmdir /dev/shm
        if [ {place} = /dev ]; then
            umount /dev/pts /dev/mqueue; umount -l /dev; rmdir /dev || mv /dev /old
        fi
        mkdir -p /secret/shm && touch /secret/file
        ln -s {target} {place} && [ -L {place} ] && echo ready && sleep 1000
    """
    # A privileged one can do to its tree what a careless set of mounts does.
    flags = ("--privileged", "-v", f"{tmp_path}/host:/secret")
    command = ["sh", "-c", script]
    with started(own_rootfs, *flags, command=command) as one:
        run("--ipc", f"container:{one.name}", "true").failed(125, "/dev/shm", "symbolic link")


def test_shared_memory_that_is_no_tmpfs_is_refused(start, run, tmp_path):
    with start("-v", f"{tmp_path}:/dev/shm") as one:
        run("--ipc", f"container:{one.name}", "true").failed(125, "/dev/shm", "tmpfs")


def test_the_keyring_is_the_containers_own(run, probe):
    # KEYCTL_GET_KEYRING_ID of the session keyring.
    first = run("probe", "call", "keyctl", "0", "-3", "0").ok()
    second = run("probe", "call", "keyctl", "0", "-3", "0").ok()
    assert first.startswith("ok ") and first != second


def reuse(pid):
    """A process of the host with that pid."""
    for _ in range(1000):
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        process = subprocess.Popen(["sleep", "1000"])
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    raise AssertionError(f"{pid} is not to be had")


def test_a_pid_that_has_become_another_process_is_not_joined(rootfs, tmp_path):
    """Its namespaces are the host's."""
    fifo = tmp_path / "variables"
    os.mkfifo(fifo)
    with started(rootfs) as other:
        pid = other.init()
        words = ["run", "--network", f"container:{other.name}", "--env-file", fifo, "--rootfs", rootfs, "true"]
        joining = subprocess.Popen(["sctr", *map(str, words)], stderr=subprocess.PIPE, text=True)
        with open(fifo, "w") as variables:  # as soon as it reads them
            os.kill(pid, signal.SIGKILL)
            other.wait()
            eventually(lambda: not Path(f"/proc/{pid}").exists(), what="the end of init")
            stranger = reuse(pid)
            variables.write("A=b\n")
        try:
            _, said = joining.communicate(timeout=harness.DEADLINE)
        finally:
            stranger.kill()
            stranger.wait()
    assert joining.returncode == 125 and "has ended" in said, said
