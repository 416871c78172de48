# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 at random instants of whatever changes the store: it works afterwards, and has what was reported done."""

import os
import random
import signal
import subprocess
import time

import pytest

from harness import eventually, sctr, unique_name
from made_images import Image, Layer, base_layer
from store import STORE, nothing_stays_in_the_store  # noqa: F401 (a fixture)

POINTS = int(os.environ.get("SCTR_KILL_POINTS", "40"))
LONGEST = 0.35  # seconds; nothing here takes longer


@pytest.fixture
def archives(tmp_path):
    """Images of several layers, some of which they share."""
    base = base_layer().bytes()
    made = {}
    for index in range(3):
        layers = [Layer().file(f"d{index}/{n}", os.urandom(40_000)) for n in range(4)]
        name = f"localhost/{unique_name('k')}:1"
        image = Image(base, *layers, Volumes={"/kept": {}}, Cmd=["sh", "-c", "echo whole; touch /kept/x"])
        made[name] = image.write_archive(tmp_path / f"{index}.tar", name)
    return made


class Store:
    """What has been reported done, and so must be there."""

    def __init__(self, archives):
        self.archives = archives
        self.names = set()
        self.volumes = {}

    def load(self):
        name = random.choice(list(self.archives))
        return ["load", "-q", "-i", self.archives[name]], lambda: self.names.add(name), {name}

    def tag(self):
        if not self.names:
            return self.load()
        other = f"localhost/{unique_name('t')}:1"
        return ["tag", random.choice(sorted(self.names)), other], lambda: self.names.add(other), {other}

    def remove(self):
        if not self.names:
            return self.load()
        name = random.choice(sorted(self.names))
        self.names.discard(name)  # it may be gone from now on
        return ["rmi", name], lambda: None, {name}

    def run(self):
        if not self.names:
            return self.load()
        name, volume = random.choice(sorted(self.names)), random.choice(["ka", "kb"])
        line = str(random.random())
        command = f"echo {line} > /v/new && busybox sync && busybox mv /v/new /v/{line}"
        words = ["run", "-v", f"{volume}:/v", name, "sh", "-c", command]
        return words, lambda: self.volumes.setdefault(volume, set()).add(line), set()

    def make_volume(self):
        volume = unique_name("k")
        return ["volume", "create", volume], lambda: self.volumes.setdefault(volume, set()), set()

    def prune(self):
        return ["system", "prune"], lambda: None, set()

    def check(self, maybe):
        found = sctr("system", "check")
        assert found.status == 0, found
        images = sctr("images").stdout
        for name in self.names - maybe:
            assert name in images, f"{name} is lost"
        for volume, lines in self.volumes.items():
            assert lines <= set(os.listdir(STORE / "volumes" / volume / "data")), f"{volume} has lost something"


def kill_somewhere(words):
    """Whether it was done before it could be killed."""
    process = subprocess.Popen(
        ["sctr", *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        process.wait(random.uniform(0, LONGEST))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), (words, process.returncode, said)
    return process.returncode == 0


def test_killed_at_random_points(archives):
    seed = int(os.environ.get("SCTR_KILL_SEED", time.time_ns() % 1_000_000))
    print("SCTR_KILL_SEED", seed)
    random.seed(seed)
    store = Store(archives)
    kinds = [store.load] * 4 + [store.run] * 4 + [store.tag, store.remove, store.make_volume, store.prune]
    killed = 0
    try:
        while killed < POINTS:
            words, done, maybe = random.choice(kinds)()
            if kill_somewhere(words):
                done()
                maybe = set()
            else:
                killed += 1
            eventually(lambda: not sctr("ps", "-q").lines, what="the end of what it has started")
            store.check(maybe)
        for name in sorted(store.names):
            assert "whole" in sctr("run", name).ok()
    finally:
        for name in sctr("images").lines[1:]:
            if name.startswith("localhost/k") or name.startswith("localhost/t"):
                sctr("rmi", name.split()[0])
        for volume in sctr("volume", "ls", "-q").lines:
            sctr("volume", "rm", volume)
        sctr("system", "prune").ok()
