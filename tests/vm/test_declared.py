# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits in the [Service] part of a declared container, as the kernel enforces them."""

import pwd
import subprocess
from pathlib import Path

import pytest

from harness import CGROUP, Result, eventually, unique_name, unit_of

ACCOUNT = pwd.getpwnam("guest")
SLOW = 120

FILE = """\
[Container]
Rootfs={rootfs}
Exec=sh -c 'echo ready; while sleep 1; do :; done'
StopSignal=KILL
[Service]
MemoryMax=32M
MemorySwapMax=0
TasksMax=12
CPUQuota=50%
"""


class Account:
    """Where its files are, and how it calls things."""

    def __init__(self, name):
        self.is_root = name == "root"
        become = ["setpriv", "--reuid=guest", "--regid=guest", "--init-groups", "env", "-C", "/", "-i"]
        become += ["PATH=/usr/bin:/bin", f"HOME={ACCOUNT.pw_dir}", f"XDG_RUNTIME_DIR=/run/user/{ACCOUNT.pw_uid}"]
        self.before = [] if self.is_root else become
        self.files = Path("/etc/sctr") if self.is_root else Path(ACCOUNT.pw_dir, ".config/sctr")
        self.manager = [] if self.is_root else ["--user"]

    def run(self, *words):
        command = [*self.before, *map(str, words)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SLOW)
        return Result(command, done.returncode, done.stdout, done.stderr)

    def systemctl(self, *words):
        return self.run("systemctl", *self.manager, *words)

    def show(self, unit, name):
        return self.systemctl("show", unit, "-P", name).ok()


@pytest.fixture(scope="module", params=["root", "guest"])
def account(request):
    return Account(request.param)


@pytest.fixture
def declared(account, own_rootfs):
    """declared(TEXT): a file with that text, which systemd has read; gives the container's name."""
    made = []
    if not account.is_root:
        subprocess.run(["chown", "-R", "guest:guest", own_rootfs], check=True)

    def make(text):
        name = unique_name("q")
        made.append(name)
        account.run("mkdir", "-p", account.files).ok()
        (account.files / f"{name}.container").write_text(text.format(rootfs=own_rootfs))
        account.systemctl("daemon-reload").ok()
        return name

    yield make
    for name in made:
        account.systemctl("stop", f"{name}.service")
        account.systemctl("reset-failed", f"{name}.service")
        (account.files / f"{name}.container").unlink()
    account.systemctl("daemon-reload").ok()


@pytest.mark.controllers("memory", "pids", "cpu")
def test_limits_of_the_service_are_the_containers(account, declared):
    name = declared(FILE)
    account.systemctl("start", f"{name}.service").ok()
    cgroup = CGROUP / account.show(unit_of(name), "ControlGroup").lstrip("/")
    files = {"memory.max": str(32 << 20), "memory.swap.max": "0", "pids.max": "12", "cpu.max": "50000 100000"}
    assert {file: (cgroup / file).read_text().strip() for file in files} == files
    eaten = account.run("sctr", "exec", name, "sh", "-c", "tail /dev/zero; echo ended with $?")
    assert eaten.stdout == "ended with 137\n", eaten
    assert "oom_kill 1\n" in (cgroup / "memory.events").read_text()
    forks = account.run("sctr", "exec", name, "sh", "-c", "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 9 & done; echo all")
    assert forks.status != 0 and "Resource temporarily unavailable" in forks.stderr and not forks.stdout, forks
    assert account.show(f"{name}.service", "ActiveState") == "active"
    account.systemctl("daemon-reload").ok()
    assert {file: (cgroup / file).read_text().strip() for file in files} == files


@pytest.mark.controllers("memory")
def test_a_container_that_eats_too_much_is_started_again(account, declared):
    text = FILE.replace("while sleep 1; do :; done", "test -e /here && exec sleep 1000; echo > /here; exec tail /dev/zero")
    name = declared(text + "Restart=on-failure\nRestartSec=0\n")
    account.systemctl("start", f"{name}.service").ok()
    eventually(lambda: account.show(f"{name}.service", "NRestarts") == "1", what="the restart")
    eventually(lambda: account.show(f"{name}.service", "ActiveState") == "active", what="the second run")
