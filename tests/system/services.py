# SPDX-License-Identifier: LGPL-2.1-or-later
"""What systemd and sctr say of containers that are services."""

import json
import signal
from pathlib import Path

from harness import STATE, eventually, host, sctr


def service_of(name):
    return f"sctr@{name}.service"


def show(name, *properties, unit=None):
    text = host("systemctl", "show", unit or service_of(name), "-p", ",".join(properties))
    return dict(line.split("=", 1) for line in text.splitlines())


def row(name):
    """What `ps -a` says of a container; nothing when it does not know it."""
    rows = json.loads(sctr("ps", "-a", "--json").ok())
    return next((each for each in rows if each["id"] == name), None)


def status(name):
    shown = row(name)
    return shown and (shown["status"], shown.get("exitStatus"))


def init_of(name):
    return json.loads((STATE / name / "state.json").read_text())["pid"]


def await_trap(pid, number=signal.SIGTERM):
    """Until a container's first process has a handler: before that, the kernel drops the signal."""

    def is_caught():
        caught = Path(f"/proc/{pid}/status").read_text().split("SigCgt:")[1].split()[0]
        return int(caught, 16) >> (number - 1) & 1

    eventually(is_caught, what=f"a handler of signal {number}")
