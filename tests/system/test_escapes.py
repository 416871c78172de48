# SPDX-License-Identifier: LGPL-2.1-or-later
"""The escapes that other runtimes had: each must fail here."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from harness import eventually, sctr, started
from terminal import Terminal


def run_in(root, *words, **options):
    return sctr("run", "--rootfs", root, *words, **options)


def replace(path, target):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.symlink_to(target)


@pytest.fixture
def bait(tmp_path):
    """A directory of the host that a container must not reach."""
    path = tmp_path / "bait"
    path.mkdir()
    (path / "file").write_text("untouched")
    yield path
    assert sorted(os.listdir(path)) == ["file"]
    assert (path / "file").read_text() == "untouched"


# CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2026-41579, CVE-2026-47766
@pytest.mark.parametrize("name", ["proc", "sys", "dev"])
@pytest.mark.parametrize("target", ["{bait}", "tmp", "/", "../../../{bait}", "self"])
def test_a_symlink_for_what_protects(own_rootfs, bait, name, target):
    replace(own_rootfs / name, target.format(bait=bait))
    error = run_in(own_rootfs, "true").failed(125, f"/{name}")
    assert "symbolic link" in error


# The same, further down.
@pytest.mark.parametrize("name", ["pts", "shm", "mqueue"])
def test_a_symlink_below_dev_is_covered_by_the_new_dev(own_rootfs, bait, name):
    (own_rootfs / "dev" / name).symlink_to(bait)
    assert run_in(own_rootfs, "sh", "-c", f"test ! -L /dev/{name} && echo own").ok() == "own"


# CVE-2019-19921: /proc that is a file system of the container's own choice.
def test_proc_is_procfs(own_rootfs):
    (own_rootfs / "proc/self").mkdir()
    (own_rootfs / "proc/self/attr").mkdir()
    assert run_in(own_rootfs, "stat", "-f", "-c", "%T", "/proc").ok() == "proc"


# CVE-2025-31133: the mask's source is taken from the rootfs' own /dev/null.
def test_a_dev_null_symlink_in_the_rootfs(own_rootfs, bait):
    (own_rootfs / "dev/null").symlink_to(bait / "file")
    result = run_in(own_rootfs, "sh", "-c", "echo x > /dev/null; stat -c %t:%T /dev/null; cat /proc/interrupts")
    assert result.ok() == "1:3"


# CVE-2025-31133 again: the caller's own /dev keeps whatever is there.
def test_a_dev_of_the_callers_own_with_a_dev_null_symlink(own_rootfs, tmp_path, bait):
    fake = tmp_path / "fake-dev"
    fake.mkdir()
    (fake / "null").symlink_to(bait / "file")
    assert run_in(own_rootfs, "-v", f"{fake}:/dev", "cat", "/proc/interrupts").stdout == ""


# CVE-2025-52565: /dev/console or /dev/pts/N is a symlink.
@pytest.mark.parametrize("name", ["console", "ptmx", "pts/0"])
def test_a_console_symlink(own_rootfs, bait, name):
    (own_rootfs / "dev/pts").mkdir(exist_ok=True)
    (own_rootfs / "dev" / name).symlink_to(bait / "file")
    command = ["sctr", "run", "-it", "--rootfs", own_rootfs, "sh", "-c", "echo to it > /dev/console"]
    with Terminal(*command) as screen:
        screen.expect("to it")
        assert screen.wait() == 0


def test_a_console_symlink_in_a_dev_of_the_callers_own(own_rootfs, tmp_path, bait):
    fake = tmp_path / "fake-dev"
    (fake / "pts").mkdir(parents=True)
    (fake / "console").symlink_to(bait / "file")
    os.mknod(fake / "pts/ptmx", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    result = sctr("run", "-t", "--rootfs", own_rootfs, "-v", f"{fake}:/dev", "true")
    result.failed(125)


# CVE-2019-18837, CVE-2021-30465: a mount target that is, or goes through, a symlink.
@pytest.mark.parametrize(
    "link, to, target",
    [
        ("link", "{bait}", "/link"),
        ("link", "../../../../../..{bait}", "/link"),
        ("link", "/", "/link{bait}"),
        ("link", "/proc/self/root", "/link/etc"),
        ("link", "/proc/1/root{bait}", "/link"),
        ("etc/link", "..", "/etc/link/placed"),
        ("a", "b", "/a/x"),
        ("b", "b", "/b"),
    ],
)
@pytest.mark.parametrize("kind", ["volume", "tmpfs", "file"])
def test_a_mount_target_stays_below_the_root(own_rootfs, tmp_path, bait, link, to, target, kind):
    source = tmp_path / "source"
    source.mkdir()
    (source / "mark").write_text("mark")
    (own_rootfs / link).symlink_to(to.format(bait=bait))
    target = target.format(bait=bait)
    flags = {
        "volume": ["-v", f"{source}:{target}"],
        "tmpfs": ["--tmpfs", target],
        "file": ["-v", f"{source}/mark:{target}/mark"],
    }[kind]
    before = open("/proc/self/mountinfo").read()
    result = run_in(own_rootfs, *flags, "sh", "-c", f"echo inside > {target}/mark; cat {target}/mark")
    # Either refused, or resolved inside the root; the bait tells whether it was.
    assert result.status in (0, 125), result
    assert open("/proc/self/mountinfo").read() == before


# CVE-2021-30465: the target is swapped for a symlink while the container starts.
def test_a_race_for_the_mount_target(own_rootfs, bait, background):
    (own_rootfs / "race").mkdir()
    (own_rootfs / "other").symlink_to(bait)
    swapper = Path(__file__).parent.parent / "oci/swap.py"
    background("python3", swapper, own_rootfs / "race", own_rootfs / "other")
    # By default as many as take a second or two; SCTR_TEST_RACES=1000 for a night.
    for _ in range(int(os.environ.get("SCTR_TEST_RACES", "40"))):
        result = run_in(own_rootfs, "--tmpfs", "/race/deeper", "--tmpfs", "/race", "true")
        assert result.status in (0, 125), result


# CVE-2024-45310: nothing is made on the host while mount points are made.
def test_mount_points_are_made_below_the_root_only(own_rootfs, bait):
    (own_rootfs / "out").symlink_to(bait)
    result = run_in(own_rootfs, "-v", "/etc/hostname:/out/new-file", "cat", "/out/new-file")
    assert result.status in (0, 125)
    result = run_in(own_rootfs, "-v", "/etc:/out/new-directory", "true")
    assert result.status in (0, 125)


# CVE-2024-21626: a working directory through a file descriptor of the runtime.
@pytest.mark.parametrize("number", range(3, 16))
def test_a_workdir_in_an_open_file(run, number):
    for path in (f"/proc/self/fd/{number}", f"/proc/self/fd/{number}/../../.."):
        result = run("-w", path, "sh", "-c", "ls -A; cat etc/hostname ../../../../etc/hostname")
        assert "sctr-host" not in result.stdout and "var/cache" not in result.stdout
        if result.status == 125:
            result.failed(125, "working directory")


@pytest.mark.parametrize("number", range(3, 16))
def test_exec_with_a_workdir_in_an_open_file(start, number):
    with start() as container:
        result = sctr("exec", "-w", f"/proc/self/fd/{number}", container.name, "ls", "-A", "..")
        assert result.status != 0 or "sctr" not in result.stdout


def test_a_workdir_that_is_a_symlink_to_an_open_file(own_rootfs):
    for number in range(3, 12):
        link = own_rootfs / f"link{number}"
        link.symlink_to(f"/proc/self/fd/{number}")
        result = run_in(own_rootfs, "-w", f"/link{number}", "sh", "-c", "cat ../../../../etc/hostname")
        assert "sctr-host" not in result.stdout, result


# CVE-2019-5736, CVE-2022-0847: the runtime's own program through /proc/self/exe.
def test_the_command_is_the_runtime(own_rootfs):
    """A container whose command is /proc/self/exe gets no program of the host."""
    before = open("/usr/bin/sctr", "rb").read()
    for command in (["/proc/self/exe"], ["/proc/1/exe"], ["/link"]):
        if command == ["/link"]:
            (own_rootfs / "link").symlink_to("/proc/self/exe")
        result = run_in(own_rootfs, *command)
        assert result.status != 0
    assert open("/usr/bin/sctr", "rb").read() == before


def everything_from(container):
    sctr("kill", container.name).ok()
    return container.seen + container.process.stdout.read()


def test_the_runtime_cannot_be_written_from_inside(probe, own_rootfs):
    """exec joins the container: whoever waits for it there sees no program to overwrite."""
    before = os.stat("/usr/bin/sctr")
    script = (
        "echo ready; while :; do for exe in /proc/[0-9]*/exe; do "
        "case $(readlink $exe) in *sctr*) echo seen $(readlink $exe) $(probe open w $exe);; esac; "
        "done; done"
    )
    with started(own_rootfs, command=["sh", "-c", script]) as container:
        for _ in range(10):
            container.exec("true").ok()
        rest = everything_from(container)
    for line in rest.decode().splitlines():
        assert "memfd:sctr-init" in line or "ETXTBSY" in line or "EACCES" in line or "EPERM" in line
        assert "/usr/bin/sctr" not in line and not line.endswith(" ok"), line
    after = os.stat("/usr/bin/sctr")
    assert (after.st_ino, after.st_size, after.st_mtime) == (
        before.st_ino, before.st_size, before.st_mtime,
    )  # fmt: skip


def test_exec_cannot_be_traced_from_inside(own_rootfs):
    """CVE-2016-9962: what joins a container cannot be opened before it is the user's command."""
    script = (
        "echo ready; while :; do for d in /proc/[0-9]*/fd/*; do "
        "case $(readlink $d) in /usr/*|/var/cache/*|*socket*) echo seen $d $(readlink $d);; esac; done; done"
    )
    with started(own_rootfs, command=["sh", "-c", script]) as container:
        for _ in range(10):
            container.exec("true").ok()
        rest = everything_from(container).decode()
    assert "seen" not in rest, rest


