# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who calls podman: root, or the plain account guest. The tests are the same for both."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import engine
import guest as plain
from harness import CGROUP, host


@dataclass
class Account:
    name: str
    before: list = field(default_factory=list)  # words before a command
    manager: list = field(default_factory=list)  # flags of systemctl
    slice: str = "machine.slice"  # where podman puts containers
    slice_path: Path = CGROUP / "machine.slice"
    services: Path = CGROUP / "system.slice"
    quadlets: Path = Path("/etc/containers/systemd")
    state: str = engine.STATE

    @property
    def is_root(self):
        return self.name == "root"

    def words(self, *command, env=None):
        """A command as this account calls it."""
        more = ["env", *(f"{name}={value}" for name, value in (env or {}).items())] if env else []
        return [*self.before, *more, *map(str, command)]

    def run(self, *command, check=True, **options):
        return host(*self.words(*command), check=check, **options)

    def systemctl(self, *words, check=True):
        return self.run("systemctl", *self.manager, *words, check=check)

    def show(self, unit, *properties):
        """Properties of a unit, as a dictionary."""
        text = self.systemctl("show", unit, "-p", ",".join(properties))
        return dict(line.split("=", 1) for line in text.splitlines())

    def oci(self, *words):
        if self.is_root:
            return engine.oci(*words)
        return engine.oci("--root", self.state, *words)

    def directory(self):
        """A directory of its own, whose path is short enough for sockets."""
        path = tempfile.mkdtemp(prefix="sctr-", dir="/var/tmp")
        shutil.chown(path, self.name, self.name)
        os.chmod(path, 0o755)
        return Path(path)


def _guest():
    home = plain.ACCOUNT.pw_dir
    become = ["setpriv", "--reuid=guest", "--regid=guest", "--clear-groups", "env", "-C", home, "-i"]
    own = CGROUP / plain.USER_SLICE.lstrip("/")
    return Account(
        "guest",
        before=[*become, *(f"{name}={value}" for name, value in plain.ENVIRONMENT.items())],
        manager=["--user"],
        slice="user.slice",
        slice_path=own,
        services=own.parent / "app.slice",
        quadlets=Path(home) / ".config/containers/systemd",
        state=str(plain.STATE),
    )


ALL = {"root": Account("root"), "guest": _guest()}
_chosen = ALL["root"]


def choose(name):
    global _chosen
    _chosen = ALL[name]
    return _chosen


def current():
    return _chosen


def end_pause_process():
    """What rootless podman keeps between its commands to hold a user namespace."""
    subprocess.run([*ALL["guest"].before, "podman", "system", "migrate"], capture_output=True, check=True)
