# SPDX-License-Identifier: LGPL-2.1-or-later
"""Detached and declared containers of a plain user, whose systemd lingers without a session."""

import grp
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "oci"))

from guest import ACCOUNT, RUNTIME, guest, options, systemctl  # noqa: E402
from harness import WAIT, eventually, unique_name  # noqa: E402
from services import await_trap  # noqa: E402

HOME = Path(ACCOUNT.pw_dir)
RECORDS = RUNTIME / "sctr"
STORED = HOME / ".local/share/sctr/containers"
FILES = HOME / ".config/sctr"


def sctr(*args):
    return guest("sctr", *args)


def logs(name):
    """Of a journal that is not persistent, users read their part as members of a group."""
    as_guest = {**options(), "extra_groups": [grp.getgrnam("systemd-journal").gr_gid]}
    return subprocess.run(["sctr", "logs", name], capture_output=True, text=True, **as_guest).stdout


def row(name):
    rows = json.loads(sctr("ps", "-a", "--json").ok())
    return next((each for each in rows if each["id"] == name), None)


def state_of(unit):
    return guest("systemctl", "--user", "is-active", unit).stdout.strip()


@pytest.fixture(scope="module")
def root():
    """A root file system of guest's own: busybox."""
    path = HOME / unique_name("root")
    guest("mkdir", "-p", path / "bin").ok()
    guest("cp", "/bin/busybox", path / "bin/busybox").ok()
    for name in ("sh", "sleep", "echo", "id", "true"):
        guest("ln", "-s", "busybox", path / "bin" / name).ok()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def name():
    each = unique_name("u")
    yield each
    sctr("rm", "-f", each)
    assert not (RECORDS / each).exists() and not (STORED / each).exists()


@pytest.fixture
def declared(root):
    """declared(KEYS): a file in ~/.config/sctr that guest's systemd has read; its name."""
    files = []

    def make(keys="", rest=""):
        each = unique_name("u")
        FILES.mkdir(parents=True, exist_ok=True)
        file = FILES / f"{each}.container"
        files.append(file)
        command = "sh -c 'echo $$A; trap \"exit 0\" TERM; while sleep 1000 & wait $$!; do :; done'"
        file.write_text(f"[Container]\nRootfs={root}\nExec={command}\n{keys}\n{rest}\n")
        systemctl("daemon-reload")
        return each

    yield make
    for file in files:
        guest("systemctl", "--user", "stop", f"{file.stem}.service")
        file.unlink()
    systemctl("daemon-reload")


def test_detached(root, name):
    words = ["--health-cmd", "true", "--health-interval", "100ms", "--restart", "always"]
    assert sctr("run", "-d", "--name", name, *words, "--rootfs", root, "sh", "-c", WAIT).ok() == name
    unit = f"sctr@{name}.service"
    assert state_of(unit) == "active" and row(name)["status"] == "running"
    eventually(lambda: row(name)["health"] == "healthy")
    assert sctr("exec", name, "id", "-u").ok() == "0"
    eventually(lambda: logs(name) == "ready\n")
    sctr("restart", name).ok()
    await_trap(row(name)["pid"])
    sctr("stop", name).ok()
    assert state_of(unit) == "inactive" and row(name)["status"] == "stopped"
    (shown,) = json.loads(sctr("inspect", name).ok())
    assert shown["exitStatus"] == 0
    sctr("start", name).ok()
    systemctl("stop", unit)
    assert row(name)["status"] == "stopped"


def test_enable(root, name):
    sctr("create", "--name", name, "--rootfs", root, "sh", "-c", WAIT).ok()
    sctr("enable", name).ok()
    link = HOME / ".config/systemd/user/default.target.wants" / f"sctr@{name}.service"
    assert link.is_symlink()
    wants = guest("systemctl", "--user", "show", "default.target", "-P", "Wants").ok()
    assert link.name in wants
    sctr("disable", name).ok()
    assert not link.is_symlink()


def test_with_a_terminal(root, name):
    sctr("run", "-d", "-t", "--name", name, "--rootfs", root, "sh", "-c", "echo one; echo two").ok()
    sctr("wait", name).ok()
    eventually(lambda: logs(name) == "one\ntwo\n")


def test_declared(declared):
    name = declared("Environment=A=%u", "[Install]\nWantedBy=default.target")
    unit = f"{name}.service"
    assert unit in guest("systemctl", "--user", "show", "default.target", "-P", "Wants").ok()
    assert row(name)["status"] == "created"
    systemctl("start", unit)
    assert row(name)["status"] == "running"
    eventually(lambda: logs(name) == "guest\n")
    # By its name it is found only where systemd-analyze runs the generators itself.
    verified = guest("systemd-analyze", "--user", "verify", RUNTIME / "systemd/generator" / unit)
    assert verified.ok() == "" and verified.stderr == ""
    sctr("stop", name).ok()
    assert state_of(unit) in ("inactive", "failed") and row(name)["status"] == "stopped"


def test_an_error_is_in_the_journal(declared):
    name = declared("Pod=x")
    assert state_of(f"{name}.service") == "inactive"
    shown = sctr("generate", FILES / f"{name}.container")
    assert shown.status == 1 and ":4: Pod=: not supported yet (use Network=container:" in shown.stderr
