# SPDX-License-Identifier: LGPL-2.1-or-later
"""SIGKILL for each process of a container in each state that it may be in: what is told of it then, how those end who wait
for it, and that `start`, `rm -f` and its name work after that. `nothing_is_left` looks for the rest."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from harness import DEADLINE, WAIT, children, eventually, host, sctr, unique_name
from networks import remains
from scenes import FORGOTTEN, Scene, cases, check_fronts, check_processes, kill
from services import service_of, show, status

RUNS = ("running", None)
ENDED = ("stopped", 137)
DEAF = 'trap "echo asked" TERM; echo ready; while :; do sleep 1000 & wait $!; done'
CHECK = ["--health-cmd", "exec sleep 8002", "--health-interval", "100ms", "--health-timeout", "1h"]

# The states of a service, and how each is brought about.


def service(scene, *flags, script=WAIT):
    words = ["run", "-d", "--name", scene.name, "--network", "none", *flags, "--rootfs", scene.rootfs]
    sctr(*words, "sh", "-c", script).ok()
    scene.pids |= {"supervisor": main_pid(scene), "command": scene.init()}
    scene.front("wait", "sctr", "wait", scene.name)
    log = scene.front("logs", "sctr", "logs", "-f", scene.name)
    assert log.stdout.readline().strip() == b"ready"


def main_pid(scene):
    return int(show(scene.name, "MainPID")["MainPID"])


def service_starting(scene):
    words = ["run", "-d", "--name", scene.name, "--network", "none", *scene.held_back(), "--rootfs", scene.rootfs]
    scene.front("client", "sctr", *words, "sh", "-c", WAIT)
    scene.pids["supervisor"] = eventually(lambda: main_pid(scene))
    scene.await_held_back()


def service_paused(scene):
    service(scene)
    sctr("pause", scene.name).ok()


def service_stopping(scene):
    service(scene, script=DEAF)
    scene.front("stop", "sctr", "stop", "-t", "1", scene.name)
    assert scene.fronts["logs"].stdout.readline() == b"asked\n"


def service_with_exec(scene):
    service(scene)
    scene.add_exec()


def service_with_terminal(scene):
    service(scene, "-t")
    screen = scene.terminal("attach", "sctr", "attach", scene.name)
    eventually(screen.is_raw, what="its connection")


def service_restarting(scene):
    drop_in = Path("/run/systemd/system") / f"{service_of(scene.name)}.d"
    drop_in.mkdir(parents=True)
    (drop_in / "60-slow.conf").write_text("[Service]\nRestartSec=1000\nRestartSteps=0\n")
    scene.stack.callback(host, "rm", "-r", drop_in)
    service(scene, "--restart", "always")


def service_being_checked(scene):
    service(scene, *CHECK)
    scene.add_check(scene.pids["supervisor"])


# The same for what runs in front of its caller.


def front(scene, *flags, script=WAIT):
    words = ["run", "--name", scene.name, "--network", "none", *flags, "--rootfs", scene.rootfs]
    process = scene.front("sctr", "sctr", *words, "sh", "-c", script)
    assert process.stdout.readline() == b"ready\n"
    scene.pids["command"] = scene.init()


def front_starting(scene):
    words = ["run", "--name", scene.name, "--network", "none", *scene.held_back(), "--rootfs", scene.rootfs]
    scene.front("sctr", "sctr", *words, "sh", "-c", WAIT)
    scene.await_held_back()


def front_paused(scene):
    front(scene)
    sctr("pause", scene.name).ok()


def front_stopping(scene):
    front(scene, script=DEAF)
    scene.front("stop", "sctr", "stop", "-t", "1", scene.name)
    assert scene.fronts["sctr"].stdout.readline() == b"asked\n"


def front_with_exec(scene):
    front(scene)
    scene.add_exec()


def front_with_terminal(scene):
    words = ["run", "-it", "--name", scene.name, "--network", "none", "--rootfs", scene.rootfs]
    scene.terminal("sctr", "sctr", *words, "sh", "-c", WAIT).expect("ready")
    scene.pids["command"] = scene.init()


def front_being_checked(scene):
    front(scene, *CHECK)
    scene.add_check(scene.pids["sctr"])


# {state: (how it is made, {who is killed: (what `ps -a` says then, {who waits: their exit status})})}. Who is not named
# there runs on.
SERVICES = {
    "starting": (service_starting, {
        "client": (RUNS, {}),
        "supervisor": (FORGOTTEN, {"client": 125}),
        "sctr-init": (FORGOTTEN, {"client": 125}),
    }),
    "running": (service, {
        "supervisor": (ENDED, {"wait": 0, "logs": 0}),
        "command": (ENDED, {"wait": 0, "logs": 0}),
        "wait": (RUNS, {}),
        "logs": (RUNS, {}),
    }),
    "paused": (service_paused, {
        "supervisor": (ENDED, {"wait": 0, "logs": 0}),
        "command": (ENDED, {"wait": 0, "logs": 0}),
        "wait": (("paused", None), {}),
    }),
    "stopping": (service_stopping, {
        "supervisor": (ENDED, {"wait": 0, "logs": 0, "stop": 0}),
        "command": (ENDED, {"wait": 0, "logs": 0, "stop": 0}),
        "stop": (ENDED, {"wait": 0, "logs": 0}),
    }),
    "with exec": (service_with_exec, {
        "supervisor": (ENDED, {"wait": 0, "logs": 0, "exec": 137}),
        "command": (ENDED, {"wait": 0, "logs": 0, "exec": 137}),
        "exec": (RUNS, {}),
        "its command": (RUNS, {"exec": 137}),
    }),
    "with terminal": (service_with_terminal, {
        "supervisor": (ENDED, {"wait": 0, "logs": 0, "attach": 125}),
        "command": (ENDED, {"wait": 0, "logs": 0, "attach": 137}),
        "attach": (RUNS, {}),
    }),
    "restarting": (service_restarting, {
        "supervisor": (ENDED, {"wait": 0, "logs": 0}),
        "command": (ENDED, {"wait": 0, "logs": 0}),
    }),
    "being checked": (service_being_checked, {
        "supervisor": (ENDED, {"wait": 0, "logs": 0}),
        "command": (ENDED, {"wait": 0, "logs": 0}),
        "check": (RUNS, {}),
        "checker": (RUNS, {}),
    }),
}  # fmt: skip

FRONTS = {
    "starting": (front_starting, {
        "sctr": (FORGOTTEN, {}),
        "sctr-init": (FORGOTTEN, {"sctr": 125}),
    }),
    "running": (front, {
        "sctr": (FORGOTTEN, {}),
        "command": (FORGOTTEN, {"sctr": 137}),
    }),
    "paused": (front_paused, {
        "sctr": (FORGOTTEN, {}),
        "command": (FORGOTTEN, {"sctr": 137}),
    }),
    "stopping": (front_stopping, {
        "sctr": (FORGOTTEN, {"stop": 0}),
        "command": (FORGOTTEN, {"sctr": 137, "stop": 0}),
        "stop": (RUNS, {}),
    }),
    "with exec": (front_with_exec, {
        "sctr": (FORGOTTEN, {"exec": 137}),
        "command": (FORGOTTEN, {"sctr": 137, "exec": 137}),
        "exec": (RUNS, {}),
        "its command": (RUNS, {"exec": 137}),
    }),
    "with terminal": (front_with_terminal, {
        "sctr": (FORGOTTEN, {}),
        "command": (FORGOTTEN, {"sctr": 137}),
    }),
    "being checked": (front_being_checked, {
        "sctr": (FORGOTTEN, {}),
        "command": (FORGOTTEN, {"sctr": 137}),
        "check": (RUNS, {}),
        "checker": (RUNS, {}),
    }),
}  # fmt: skip


@pytest.fixture
def scene(rootfs):
    with contextlib.ExitStack() as stack:
        scene = Scene(unique_name("kill"), rootfs, stack)
        stack.callback(sctr, "rm", "-f", scene.name)
        yield scene


@pytest.mark.parametrize("state, victim", cases(SERVICES))
def test_of_a_service(scene, run, state, victim):
    make, victims = SERVICES[state]
    make(scene)
    row, fronts = victims[victim]
    kill(scene, victim)
    eventually(lambda: status(scene.name) == row, what=f"{row} instead of {status(scene.name)}")
    check_fronts(scene, victim, fronts)
    check_processes(scene, victim, row in (ENDED, FORGOTTEN))
    if row is FORGOTTEN:
        sctr("rm", scene.name).failed(125, "does not exist")
    else:
        check_service(scene, row, state)
    assert run("--name", scene.name, "echo", "free").ok() == "free"


def check_service(scene, row, state):
    (shown,) = json.loads(sctr("inspect", scene.name).ok())
    assert (shown["status"], shown.get("exitStatus")) == row
    if row == ENDED:
        wanted = "activating" if state == "restarting" else "failed"
        eventually(lambda: show(scene.name, "ActiveState")["ActiveState"] == wanted, what=wanted)
    sctr("unpause" if state == "paused" and row != ENDED else "start", scene.name).ok()
    assert sctr("exec", scene.name, "echo", "alive").ok() == "alive"
    sctr("rm", "-f", scene.name).ok()


@pytest.mark.parametrize("state, victim", cases(FRONTS))
def test_of_one_in_front(scene, run, state, victim):
    make, victims = FRONTS[state]
    make(scene)
    row, fronts = victims[victim]
    kill(scene, victim)
    eventually(lambda: status(scene.name) == row, what=f"{row} instead of {status(scene.name)}")
    check_fronts(scene, victim, fronts)
    check_processes(scene, victim, row is FORGOTTEN)
    if row == RUNS:
        assert sctr("exec", scene.name, "echo", "alive").ok() == "alive"
        sctr("rm", "-f", scene.name).ok()
        assert scene.fronts["sctr"].wait(DEADLINE) == 137
    else:
        sctr("rm", scene.name).failed(125, "does not exist")
    assert run("--name", scene.name, "echo", "free").ok() == "free"


# netavark, which is there for some milliseconds of a start and of an end.

NETAVARK = Path("/usr/lib/podman/netavark")
HELD = """#!/bin/sh
echo >> {calls}
[ $(wc -l < {calls}) != {turn} ] || exec sleep 8005
exec {program} "$@"
"""


def held_netavark(directory, turn):
    """Words before a command for which that one of netavark's calls waits to be killed."""
    program, script = shutil.copy(NETAVARK, directory / "real"), directory / "netavark"
    script.write_text(HELD.format(calls=directory / "calls", turn=turn, program=program))
    script.chmod(0o755)
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", script, NETAVARK]


def child_that_sleeps(process):
    for pid in children(process.pid):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x008005\x00":
                return pid
    return None


@pytest.mark.parametrize(
    "turn, code, error", [(1, 125, "sctr: cannot attach the container to its networks: netavark: killed by signal 9\n"), (2, 7, "")]
)
def test_of_netavark(rootfs, run, background, tmp_path, turn, code, error):
    """At the end of a container another one takes all back. Whoever is connected next has the port."""
    before = remains()
    words = ["sctr", "run", "--network", "bridge", "-p", "18080:80", "--rootfs", rootfs, "sh", "-c", "exit 7"]
    process = background(*held_netavark(tmp_path, turn), *words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.kill(eventually(lambda: child_that_sleeps(process), what="netavark"), signal.SIGKILL)
    assert process.wait(DEADLINE) == code
    assert process.stderr.read().decode() == error
    assert run("--network", "bridge", "-p", "18080:80", "echo", "next").ok() == "next"
    eventually(lambda: remains() <= before, what="the end of the rest")
