# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a container may leave behind: units, records, mounts, processes."""

import os
from pathlib import Path

from harness import STATE, host


def units():
    text = host(
        "systemctl", "list-units", "--all", "--plain", "--no-legend", "sctr-*.scope", "sctr@*"
    )
    return {f"unit {line.strip()}" for line in text.splitlines()}


def stored():
    units = Path("/etc/systemd/system").rglob("sctr@*")
    return {f"file {path}" for path in (*Path("/var/lib/sctr/containers").glob("*"), *units)}


def records():
    # What begins with a dot is kept for every container and between them.
    return {f"record {path.name}" for path in STATE.glob("[!.]*")}


def rate_limits():
    """What lifts journald's rate limit for a container while its supervisor is there."""
    return {f"link {path}" for path in Path("/run/systemd/units").glob("log-rate-limit-*:sctr-*")}


def mounts():
    found = set()
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        # systemd mounts credentials, automounts come and go, and podman keeps /run/netns: all without us.
        if not fields[4].startswith(("/run/credentials/", "/run/user/", "/run/netns")):
            found.add(f"mount {fields[0]} at {fields[4]}")
    return found


def processes():
    found = set()
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            name = (path / "comm").read_text().strip()
            state = (path / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue  # it has just ended
        if name.startswith("sctr") and state != "Z":
            found.add(f"process {path.name} {name}")
    return found


def now():
    return units() | stored() | records() | rate_limits() | mounts() | processes()


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
