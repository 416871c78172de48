# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers of a plain user, by every way in which people and programs become one."""

import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import DEADLINE, WAIT, Result, eventually, host, unique_name
from services import await_trap
from terminal import Terminal

GUEST = "guest"
ACCOUNT = pwd.getpwnam(GUEST)
RUNTIME = f"/run/user/{ACCOUNT.pw_uid}"
MANAGER = f"/user.slice/user-{ACCOUNT.pw_uid}.slice/user@{ACCOUNT.pw_uid}.service"
PATH = "PATH=/usr/local/bin:/usr/bin:/bin"
ROOTS = {"XDG_RUNTIME_DIR": "/run/user/0", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/0/bus"}

# What stands before a command to have it run by guest. guest's systemd lingers.
WAYS = {
    "run0": ["run0", f"--user={GUEST}", "--background=", "--"],
    "login": ["systemd-run", f"--uid={GUEST}", "-p", "PAMName=login", "--wait", "--pipe", "--quiet", "--"],
    "machinectl": ["systemd-run", f"--machine={GUEST}@.host", "--user", "--wait", "--pipe", "--quiet", "--"],
    "a service": ["systemd-run", f"--uid={GUEST}", "--wait", "--pipe", "--quiet", "--"],
    "su -": ["su", "-", GUEST, "-c", 'exec "$0" "$@"', "--"],
    "su": ["su", GUEST, "-c", 'exec "$0" "$@"', "--"],
    "runuser": ["runuser", "-u", GUEST, "--"],
    # sudo's own default: a new environment, and no session.
    "sudo": ["setpriv", f"--reuid={GUEST}", f"--regid={GUEST}", "--init-groups", "env", "-i", PATH,
             f"HOME={ACCOUNT.pw_dir}", "USER=guest", "LOGNAME=guest", "SUDO_UID=0", "SUDO_USER=root"],
    "cron": ["setpriv", f"--reuid={GUEST}", f"--regid={GUEST}", "--init-groups", "env", "-i", PATH,
             f"HOME={ACCOUNT.pw_dir}", "LOGNAME=guest", "SHELL=/bin/sh"],
    "of root's environment": ["setpriv", f"--reuid={GUEST}", f"--regid={GUEST}", "--init-groups", "env",
                              f"HOME={ACCOUNT.pw_dir}", *(f"{name}={value}" for name, value in ROOTS.items())],
}  # fmt: skip


def by(way, *command, timeout=DEADLINE, **options):
    words = [*(WAYS[way] if isinstance(way, str) else way), *map(str, command)]
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(words, capture_output=True, timeout=timeout, cwd="/", **options)
    return Result(words, done.returncode, done.stdout, done.stderr)


def guest(*command, **options):
    return by("runuser", *command, **options)


@pytest.fixture(scope="module")
def home(rootfs):
    """A root file system that is guest's own."""
    path = tempfile.mkdtemp(prefix="sctr-guest-", dir="/var/tmp")
    os.chmod(path, 0o755)
    subprocess.run(["cp", "-a", rootfs, f"{path}/rootfs"], check=True)
    subprocess.run(["chown", "-R", f"{GUEST}:{GUEST}", path], check=True)
    yield Path(path)
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def own_root(home):
    return home / "rootfs"


@pytest.fixture(autouse=True)
def nothing_of_guests_is_left():
    yield
    units = ["list-units", "--all", "--plain", "--no-legend", "sctr*"]

    def left():
        text = guest("env", f"XDG_RUNTIME_DIR={RUNTIME}", "systemctl", "--user", *units).ok()
        return [line for line in text.splitlines() if "sctr.slice" not in line]

    eventually(lambda: not left(), what="the end of guest's units")
    assert not list(Path(RUNTIME, "sctr").glob("[!.]*"))
    assert not list(Path(ACCOUNT.pw_dir, ".local/share/sctr/containers").glob("[!.]*"))


@pytest.fixture
def name():
    made = unique_name("rs")
    yield made
    guest("sctr", "rm", "-f", made)


# Every way ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_run(own_root, way):
    shown = by(way, "sctr", "run", "--rootfs", own_root, "sh", "-c", "id -u; exit 3")
    assert (shown.status, shown.lines) == (3, ["0"]), shown


def test_device_rules_are_not_a_plain_users(own_root):
    words = ["--rootfs", own_root, "--device-cgroup-rule", "c 1:3 r", "true"]
    guest("sctr", "run", *words).failed(125, "--device-cgroup-rule", "plain user", "as root")


def test_a_time_zone(own_root):
    words = ["--tz", "Asia/Tokyo", "--rootfs", own_root, "date", "-d", "@0", "+%H"]
    assert guest("sctr", "run", *words).ok() == "09"


@pytest.mark.parametrize("way", WAYS)
def test_the_scope_is_of_the_users_systemd(own_root, way):
    shown = by(way, "sctr", "run", "--rootfs", own_root, "--cgroupns", "host", "cat", "/proc/self/cgroup")
    assert re.search(rf"^0::{re.escape(MANAGER)}/.*/sctr-[^/]+\.scope$", shown.ok(), re.M), shown


@pytest.mark.parametrize("way", WAYS)
def test_a_whole_life(own_root, way, name):
    assert by(way, "sctr", "run", "-d", "--name", name, "--rootfs", own_root, "sh", "-c", WAIT).ok() == name
    assert by(way, "sctr", "exec", name, "echo", "here").ok() == "here"
    (row,) = json.loads(by(way, "sctr", "ps", "--json").ok())
    assert (row["id"], row["status"]) == (name, "running")
    assert str(row["pid"]) in by(way, "sctr", "top", name).ok()
    (used,) = json.loads(by(way, "sctr", "stats", "--no-stream", "--json", name).ok())
    assert name in used.values()
    by(way, "sctr", "pause", name).ok()
    assert '"paused"' in by(way, "sctr", "ps", "--json").ok()
    by(way, "sctr", "unpause", name).ok()
    await_trap(row["pid"])
    by(way, "sctr", "stop", name).ok()
    assert by(way, "sctr", "wait", name).ok() == "0"
    by(way, "sctr", "start", name).ok()
    by(way, "sctr", "rm", "-f", name).ok()


@pytest.mark.parametrize("way", ["run0", "su -", "su", "runuser"])
def test_a_terminal(own_root, way):
    words = list(WAYS[way])
    if way == "runuser":
        words = ["runuser", "--pty", "-u", GUEST, "--"]
    command = [*words, "sctr", "run", "-it", "--rootfs", own_root, "sh"]
    with Terminal(*command) as screen:
        screen.expect("[#$] ")
        screen.send("tty; id -u; exit 5\n")
        screen.expect("/dev/(pts/0|console)")
        assert screen.wait() == 5


def test_it_outlives_the_session(own_root, name):
    by("login", "sctr", "run", "-d", "--name", name, "--rootfs", own_root, "sh", "-c", WAIT).ok()
    assert guest("sctr", "exec", name, "echo", "still here").ok() == "still here"


def test_enable(own_root, name):
    guest("sctr", "create", "--name", name, "--rootfs", own_root, "sh", "-c", WAIT).ok()
    guest("sctr", "enable", "--now", name).ok()
    wanted = Path(ACCOUNT.pw_dir, f".config/systemd/user/default.target.wants/sctr@{name}.service")
    assert wanted.is_symlink()
    guest("sctr", "disable", "--now", name).ok()
    assert not wanted.is_symlink()


def test_output_of_a_detached_one(own_root, name):
    guest("sctr", "run", "-d", "--name", name, "--rootfs", own_root, "sh", "-c", WAIT).ok()
    said = lambda: host("journalctl", "-o", "cat", f"CONTAINER_NAME={name}", f"_UID={ACCOUNT.pw_uid}")
    eventually(lambda: "ready" in said(), what="its output in the journal")
    shown = guest("sctr", "logs", name)
    if shown.status != 0:  # where journald keeps no journal for each user
        shown.failed(125, "journal", "systemd-journal")


def test_the_doctor(own_root):
    checks = {row["name"]: row for row in json.loads(guest("sctr", "doctor", "--json").stdout)}
    assert checks["systemd"]["state"] == checks["user session"]["state"] == "ok", checks
    assert checks["subordinate ids"]["state"] == checks["newuidmap"]["state"] == "ok"
    assert "sctr: " not in guest("sctr", "doctor").stderr


# ssh ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ssh(home, tmp_path_factory, free_port):
    """ssh(COMMAND...): over a server of the test's own, on loopback, with PAM as always."""
    server = shutil.which("sshd", path="/usr/sbin")
    if not server:
        pytest.skip("this host has no sshd")
    place = tmp_path_factory.mktemp("ssh")
    for key in ("host", "user"):
        host("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / key)
    keys = home / "authorized_keys"
    shutil.copy(place / "user.pub", keys)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    process = subprocess.Popen(
        [server, "-D", "-e", "-f", "/dev/null", "-h", place / "host", "-p", str(free_port),
         "-o", "ListenAddress=127.0.0.1", "-o", "UsePAM=yes", "-o", "PidFile=none",
         "-o", f"AuthorizedKeysFile={keys}", "-o", "StrictModes=no"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while "listening" not in (line := process.stderr.readline()):
        assert line, "sshd did not start"
    yield ["ssh", "-F", "/dev/null", "-p", str(free_port), "-i", place / "user", "-o", "BatchMode=yes",
           "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
           f"{GUEST}@127.0.0.1", "--"]  # fmt: skip
    process.terminate()
    process.wait()
    process.stderr.close()


@pytest.fixture(scope="module")
def free_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def test_ssh(ssh, own_root, name):
    assert by(ssh, f"sctr run --rootfs {own_root} sh -c 'exit 4'").status == 4
    by(ssh, f"sctr run -d --name {name} --rootfs {own_root} sleep 1000").ok()
    assert guest("sctr", "exec", name, "echo", "still here").ok() == "still here"


# Nobody's session ---------------------------------------------------------------------------------


@pytest.fixture
def loner():
    """An account that is not logged in and does not linger; words that run a command as it."""
    user = unique_name("loner")
    host("useradd", "--create-home", user)
    account = pwd.getpwnam(user)
    yield account, ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "env", "-i", PATH,
                    f"HOME={account.pw_dir}"]  # fmt: skip
    host("loginctl", "disable-linger", user)
    host("loginctl", "terminate-user", user, check=False)
    host("systemctl", "stop", f"user@{account.pw_uid}.service")
    # logind must have forgotten it before the next account gets its uid.
    eventually(lambda: not Path(f"/run/user/{account.pw_uid}").exists(), what="the end of its session")
    eventually(lambda: str(account.pw_uid) not in host("loginctl", "list-users", "--no-legend"))
    host("userdel", "--remove", user)


def test_no_session_at_all(loner, rootfs):
    account, words = loner
    mend = f"loginctl enable-linger {account.pw_uid}"
    run = ["sctr", "run", "--rootfs", rootfs, "id", "-u"]
    for command in (run, ["sctr", "run", "-d", *run[2:]]):
        by(words, *command).failed(125, mend)
    checks = {row["name"]: row for row in json.loads(by(words, "sctr", "doctor", "--json").stdout)}
    assert "loginctl enable-linger" in checks["user session"]["mend"]
    host(*mend.split())
    eventually(lambda: Path(f"/run/user/{account.pw_uid}/bus").exists(), what="its user manager")
    assert by(words, *run).ok() == "0"


def test_an_enabled_one_comes_back(loner, rootfs):
    account, words = loner
    host("loginctl", "enable-linger", account.pw_name)
    eventually(lambda: Path(f"/run/user/{account.pw_uid}/bus").exists(), what="its user manager")
    by(words, "sctr", "run", "-d", "--name", "web", "--rootfs", rootfs, "sh", "-c", WAIT).ok()
    by(words, "sctr", "enable", "web").ok()
    host("systemctl", "restart", f"user@{account.pw_uid}.service", timeout=60)
    eventually(
        lambda: '"running"' in by(words, "sctr", "ps", "--json").stdout, what="its second start"
    )
    by(words, "sctr", "rm", "-f", "web").ok()


def test_no_subordinate_ids(loner, rootfs):
    account, words = loner
    host("loginctl", "enable-linger", account.pw_name)
    eventually(lambda: Path(f"/run/user/{account.pw_uid}/bus").exists(), what="its user manager")
    host("sed", "-i", f"/^{account.pw_name}:/d", "/etc/subuid", "/etc/subgid")
    run = ["sctr", "run", "--rootfs", rootfs]
    shown = by(words, *run, "cat", "/proc/self/uid_map").ok()
    assert shown.split() == ["0", str(account.pw_uid), "1"]
    by(words, *run, "-u", "7", "true").failed(125, "/etc/subuid", "usermod --add-subuids")
    by(words, *run, "--uidmap", "0:100000:1000", "true").failed(125, "newuidmap", "/etc/subuid", "usermod")


# The system's bus is restarted ---------------------------------------------------------------------


@pytest.fixture
def bus_restarted():
    host("systemctl", "reset-failed")
    host("systemctl", "restart", "dbus.service", timeout=60)
    others = ["systemd-logind.service", "systemd-machined.service", "polkit.service"]
    host("systemctl", "try-restart", *others, timeout=60)
    awaited = {"org.freedesktop.systemd1", "org.freedesktop.login1"}
    eventually(lambda: awaited <= set(host("busctl", "list", "--acquired", check=False).split()))
    yield
    host("systemctl", "try-restart", "user@*.service", timeout=60)


def test_the_bus_was_restarted(request, own_root, name):
    """systemd --user does not come back to it by itself, and PID 1 moves no process for it then."""
    run = ["sctr", "run", "--rootfs", own_root]
    guest(*run, "-d", "--name", name, "sh", "-c", WAIT).ok()
    request.getfixturevalue("bus_restarted")
    mend = "systemctl --user daemon-reexec"
    guest(*run, "true").failed(125, "cut off from the system's bus", mend)
    guest("sctr", "exec", name, "true").failed(125, "cut off from the system's bus", mend)
    checks = {row["name"]: row for row in json.loads(guest("sctr", "doctor", "--json").stdout)}
    assert (checks["user manager"]["state"], checks["user manager"]["mend"]) == ("missing", mend), checks
    guest("env", f"XDG_RUNTIME_DIR={RUNTIME}", *mend.split()).ok()
    assert guest(*run, "echo", "hello").ok() == "hello"
    assert guest("sctr", "exec", name, "echo", "here").ok() == "here"
    checks = {row["name"]: row for row in json.loads(guest("sctr", "doctor", "--json").stdout)}
    assert checks["user manager"]["state"] == "ok", checks
