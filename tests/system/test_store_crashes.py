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
from registry import Registry
from store import STORE, nothing_stays_in_the_store  # noqa: F401 (a fixture)

POINTS = int(os.environ.get("SCTR_KILL_POINTS", "200"))
LONGEST = 0.3  # seconds; little here takes longer
CHECKED = 0.2  # of the points: more takes longer than the rest


@pytest.fixture
def registry():
    with Registry() as running:
        yield running


@pytest.fixture
def stored():
    """A stored container that has written something."""
    container, name = unique_name("c"), unique_name("base")
    sctr("import", "-", name, input=base_layer().bytes()).ok()
    sctr("run", "-d", "--name", container, name, "sh", "-c", "echo x > /x").ok()
    sctr("wait", container).ok()
    yield container
    sctr("rm", container).ok()
    sctr("rmi", name).ok()


@pytest.fixture
def archives(tmp_path, registry):
    """Images of several layers, some of which they share, in files and at a registry."""
    base = base_layer().bytes()
    made = {}
    for index in range(3):
        layers = [Layer().file(f"d{index}/{n}", os.urandom(40_000)) for n in range(4)]
        name = f"localhost/{unique_name('k')}:1"
        image = Image(base, *layers, Volumes={"/kept": {}}, Cmd=["sh", "-c", "echo whole; touch /kept/x"])
        made[name] = image.write_archive(tmp_path / f"{index}.tar", name)
        registry.add("k", str(index), image)
    (tmp_path / "root.tar").write_bytes(base)
    return made


class Store:
    """What has been reported done, and so must be there."""

    def __init__(self, archives, registry, container):
        self.archives = archives
        self.registry = registry
        self.container = container
        self.imported = next(iter(archives.values())).parent / "root.tar"
        self.names = set()
        self.volumes = {}

    def load(self):
        name = random.choice(list(self.archives))
        return ["load", "-q", "-i", self.archives[name]], lambda: self.names.add(name), {name}

    def pull(self):
        name = f"{self.registry.address}/k:{random.randrange(3)}"
        return ["pull", "-q", "--tls-verify=false", name], lambda: self.names.add(name), {name}

    def import_(self):
        name = f"localhost/{unique_name('k')}:1"
        command = ["--cmd", "echo", "--cmd", "whole"]
        return ["import", *command, self.imported, name], lambda: self.names.add(name), {name}

    def commit(self):
        name = f"localhost/{unique_name('k')}:1"
        command = ["--cmd", "echo", "--cmd", "whole"]
        return ["commit", *command, self.container, name], lambda: self.names.add(name), {name}

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
        for name in self.names - maybe:
            assert (STORE / "names" / name.replace("/", "%2F") / "image.json").exists(), f"{name} is lost"
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


def test_killed_at_random_points(archives, registry, stored, deadline):
    seed = int(os.environ.get("SCTR_KILL_SEED", time.time_ns() % 1_000_000))
    print("SCTR_KILL_SEED", seed)
    random.seed(seed)
    store = Store(archives, registry, stored)
    kinds = [store.load, store.pull, store.run] * 3 + [store.import_, store.commit, store.remove, store.prune] * 2
    kinds += [store.tag, store.make_volume]
    killed, unsure = 0, set()
    try:
        while killed < POINTS:
            words, done, maybe = random.choice(kinds)()
            if kill_somewhere(words):
                done()
            else:
                killed += 1
                unsure |= maybe
            if words[0] == "run":
                eventually(lambda: not sctr("ps", "-q").lines, what="the end of what it has started")
            if random.random() < CHECKED:
                store.check(unsure)
                unsure = set()
                deadline()
        store.check(unsure)
        for name in sorted(store.names):
            assert "whole" in sctr("run", name).ok()
    finally:
        for line in sctr("images").lines[1:]:
            if line.startswith(("localhost/k", "localhost/t", registry.address)):
                sctr("rmi", line.split()[0])
        for volume in sctr("volume", "ls", "-q").lines:
            sctr("volume", "rm", volume)
        sctr("system", "prune").ok()
