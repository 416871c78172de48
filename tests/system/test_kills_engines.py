# SPDX-License-Identifier: LGPL-2.1-or-later
"""As test_kills.py, of what an engine makes; its hooks hold it in the states between."""

import contextlib
import json
import os
import signal
from pathlib import Path

import pytest

from bundles import sctr_oci
from harness import WAIT, eventually, host
from scenes import FORGOTTEN, Scene, cases, check_fronts, check_processes, kill


class Engines(Scene):
    state = Path("/run/sctr-oci")

    def __init__(self, bundle, stack):
        super().__init__(bundle.name, None, stack)
        self.bundle = bundle
        bundle.linux["cgroupsPath"] = f"sctr.slice:sctr:{bundle.name}"
        stack.callback(sctr_oci, "delete", "--force", bundle.name)

    def hook(self, kind):
        self.bundle.config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", "exec sleep 8003"]}]}

    def held(self, word, *command):
        self.front(word, *command)
        self.pids["hook"] = int(eventually(lambda: host("pgrep", "-f", "^sleep 8003$", check=False)))
        self.pids["command"] = self.init()

    def create(self):
        self.bundle.create().ok()
        self.pids["command"] = self.init()

    def start(self):
        self.create()
        sctr_oci("start", self.name).ok()


def engines_creating(scene):
    scene.hook("createRuntime")
    scene.bundle.write("true")
    scene.held("create", "sctr-oci", "create", "--bundle", scene.bundle.path, scene.name)


def engines_starting(scene):
    scene.hook("startContainer")
    scene.create()
    scene.held("start", "sctr-oci", "start", scene.name)


def engines_started(scene):
    scene.hook("poststart")
    scene.create()
    scene.held("start", "sctr-oci", "start", scene.name)


def engines_paused(scene):
    scene.start()
    sctr_oci("pause", scene.name).ok()


def engines_with_exec(scene):
    scene.start()
    scene.add_exec("sctr-oci")


def engines_run(scene):
    scene.bundle.write("sh", "-c", WAIT)
    run = scene.front("run", "sctr-oci", "run", "--bundle", scene.bundle.path, scene.name)
    assert run.stdout.readline() == b"ready\n"
    scene.pids["command"] = scene.init()


# As SERVICES of test_kills.py, with what `state` says.
ENGINES = {
    "creating": (engines_creating, {
        "create": ("stopped", {}),
        "command": ("stopped", {}),
        "hook": (FORGOTTEN, {"create": 1}),
    }),
    "created": (Engines.create, {
        "command": ("stopped", {}),
    }),
    "starting": (engines_starting, {
        "start": ("running", {}),
        "command": ("stopped", {"start": 1}),
        "hook": ("stopped", {"start": 1}),
    }),
    "started": (engines_started, {
        "start": ("running", {}),
        "command": ("stopped", {}),
        "hook": ("stopped", {"start": 1}),
    }),
    "running": (Engines.start, {
        "command": ("stopped", {}),
    }),
    "paused": (engines_paused, {
        "command": ("stopped", {}),
    }),
    "with exec": (engines_with_exec, {
        "command": ("stopped", {"exec": 137}),
        "exec": ("running", {}),
        "its command": ("running", {"exec": 137}),
    }),
    "run": (engines_run, {
        "run": ("stopped", {}),
        "command": (FORGOTTEN, {"run": 137}),
    }),
}  # fmt: skip


def state_of(name):
    told = sctr_oci("state", name)
    return json.loads(told.ok())["status"] if told.status == 0 else FORGOTTEN


@pytest.mark.parametrize("state, victim", cases(ENGINES))
def test_of_an_engines(bundle, state, victim):
    make, victims = ENGINES[state]
    with contextlib.ExitStack() as stack:
        scene = Engines(bundle, stack)
        make(scene)
        told, fronts = victims[victim]
        kill(scene, victim)
        eventually(lambda: state_of(scene.name) == told, what=f"{told} instead of {state_of(scene.name)}")
        check_fronts(scene, victim, fronts)
        check_processes(scene, victim, told in ("stopped", FORGOTTEN))
        sctr_oci("delete", "--force", scene.name).ok()
        assert state_of(scene.name) is FORGOTTEN
    bundle.config["hooks"] = {}
    assert bundle.run("echo", "free").ok() == "free"


def test_what_was_started_is_running_though_its_start_was_killed(bundle):
    script = "trap 'exit 0' TERM; sleep 8004 & wait"
    bundle.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    with contextlib.ExitStack() as stack:
        scene = Engines(bundle, stack)
        scene.create()
        start = scene.front("start", "sctr-oci", "start", scene.name)
        scene.inside("sleep", "8004")
        start.kill()
        os.kill(scene.inside("sh", "-c", script), signal.SIGTERM)
        eventually(lambda: b"ready" in bundle.output.read_bytes(), what="its command")
        assert state_of(scene.name) == "running"
        bundle.exec("true").ok()
