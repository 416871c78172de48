# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an engine's container may leave behind, wherever the engine keeps it."""

from pathlib import Path

import callers
import engine
import guest
import leftovers
from harness import CGROUP, host

PROCESSES = ("conmon", "catatonit", "containerd-shim")
SLICES = ("machine.slice", "sctr.slice", "sctrtest.slice")


PATTERNS = ("libpod*", "cri-*", "buildah-*", "sctr-*")


def units():
    account = callers.current()
    text = account.systemctl("list-units", "--all", "--plain", "--no-legend", *PATTERNS)
    return {f"unit {line.split()[0]}" for line in text.splitlines() if ".slice" not in line.split()[0]}


def cgroups():
    return {
        f"cgroup {path.parent}"
        for name in SLICES
        for path in (CGROUP / name).glob("**/cgroup.procs")
        if not path.parent.name.endswith(".slice")
    }


def records():
    return {f"record {path}" for root in (engine.STATE, guest.STATE) for path in Path(root).glob("[!.]*")}


def engines():
    found = set()
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            name = path.read_text().strip()
            words = (path.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has just ended
        # `catatonit -P` is what rootless podman keeps to hold its user namespace.
        if name.startswith(PROCESSES) and b"-P" not in words:
            found.add(f"process {path.parent.name} {name}")
    return found


def now():
    mounts = {mount for mount in leftovers.mounts() if not mount.startswith("mount nsfs")}
    return units() | cgroups() | records() | engines() | mounts | leftovers.processes()
