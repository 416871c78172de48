# SPDX-License-Identifier: LGPL-2.1-or-later
"""The three ways in which containers live: beside their caller, as a service, and as an engine's."""

import contextlib
import json
from pathlib import Path

import bundles
from harness import CGROUP, STATE, WAIT, eventually, host, sctr, started, unique_name, unit_of

LIMITS = ["--device", "/dev/full:r"]
if {"memory", "pids"} <= set((CGROUP / "cgroup.controllers").read_text().split()):
    LIMITS += ["-m", "64m", "--memory-swap", "64m", "--pids-limit", "77"]


class Living:
    """A container that runs, whoever made it. Its command has printed "ready"."""

    state = STATE

    def __init__(self, name):
        self.name = name
        self.unit = unit_of(name)

    def cgroup(self):
        return CGROUP / "sctr.slice" / self.unit

    def init(self):
        return json.loads((self.state / self.name / "state.json").read_text())["pid"]

    def exec(self, *command):
        return sctr("exec", self.name, *command)

    def pause(self):
        sctr("pause", self.name).ok()

    def unpause(self):
        sctr("unpause", self.name).ok()

    def stop(self):
        sctr("stop", self.name).ok()

    def status(self):
        rows = json.loads(sctr("ps", "-a", "--json").ok())
        return next((row["status"] for row in rows if row["id"] == self.name), None)

    def properties(self):
        """What systemd enforces; the order of devices is its own affair."""
        wanted = "ActiveState,MemoryMax,MemorySwapMax,TasksMax,DevicePolicy,DeviceAllow,Slice"
        return sorted(host("systemctl", "show", self.unit, "-p", wanted).splitlines())

    def await_end(self):
        """Until its supervisor, or the engine's command, has seen that it has ended."""
        eventually(lambda: self.status() in (None, "stopped"), what="the end")
        eventually(lambda: not self.cgroup().exists(), what="the end of the scope")


class Engines(Living):
    state = Path("/run/sctr-oci")

    def exec(self, *command):
        return bundles.sctr_oci("exec", self.name, *command)

    def pause(self):
        bundles.sctr_oci("pause", self.name).ok()

    def unpause(self):
        bundles.sctr_oci("resume", self.name).ok()

    def stop(self):
        bundles.sctr_oci("kill", self.name, "TERM").ok()

    def status(self):
        return json.loads(bundles.sctr_oci("state", self.name).ok())["status"]


@contextlib.contextmanager
def foreground(rootfs, bundle, command=("sh", "-c", WAIT)):
    with started(rootfs, *LIMITS, command=command) as container:
        yield Living(container.name)
        # Whoever ended it, its supervisor knows how.
        if container.process.poll() is None and not container.cgroup().exists():
            container.wait()


@contextlib.contextmanager
def detached(rootfs, bundle, command=("sh", "-c", WAIT)):
    container = Living(unique_name("d"))
    words = ["run", "-d", "--name", container.name, *LIMITS, "--rootfs", rootfs, *command]
    sctr(*words).ok()
    try:
        journal = ["journalctl", "-o", "cat", "--no-pager", "-u", container.unit]
        eventually(lambda: "ready" in host(*journal).splitlines(), what="its output in the journal")
        yield container
    finally:
        sctr("rm", "-f", container.name)


@contextlib.contextmanager
def engines(rootfs, bundle, command=("sh", "-c", WAIT)):
    bundle.linux["resources"] = {
        "memory": {"limit": 64 << 20, "swap": 64 << 20},
        "pids": {"limit": 77},
        "devices": [
            {"allow": False, "access": "rwm"},
            {"allow": True, "type": "c", "major": 1, "minor": 7, "access": "r"},
        ],
    }
    bundle.linux["cgroupsPath"] = f"sctr.slice:sctr:{bundle.name}"
    bundle.create(*command).ok()
    try:
        bundles.sctr_oci("start", bundle.name).ok()
        eventually(lambda: b"ready" in bundle.output.read_bytes(), what="its output")
        yield Engines(bundle.name)
    finally:
        bundles.sctr_oci("delete", "--force", bundle.name)


KINDS = {"foreground": foreground, "detached": detached, "engines": engines}