# CVE-2022-29162, CVE-2022-27650
def test_the_inheritable_set_is_empty(run):
    for flags in ([], ["--cap-add", "NET_ADMIN"], ["--privileged"], ["-u", "alice"]):
        text = run(*flags, "grep", "CapInh", "/proc/self/status").ok()
        assert int(text.split()[1], 16) == 0, flags


# CVE-2023-25809
def test_the_hosts_cgroups_cannot_be_written(run):
    for flags in ([], ["--cgroupns", "host"]):
        result = run(*flags, "sh", "-c", "mkdir /sys/fs/cgroup/made || echo 1 > /sys/fs/cgroup/cgroup.procs")
        assert result.status != 0, flags
    assert not os.path.exists("/sys/fs/cgroup/made")


# CVE-2026-30892: a user that is parsed wrongly must not become root.
@pytest.mark.parametrize(
    "user", ["0x3e8", "1e3", "+5", "５", "0 ", "1000:", "4294967296", "-0", "1000\n", "alice:0x0"]
)
def test_an_odd_user_is_refused(start, user):
    with start() as container:
        sctr("exec", "-u", user, container.name, "id").failed(125, "-u")


# CVE-2026-115520, CVE-2026-115521, CVE-2025-52881: writes to /proc go where they are meant to.
def test_sysctls_are_written_to_the_real_proc(own_rootfs, bait):
    shutil.rmtree(own_rootfs / "proc")
    (own_rootfs / "proc/sys/net/ipv4").mkdir(parents=True)
    (own_rootfs / "proc/sys/net/ipv4/ip_forward").symlink_to(bait / "file")
    words = ["--sysctl", "net.ipv4.ip_forward=1", "cat", "/proc/sys/net/ipv4/ip_forward"]
    assert run_in(own_rootfs, *words).ok() == "1"


