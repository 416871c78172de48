# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs commands as the plain account guest, whose systemd --user lingers."""

import os
import pwd
import subprocess
from pathlib import Path

import harness
from harness import DEADLINE

ACCOUNT = pwd.getpwnam("guest")
RUNTIME = Path(f"/run/user/{ACCOUNT.pw_uid}")
STATE = RUNTIME / "sctr-oci"
USER_SLICE = (
    f"/user.slice/user-{ACCOUNT.pw_uid}.slice/user@{ACCOUNT.pw_uid}.service/user.slice"
)
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": ACCOUNT.pw_dir,
    "USER": ACCOUNT.pw_name,
    "LOGNAME": ACCOUNT.pw_name,
    "LANG": "C.UTF-8",
    "XDG_RUNTIME_DIR": str(RUNTIME),
}


def options(env=None):
    """For subprocess: the account without a session, as a service or `podman` hands it on."""
    environment = {**ENVIRONMENT, **(env or {})}
    return {
        "user": ACCOUNT.pw_uid,
        "group": ACCOUNT.pw_gid,
        "extra_groups": [],
        "env": {name: value for name, value in environment.items() if value is not None},
        "cwd": ACCOUNT.pw_dir,
        "stdin": subprocess.DEVNULL,
    }


def guest(*command, env=None, timeout=DEADLINE):
    """Runs a command of the host as guest to its end; a variable that is None is unset."""
    command = list(map(os.fspath, map(str, command)))
    done = subprocess.run(command, capture_output=True, timeout=timeout, **options(env))
    return harness.Result(command, done.returncode, done.stdout, done.stderr)


def oci(*args, **more):
    return guest("sctr-oci", *args, **more)


def systemctl(*args):
    return guest("systemctl", "--user", *args).ok()


def scopes():
    """The containers' scopes that guest's systemd knows."""
    text = systemctl(
        "list-units", "--all", "--plain", "--no-legend", "sctr-*.scope", "libpod-*.scope"
    )
    return {line.split()[0] for line in text.splitlines()}
