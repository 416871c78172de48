# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hostile container that waits for the administrator's `sctr exec`, and a careless caller."""

import os
import signal
import subprocess

import pytest

from harness import WAIT, eventually, host, sctr, started, unit_of

# Where a runtime's fds of the host would be, were they open when the command is looked up.
FDS = range(3, 16)


@pytest.mark.parametrize("fd", FDS)
def test_command_through_an_inherited_fd(own_rootfs, fd):
    """CVE-2024-21626: the kernel looks the command up before it closes anything."""
    (own_rootfs / "bin/evil").symlink_to(f"/proc/self/fd/{fd}/../usr/bin/id")
    with started(own_rootfs) as box:
        assert box.exec("evil").status in (126, 127)


@pytest.mark.parametrize("fd", FDS)
def test_interpreter_through_an_inherited_fd(own_rootfs, fd):
    script = own_rootfs / "bin/script"
    script.write_text(f"#!/proc/self/fd/{fd}/../usr/bin/env id\n")
    script.chmod(0o755)
    with started(own_rootfs) as box:
        assert box.exec("script").status in (126, 127)


@pytest.mark.parametrize("fd", FDS)
def test_working_directory_through_an_inherited_fd(own_rootfs, fd):
    (own_rootfs / "app").symlink_to(f"/proc/self/fd/{fd}/..{own_rootfs}/tmp")
    with started(own_rootfs) as box:
        result = sctr("exec", "-w", "/app", box.name, "sh", "-c", "cd ../../../../..; ls")
        assert result.status == 125, result
        assert sctr("run", "--rootfs", own_rootfs, "-w", "/app", "pwd").status == 125


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_closed_standard_fds_are_not_filled_with_the_hosts_files(rootfs, closed):
    """The next opened file takes the number, and the container would inherit it."""
    report = f'[ "$(readlink /proc/1/fd/{closed})" = /dev/null ]'
    command = ["sctr", "run", "-i", "--rootfs", str(rootfs), "sh", "-c", report]
    done = subprocess.run(command, preexec_fn=lambda: os.close(closed), timeout=30)
    assert done.returncode == 0


def test_exit_status_with_sigchld_ignored_by_the_caller(rootfs):
    command = ["sctr", "run", "--rootfs", str(rootfs), "false"]
    ignore = lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # noqa: E731
    assert subprocess.run(command, preexec_fn=ignore, timeout=30).returncode == 1


def test_killed_supervisor_takes_the_container_along(start):
    with start() as box:
        init = box.init()
        box.process.kill()
        eventually(lambda: not os.path.exists(f"/proc/{init}"), what="the end of the container")
        assert sctr("ps", "-a", "-q").stdout == ""
        assert not box.state.exists()
        unit = lambda: host("systemctl", "list-units", "--plain", "--no-legend", unit_of(box.name))  # noqa: E731
        eventually(lambda: unit() == "", what="the end of the scope")


def test_nohup_is_respected(rootfs):
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    with started(rootfs, command=("sh", "-c", "trap 'echo got HUP' HUP; " + WAIT), preexec_fn=ignore) as box:
        box.send(signal.SIGHUP)
        box.send(signal.SIGTERM)
        assert box.wait() == 0
        assert b"HUP" not in box.process.stdout.read()


def test_exec_pidfile_and_refusals(start, tmp_path):
    with start() as box:
        pidfile = tmp_path / "pid"
        assert box.exec("true").status == 0
        assert sctr("exec", "-d", "--pidfile", pidfile, box.name, "sleep", "1000").status == 0
        pid = int(pidfile.read_text())
        assert os.path.basename(os.readlink(f"/proc/{pid}/cwd")) == ""
        os.kill(pid, signal.SIGKILL)
        sctr("exec", "-d", "-t", box.name, "true").failed(125, "-d -t", "terminal")


def test_a_device_as_passwd_is_not_opened(own_rootfs):
    """Opening some devices of the host is enough to make them act."""
    passwd = own_rootfs / "etc/passwd"
    passwd.unlink()
    os.mkfifo(passwd)
    sctr("run", "--rootfs", own_rootfs, "-u", "alice", "true").failed(125, "/etc/passwd", "not a file")


def test_terminal_of_exec_in_a_user_namespace(start):
    with start("--uidmap", "0:200000:65536", "--gidmap", "0:200000:65536") as box:
        result = sctr("exec", "-t", box.name, "sh", "-c", "test -t 0 && id -u")
        assert (result.status, result.stdout.strip()) == (0, "0"), result


def test_rest_of_a_shared_pid_namespace_ends_with_init(run):
    result = run("--pid", "host", "--stop-timeout", "60", "sh", "-c", "sleep 1000 & exit 3", timeout=20)
    assert result.status == 3, result