def test_a_proc_of_the_callers_own_takes_no_sysctl(own_rootfs, tmp_path):
    """CVE-2025-52881: a volume over /proc cannot catch what the runtime writes."""
    fake = tmp_path / "fake-proc"
    (fake / "sys/net/ipv4").mkdir(parents=True)
    (fake / "sys/net/ipv4/ip_forward").write_text("caught nothing")
    flags = ["-v", f"{fake}:/proc", "--sysctl", "net.ipv4.ip_forward=1"]
    result = run_in(own_rootfs, *flags, "true")
    assert result.status in (0, 125)
    assert (fake / "sys/net/ipv4/ip_forward").read_text() == "caught nothing"


def test_account_files_are_read_inside_the_root(own_rootfs):
    for name, secret in (("passwd", "/etc/passwd"), ("group", "/etc/group")):
        (own_rootfs / "etc" / name).unlink()
        (own_rootfs / "etc" / name).symlink_to(f"../../../../../../../..{secret}")
    # guest is an account of the host; a link that leads out ends at the root, where it loops.
    assert run_in(own_rootfs, "-u", "guest", "true").status == 125


@pytest.mark.parametrize("kind", ["fifo", "device", "directory", "huge"])
def test_account_files_that_are_none(own_rootfs, kind):
    path = own_rootfs / "etc/passwd"
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    elif kind == "directory":
        path.mkdir()
    else:
        with open(path, "w") as file:
            file.truncate(1 << 40)
    run_in(own_rootfs, "true").failed(125, "/etc/passwd")


def test_the_hosts_processes_and_mounts_are_not_seen(run, background):
    marker = background("sleep", "98765")
    assert marker.poll() is None
    assert "98765" not in run("ps", "-o", "args").ok()
    assert "/usr/bin" not in run("cat", "/proc/self/mountinfo").ok()


def test_chroot_and_dots_do_not_lead_out(own_rootfs):
    script = "mkdir /jail; chroot /jail /bin/true 2>/dev/null; cd ../../../../../..; ls -A"
    found = run_in(own_rootfs, "sh", "-c", script).ok().split()
    assert sorted(found) == sorted(os.listdir(own_rootfs))


def test_the_rest_of_the_scope_ends_with_it(run):
    """A daemon that left its session and group still ends with the container."""
    run("--pid", "host", "sh", "-c", "setsid sh -c 'sleep 86753 & sleep 86753' & sleep 0").ok()
    eventually(lambda: "86753" not in subprocess.check_output(["ps", "-eo", "args"], text=True))
