# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers in a certain state, the processes around them, and what is right after one of these was killed."""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

from harness import CGROUP, DEADLINE, STATE, children, eventually, host, unique_name, unit_of
from terminal import Terminal

FORGOTTEN = None  # what is told of a container that is no more


class Scene:
    """A container in some state, and the processes around it."""

    state = STATE

    def __init__(self, name, rootfs, stack):
        self.name, self.rootfs, self.stack = name, rootfs, stack
        self.pids = {}  # who may be killed
        self.fronts = {}  # those of them whose end is ours to see
        self.go_on = None  # lets it go on from where it is held

    def front(self, word, *command):
        words = list(map(str, command))
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.stack.callback(process.communicate)
        self.stack.callback(process.kill)
        self.fronts[word], self.pids[word] = process, process.pid
        return process

    def terminal(self, word, *command):
        screen = self.stack.enter_context(Terminal(*command))
        self.fronts[word], self.pids[word] = screen.process, screen.process.pid
        return screen

    def init(self):
        file = self.state / self.name / "state.json"
        return eventually(lambda: file.exists() and json.loads(file.read_text())["pid"])

    def scope(self):
        return CGROUP / "sctr.slice" / unit_of(self.name)

    def inside(self, *words):
        """The host's pid of the process in the scope that has this command line, once it is there."""
        wanted = "\0".join(words).encode() + b"\0"

        def search():
            for pid in (self.scope() / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{pid}/cmdline").read_bytes() == wanted:
                        return int(pid)
            return None

        return eventually(search, what=f"{words} in the container")

    def held_back(self):
        """Flags that make systemd wait with the start until `go_on`."""
        slow = unique_name("slow") + ".service"
        host("systemd-run", "--collect", "--no-block", "--unit", slow, "-p", "Type=oneshot", "sleep", "1000")
        self.go_on = lambda: host("systemctl", "stop", slow, check=False)
        self.stack.callback(self.go_on)
        return ["-p", f"After={slow}"]

    def await_held_back(self):
        eventually(lambda: unit_of(self.name) in host("systemctl", "list-jobs", "--no-legend"), what="its job")
        self.pids["sctr-init"] = self.init()

    def add_exec(self, program="sctr"):
        process = self.front("exec", program, "exec", self.name, "sleep", "8001")
        self.pids["its command"] = self.inside("sleep", "8001")
        # The command runs before exec has heard of it, from a process that is in the container, too.
        eventually(lambda: children(process.pid) == [self.pids["its command"]], what="exec's own child alone")

    def add_check(self, supervisor):
        self.pids["check"] = self.inside("sleep", "8002")
        (self.pids["checker"],) = set(children(supervisor)) - {self.pids["command"]}

    def is_gone(self, who):
        pid = self.pids[who]
        return not Path(f"/proc/{pid}/exe").exists()  # as of a zombie


# What runs in a container, and whoever ends with somebody else.
INSIDE = {"command", "its command", "check", "sctr-init"}
TOGETHER = {"create": {"hook"}, "exec": {"its command"}, "its command": {"exec"}, "checker": {"check"}, "check": {"checker"}}


def cases(table):
    return [(state, victim) for state, (_, victims) in table.items() for victim in victims]


def kill(scene, victim):
    os.kill(scene.pids[victim], signal.SIGKILL)
    if victim == "client":
        scene.go_on()


def check_fronts(scene, victim, expected):
    for who, process in scene.fronts.items():
        if who == victim:
            assert process.wait(DEADLINE) == -signal.SIGKILL
        elif who in expected:
            assert process.wait(DEADLINE) == expected[who], f"{who}: {process.stderr and process.stderr.read()}"
        else:
            assert process.poll() is None, who
    if "wait" in expected:
        assert scene.fronts["wait"].stdout.read() == b"137\n"


def check_processes(scene, victim, has_ended):
    gone = {victim} | TOGETHER.get(victim, set()) | (INSIDE if has_ended else set())
    for who in gone & set(scene.pids):
        eventually(lambda who=who: scene.is_gone(who), what=f"the end of {who}")
    if has_ended:
        eventually(lambda: not scene.scope().exists(), what="the end of its scope")
