# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks that are changed while containers start on them: each has either all of it, or nothing and an error."""

import contextlib
import fcntl
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from harness import CGROUP, DEADLINE, Result, eventually, sctr, unique_name, unit_of
from networks import STATE, leases, network
from networks import no_network_is_left  # noqa: F401 (fixture)

STORE = "/var/lib/sctr/networks"


def begin(*words):
    return subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def result(process):
    out, err = process.communicate(timeout=DEADLINE)
    return Result(process.args, process.returncode, out, err)


@contextlib.contextmanager
def held(path):
    """A lock of sctr's, from which others are kept meanwhile."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def waits(process):
    """Whether it waits for somebody's lock."""
    return f"-> FLOCK  ADVISORY  WRITE {process.pid} " in Path("/proc/locks").read_text()


def starts_or_not(removed, started, net):
    """Whoever came first has won."""
    if removed.status == 0:
        started.failed(125, "no such network", net)
        assert not (STATE / "leases" / net).exists()
    else:
        removed.failed(125, net, "is on it")
        assert started.ok() == "alive"
        sctr("network", "rm", net).ok()


def test_rm_while_a_container_starts(rootfs):
    """It has looked for containers, and comes to the removal when one is there."""
    net = unique_name("net")
    sctr("network", "create", net).ok()
    name = unique_name()
    run = ("sctr", "run", "--name", name, "--network", net, "--rootfs", rootfs, "sh", "-c", "echo alive; exec sleep 1000")
    with held(STORE):
        removing = begin("sctr", "network", "rm", net)
        eventually(lambda: waits(removing), what="the wait for the lock of the networks")
        starting = begin(*run)
        eventually(lambda: waits(starting) or (CGROUP / "sctr.slice" / unit_of(name)).exists(), what="the start")
    removed = result(removing)
    runs = eventually(lambda: starting.poll() is not None or sctr("exec", name, "true").status == 0)
    assert runs
    sctr("rm", "-f", name)
    starts_or_not(removed, result(starting), net)


def test_rm_and_starts_in_a_loop(rootfs):
    seen = set()
    for number in itertools.count():
        if number >= 30 and seen == {0, 125}:  # both have happened
            break
        net = unique_name("net")
        sctr("network", "create", net).ok()
        starting = begin("sctr", "run", "--network", net, "--rootfs", rootfs, "echo", "alive")
        with contextlib.suppress(subprocess.TimeoutExpired):
            starting.wait(number % 10 * 0.004 * (1 + number // 30))
        removed = sctr("network", "rm", net)
        starts_or_not(removed, result(starting), net)
        seen.add(removed.status)
        assert not [each for each in leases() if each.startswith(f"{net}/")]


def test_the_first_process_is_written_down_under_the_lock(rootfs):
    """Or it could be lost by whoever has read the state before, and writes it afterwards."""
    for _ in range(30):
        name = unique_name()
        file = STATE / "attached" / f"{name}.json"
        with held(STATE / "lock"):
            starting = begin("sctr", "run", "--name", name, "--rootfs", rootfs, "true")
            eventually(lambda: waits(starting), what="the wait for the lock")
        is_early = None
        while is_early is None and starting.poll() is None:  # waits for the lock while sctr has it, and comes next
            with held(STATE / "lock"):
                is_early = json.loads(file.read_text())["init"]["pid"] == 0 if file.exists() else None
                if is_early:
                    known = lambda: json.loads(file.read_text())["init"]["pid"] != 0  # noqa: E731
                    eventually(lambda: waits(starting) or known(), what="the first process")
                    assert not known(), "it was written while somebody else had the lock"
            time.sleep(0.0005)
        assert result(starting).status == 0
        if is_early:
            return
    raise AssertionError("the lock was never taken between the two")


NETAVARK = Path("/usr/lib/podman/netavark")
HELD = """#!/bin/sh
case "$*" in *" {verb} "*) : > {begun}; read -r go < {go} ;; esac
exec {program} "$@"
"""


@contextlib.contextmanager
def while_netavark_works(verb, tmp_path, *command):
    """The command, whose netavark goes on when this is left; gives the process."""
    begun, go, script = tmp_path / f"{verb}-begun", tmp_path / f"{verb}-go", tmp_path / "netavark"
    program = shutil.copy(NETAVARK, tmp_path / "real")
    os.mkfifo(go)
    script.write_text(HELD.format(verb=verb, begun=begun, go=go, program=program))
    script.chmod(0o755)
    inside = ("unshare", "--mount", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", script, NETAVARK)
    process = begin(*inside, *command)
    eventually(begun.exists, what="netavark")
    yield process
    if process.poll() is None:
        go.write_text("go\n")


def has_begun(name):
    """Whether a container that starts has its addresses and waits for netavark alone."""
    file = STATE / "attached" / f"{name}.json"
    return file.exists() and json.loads(file.read_text())["init"]["pid"] != 0


def test_starts_do_not_wait_for_the_netavark_of_connect_and_disconnect(start, rootfs, tmp_path):
    """They take addresses and make their namespaces meanwhile; the state is nobody's for that long."""
    with network() as net, network() as other, start() as container:
        for verb, word in (("setup", "connect"), ("teardown", "disconnect")):
            name = unique_name()
            with while_netavark_works(verb, tmp_path, "sctr", "network", word, net, container.name) as changing:
                starting = begin("sctr", "run", "--name", name, "--network", net, "--rootfs", rootfs, "ip", "-4", "-o", "address")
                eventually(lambda: has_begun(name), what="the start")
                assert len([each for each in leases() if each.startswith(f"{net}/")]) == 2, "no address twice"
                sctr("network", "rm", net).failed(125, "is on it")
                sctr("network", "rm", other).ok()
                sctr("network", "create", other).ok()
                assert starting.poll() is None and changing.poll() is None
            assert result(changing).status == 0
            assert "eth0" in result(starting).ok()
            assert ("eth1" in container.exec("ip", "-o", "link").ok()) == (word == "connect")
            assert (net in {each.split("/")[0] for each in leases()}) == (word == "connect")


def test_a_container_that_ends_while_it_is_connected(start, tmp_path):
    """Nothing of it stays, whether or not netavark had begun."""
    with network() as net:
        for number, killed in enumerate(("the container", "sctr", "both")):
            folder = tmp_path / str(number)
            folder.mkdir()
            with start() as container:
                connect = ("sctr", "network", "connect", net, container.name)
                with while_netavark_works("setup", folder, *connect) as changing:
                    if killed != "sctr":
                        os.kill(container.init(), signal.SIGKILL)
                    if killed != "the container":
                        changing.kill()
                        changing.wait()
                if killed == "sctr":
                    container.exec("true").ok()
                    sctr("network", "connect", net, container.name).failed(125, "on the network already")
                    sctr("network", "disconnect", net, container.name).ok()
                    sctr("network", "connect", net, container.name).ok()
                else:
                    container.wait()
                result(changing)
            assert not [each for each in leases() if each.startswith(f"{net}/")], killed
