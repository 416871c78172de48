# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs sctr the way people do, and waits for what it does without guessing how long it takes."""

import contextlib
import itertools
import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

DEADLINE = float(os.environ.get("SCTR_TEST_DEADLINE", "20"))
TEST_DEADLINE = 9 * DEADLINE
CGROUP = Path("/sys/fs/cgroup")
STATE = Path("/run/sctr")

_numbers = itertools.count(1)


def unique_name(prefix="t"):
    return f"{prefix}{os.getpid()}-{next(_numbers)}"


def eventually(predicate, deadline=DEADLINE, what="the condition"):
    """Polls until predicate() is true and returns what it gave; fails after the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come within {deadline} s"
        time.sleep(0.01)


@dataclass
class Result:
    args: list
    status: int
    out: bytes
    err: bytes

    @property
    def stdout(self):
        return self.out.decode(errors="replace")

    @property
    def stderr(self):
        return self.err.decode(errors="replace")

    @property
    def lines(self):
        return self.stdout.splitlines()

    def ok(self):
        """Asserts success and returns stdout without its last newline."""
        assert self.status == 0, self
        return self.stdout.rstrip("\n")

    def failed(self, status, *words):
        """Asserts one error line of sctr that has every one of these words."""
        assert self.status == status, self
        assert self.stderr.startswith("sctr: "), self
        assert self.stderr.count("\n") == 1, f"not one line: {self}"
        for word in words:
            assert word in self.stderr, f"no {word!r} in {self}"
        return self.stderr


# --network of the containers of tests that say nothing of networks; None: sctr's own default. Set by conftest.py.
network = None
_ABOUT_NETWORKS = ("--net", "-p", "-P", "--publish", "--expose", "--ip", "--mac", "--dns", "--add-host", "--no-host")


def with_network(words):
    """The words of `sctr VERB...`, with the network that tests have unless they say more of it."""
    words = [*map(_text, words)]
    if network and words[:1] in (["run"], ["create"]) and not any(_is_about_networks(word) for word in words):
        words[1:1] = ["--network", network]
    return words


def _is_about_networks(word):
    return isinstance(word, str) and word.startswith(_ABOUT_NETWORKS)


def sctr(*args, input=None, timeout=DEADLINE, **options):
    """Runs sctr to its end. Without input, stdin is /dev/null."""
    if input is None and "stdin" not in options:
        options["stdin"] = subprocess.DEVNULL
    if isinstance(input, str):
        input = input.encode()
    command = ["sctr", *with_network(args)]
    done = subprocess.run(command, input=input, capture_output=True, timeout=timeout, **options)
    return Result(command, done.returncode, done.stdout, done.stderr)


def _text(word):
    return word if isinstance(word, bytes) else str(word)


def host(*command, check=True, input=None, timeout=DEADLINE):
    """Runs a command of the host and returns its stdout."""
    done = subprocess.run(
        list(map(str, command)), input=input, capture_output=True, text=True, timeout=timeout
    )
    assert not check or done.returncode == 0, done
    return done.stdout


def children(pid):
    try:
        return [int(word) for word in open(f"/proc/{pid}/task/{pid}/children").read().split()]
    except OSError:
        return []


SWAP = Path(__file__).parent.parent / "oci/swap.py"


@contextlib.contextmanager
def swapping(first, second):
    """Both names are swapped as long as this lasts."""
    process = subprocess.Popen([sys.executable, SWAP, first, second])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def make_directories_in_directories(top, amount, name="d"):
    """As many as no path could name."""
    deepest = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(amount):
        os.mkdir(name, dir_fd=deepest)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=deepest)
        os.close(deepest)
        deepest = below
    os.close(deepest)


def unit_of(name):
    return f"sctr-{name}.scope"


def unit_property(name, *properties):
    """What systemd knows of a container's scope, as a dictionary."""
    text = host("systemctl", "show", unit_of(name), "-p", ",".join(properties))
    return dict(line.split("=", 1) for line in text.splitlines())


# Prints "ready", ends with 0 on TERM, and stays until then. For `sh -c`.
WAIT = 'trap "exit 0" TERM; echo ready; while sleep 1000 & wait $!; do :; done'


@dataclass
class Started:
    """A container in the background."""

    name: str
    process: subprocess.Popen
    seen: bytes = b""

    @property
    def unit(self):
        return unit_of(self.name)

    @property
    def state(self):
        return STATE / self.name

    def init(self):
        """The host's pid of its first process."""
        return json.loads((self.state / "state.json").read_text())["pid"]

    def cgroup(self):
        return CGROUP / "sctr.slice" / self.unit

    def expect(self, word, deadline=DEADLINE):
        """Reads its output up to and with `word`; returns what came before it."""
        word = word.encode()
        end = time.monotonic() + deadline
        stream = self.process.stdout.fileno()
        while word not in self.seen:
            left = end - time.monotonic()
            ready = select.select([stream], [], [], max(0, left))[0]
            data = os.read(stream, 65536) if ready else b""
            assert data, self.explain(word, bool(ready))
            self.seen += data
        before, _, self.seen = self.seen.partition(word)
        return before.decode(errors="replace")

    def explain(self, word, ended):
        text = f"no {word!r} in its output, only {self.seen!r}"
        if not ended:
            return text + " before the deadline"
        self.process.wait(DEADLINE)
        errors = self.process.stderr.read() if self.process.stderr else b""
        return text + f"; it ended with {self.process.returncode}, stderr {errors!r}"

    def wait(self, deadline=DEADLINE):
        """Its exit status."""
        return self.process.wait(deadline)

    def exec(self, *command, **options):
        return sctr("exec", self.name, *command, **options)

    def send(self, signal):
        self.process.send_signal(signal)

    def end(self):
        if self.process.poll() is None:
            sctr("kill", self.name)
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        # A supervisor that was killed leaves the container behind it.
        host("systemctl", "kill", "-s", "KILL", self.unit, check=False)
        sctr("rm", "-f", self.name)


@contextlib.contextmanager
def started(rootfs, *flags, command=("sh", "-c", WAIT), name=None, ready="ready\n", **options):
    """A container that runs beside the test, once its command has printed `ready`."""
    name = name or unique_name()
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stderr", subprocess.PIPE)
    words = ["run", "--name", name, "--rootfs", rootfs, *flags, "--", *command]
    process = subprocess.Popen(["sctr", *with_network(words)], stdout=subprocess.PIPE, **options)
    container = Started(name, process)
    try:
        if ready:
            container.expect(ready)
        yield container
    finally:
        container.end()
