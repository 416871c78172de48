# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits of a plain user's containers: those whose controllers are delegated, and the others."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import CGROUP, WAIT, Result, eventually, host, unique_name

SLOW = 120
ACCOUNT = pwd.getpwnam("guest")
MANAGER = f"user@{ACCOUNT.pw_uid}.service"
AS_GUEST = ["setpriv", "--reuid=guest", "--regid=guest", "--init-groups", "env", "-i",
            "PATH=/usr/bin:/bin", f"HOME={ACCOUNT.pw_dir}"]  # fmt: skip


def guest(*words):
    command = [*AS_GUEST, *map(str, words)]
    done = subprocess.run(command, capture_output=True, timeout=SLOW, cwd="/", stdin=subprocess.DEVNULL)
    return Result(command, done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def guest_rootfs(rootfs):
    path = tempfile.mkdtemp(prefix="sctr-guest-", dir="/var/tmp")
    os.chmod(path, 0o755)
    subprocess.run(["cp", "-a", rootfs, f"{path}/rootfs"], check=True)
    subprocess.run(["chown", "-R", "guest:guest", path], check=True)
    yield f"{path}/rootfs"
    shutil.rmtree(path)


@pytest.fixture
def delegated():
    """What guest's systemd has been given."""
    path = CGROUP / f"user.slice/user-{ACCOUNT.pw_uid}.slice" / MANAGER / "cgroup.controllers"
    return lambda: set(path.read_text().split())


@pytest.mark.controllers("memory", "pids", "cpu")
def test_limits_are_enforced(guest_rootfs, delegated):
    assert {"memory", "pids", "cpu"} <= delegated(), "as Debian delegates them"
    name = unique_name()
    flags = ["-m", "32m", "--pids-limit", "50", "--cpus", "0.5"]
    run = ["sctr", "run", *flags, "--rootfs", guest_rootfs]
    guest(*run, "-d", "--name", name, "sh", "-c", WAIT).ok()
    try:
        (row,) = json.loads(guest("sctr", "ps", "--json").ok())
        line = Path(f"/proc/{row['pid']}/cgroup").read_text().strip()
        cgroup = CGROUP / line.removeprefix("0::/")
        files = {"memory.max": str(32 << 20), "pids.max": "50", "cpu.max": "50000 100000"}
        assert {file: (cgroup / file).read_text().strip() for file in files} == files
        guest("sctr", "update", "-m", "48m", name).ok()
        assert (cgroup / "memory.max").read_text().strip() == str(48 << 20)
    finally:
        guest("sctr", "rm", "-f", name).ok()
    killed = guest(*run, "tail", "/dev/zero")
    assert killed.status == 137 and "memory" in killed.stderr, killed


@pytest.mark.controllers("cpuset")
def test_what_is_not_delegated_and_what_mends_it(guest_rootfs, delegated):
    assert "cpuset" not in delegated(), "as Debian delegates them"
    run = ["sctr", "run", "--cpuset-cpus", "0", "--rootfs", guest_rootfs]
    run += ["grep", "Cpus_allowed_list", "/proc/self/status"]
    error = guest(*run).failed(125, "--cpuset-cpus", "'cpuset'", "systemctl edit user@.service")
    line = "Delegate=" + error.split("Delegate=")[1].split(",")[0].split("'")[0].split('"')[0]
    drop_in = Path("/etc/systemd/system/user@.service.d/sctr-test.conf")
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text(f"[Service]\n{line}\n")
    try:
        log_in_again()
        assert guest(*run).ok().split() == ["Cpus_allowed_list:", "0"]
    finally:
        drop_in.unlink()
        log_in_again()


def log_in_again():
    host("systemctl", "daemon-reload", timeout=SLOW)
    host("systemctl", "restart", MANAGER, timeout=SLOW)
    eventually(Path(f"/run/user/{ACCOUNT.pw_uid}/bus").exists, what="guest's systemd")
