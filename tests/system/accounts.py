# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plain accounts beside guest: what they may do of the system's manager."""

import contextlib
import os
import pwd
import subprocess

from harness import DEADLINE, Result, host

MEMBER, STRANGER, READER = "sctr-member", "sctr-stranger", "sctr-reader"
GROUPS = {MEMBER: ["-G", "sctr"], STRANGER: [], READER: ["-G", "sctr,systemd-journal"]}


@contextlib.contextmanager
def made():
    """The group as a package makes it, accounts in it and one that is not."""
    host("systemd-sysusers")
    host("systemctl", "reload", "dbus.service")
    host("systemctl", "try-restart", "polkit.service")
    for name, groups in GROUPS.items():
        host("useradd", "--no-create-home", "--shell", "/bin/sh", *groups, name)
    try:
        yield
    finally:
        for name in GROUPS:
            host("userdel", name)


def words_as(user, *command):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *map(str, command)]


def run_as(user, *command):
    """Without a terminal, so that there is nobody to ask for a password."""
    return subprocess.run(
        words_as(user, *command), capture_output=True, text=True, timeout=DEADLINE,
        stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def sctr_as(user, *words, timeout=DEADLINE):
    """`sctr --system` as a person without a terminal calls it."""
    command = words_as(user, "sctr", "--system", *words)
    done = subprocess.run(
        command, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, cwd="/",
        start_new_session=True, env={"PATH": os.environ["PATH"], "HOME": pwd.getpwnam(user).pw_dir},
    )  # fmt: skip
    return Result(command, done.returncode, done.stdout, done.stderr)
