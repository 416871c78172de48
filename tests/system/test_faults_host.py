# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is restarted, busy or done behind our back while containers run."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

import kinds
from bundles import sctr_oci
from harness import STATE, WAIT, eventually, host, sctr, unique_name, unit_of

RESTARTS = {
    "daemon-reload": ["daemon-reload"],
    "daemon-reexec": ["daemon-reexec"],
    **{
        name: ["restart", f"{name}.service"]
        for name in ("dbus", "polkit", "systemd-journald", "systemd-logind", "systemd-machined")
    },
}


def restart(which):
    # Else systemd would not start one so often.
    host("systemctl", "reset-failed")
    if which == "dbus":
        # The start of dbus asks machined for a user, and one that is just being started waits for the bus: for 90 s.
        host("systemctl", "start", "systemd-machined.service")
    host("systemctl", *RESTARTS[which], timeout=60)
    if which == "dbus":
        # What was on the old bus, or came back between the two, is for other tests to find on the new one.
        units = ["systemd-logind.service", "systemd-machined.service", "polkit.service", "user@*.service"]
        host("systemctl", "try-restart", *units, timeout=60)
    awaited = {"org.freedesktop.systemd1", "org.freedesktop.login1"}
    eventually(lambda: awaited <= set(host("busctl", "list", "--acquired", check=False).split()))


@pytest.fixture(params=kinds.KINDS)
def living(request, rootfs, bundle):
    with kinds.KINDS[request.param](rootfs, bundle) as container:
        yield container


@pytest.mark.parametrize("which", RESTARTS)
def test_a_restart(living, which):
    before = living.properties()
    init = living.init()
    restart(which)
    assert living.properties() == before
    assert (living.init(), living.status()) == (init, "running")
    assert living.exec("echo", "here").ok() == "here"
    assert living.exec("head", "-c", "1", "/dev/full").status == 0
    living.pause()
    assert living.status() == "paused"
    living.unpause()
    host("systemctl", "stop", living.unit)
    living.await_end()


@pytest.mark.parametrize("which", RESTARTS)
def test_the_end_is_noticed_after_a_restart(living, which):
    restart(which)
    os.kill(living.init(), signal.SIGKILL)
    living.await_end()


@pytest.mark.parametrize("which", RESTARTS)
def test_a_start_during_a_restart(run, which):
    """It may be refused, but neither hangs nor leaves anything."""
    restarting = threading.Thread(target=restart, args=[which])
    restarting.start()
    # Registering would start machined meanwhile; see restart().
    flags = ["--no-register"] if which == "dbus" else []
    while restarting.is_alive():
        # A call that is lost with its bus is given up after 25 s.
        result = run(*flags, "echo", "hello", timeout=60)
        assert result.status == 0 or result.failed(125)
    restarting.join()
    assert run("echo", "hello").ok() == "hello"


def test_a_stop_signal_of_its_own_after_the_bus_was_restarted(rootfs):
    name = unique_name()
    script = "trap 'exit 7' INT; trap '' TERM; echo ready; while sleep 0.1; do :; done"
    words = ["--name", name, "--stop-signal", "INT", "--rootfs", rootfs, "sh", "-c", script]
    sctr("run", "-d", *words).ok()
    try:
        journal = ["journalctl", "-o", "cat", "--no-pager", "-u", unit_of(name)]
        eventually(lambda: "ready" in host(*journal).splitlines())
        restart("dbus")
        sctr("pause", name).ok()
        sctr("stop", name).ok()
        assert sctr("wait", name).ok() == "7"
    finally:
        sctr("rm", "-f", name)


def test_systemctl_stop_after_the_bus_was_restarted(start):
    """systemd knows nobody any more whom it could ask, and sends the stop signal itself."""
    script = "trap 'exit 7' INT; trap '' TERM; echo ready; while sleep 0.1; do :; done"
    with start("--stop-signal", "INT", command=["sh", "-c", script]) as container:
        restart("dbus")
        eventually(lambda: host("systemctl", "show", "-P", "SubState", container.unit) == "abandoned\n")
        host("systemctl", "stop", container.unit)
        assert container.wait() == 7


ENDS = {
    "systemctl stop": lambda c: host("systemctl", "stop", c.unit),
    "systemctl kill": lambda c: host("systemctl", "kill", c.unit),
    "systemctl kill -s KILL": lambda c: host("systemctl", "kill", "-s", "KILL", c.unit),
    "cgroup.kill": lambda c: (c.cgroup() / "cgroup.kill").write_text("1"),
    "a kill of init": lambda c: os.kill(c.init(), signal.SIGKILL),
}


@pytest.mark.parametrize("how", ENDS)
def test_it_is_ended_behind_our_back(living, how):
    ENDS[how](living)
    living.await_end()
    living.exec("true").failed(125, living.name) if living.state == STATE else None


@pytest.mark.parametrize("how", ENDS)
def test_a_detached_one_is_started_again_after_that(rootfs, bundle, how):
    with kinds.detached(rootfs, bundle) as container:
        ENDS[how](container)
        container.await_end()
        sctr("start", container.name).ok()
        assert container.status() == "running"


def test_a_scope_of_that_name_that_is_not_ours(run, background, rootfs, bundle):
    name = unique_name()
    stranger = background(
        "systemd-run", "--scope", "--slice", "system", "--unit", unit_of(name), "sleep", "1000"
    )
    eventually(lambda: host("systemctl", "is-active", unit_of(name), check=False) == "active\n")
    run("--name", name, "true").failed(125, "in use", unit_of(name), "already running")
    assert not (STATE / name).exists()
    bundle.name = name
    bundle.linux["cgroupsPath"] = f"sctr.slice:sctr:{name}"
    bundle.write("true")
    refused = sctr_oci("create", "--bundle", bundle.path, name)
    assert refused.status == 1 and unit_of(name) in refused.stderr
    result = sctr("run", "-d", "--name", name, "--rootfs", rootfs, "true")
    result.failed(125, "in use", unit_of(name))
    assert name not in sctr("ps", "-a").ok()
    assert stranger.poll() is None
    sctr("stop", name).failed(125, name)
    assert stranger.poll() is None


@pytest.fixture
def slow_generator():
    """systemd waits for its generators: nobody is served until this one ends."""
    generator = Path("/run/systemd/system-generators/sctr-test-slow")
    generator.parent.mkdir(exist_ok=True)
    reloads = []

    def begin(seconds):
        generator.write_text(f"#!/bin/sh\ntouch /run/sctr-test-slow\nexec sleep {seconds}\n")
        generator.chmod(0o755)
        reloads.append(subprocess.Popen(["systemctl", "daemon-reload"]))
        eventually(Path("/run/sctr-test-slow").exists)
        return generator

    yield begin
    for reload in reloads:
        reload.wait()
    generator.unlink(missing_ok=True)
    Path("/run/sctr-test-slow").unlink(missing_ok=True)
    host("systemctl", "daemon-reload")


def test_systemd_is_busy(rootfs, slow_generator, background):
    """The deadline of a start is 25 s: what is asked for soon before the end waits, the rest is told."""
    names = {when: unique_name() for when in ("at once", "detached at once", "later")}
    words = {
        when: ["sctr", "run", *(["-d"] if "detached" in when else []), "--name", name,
               "--network", "none", "--rootfs", rootfs, "sh", "-c", "echo hello"]
        for when, name in names.items()
    }  # fmt: skip
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    slow_generator(36)
    started = time.monotonic()
    early = {when: background(*words[when], **options) for when in ("at once", "detached at once")}
    early["at once"].wait(34)
    assert time.monotonic() - started < 32
    error = early["at once"].stderr.read().decode()
    assert early["at once"].returncode == 125 and names["at once"] in error, error
    assert error.count("\n") == 1
    later = background(*words["later"], **options)
    assert later.wait(60) == 0 and later.stdout.read() == b"hello\n", later.stderr.read()
    assert early["detached at once"].wait(60) == 125
    error = early["detached at once"].stderr.read().decode()
    assert names["detached at once"] in error and error.count("\n") == 1, error
    for name in names.values():
        assert name not in sctr("ps", "-a").ok()
        assert sctr("run", "--name", name, "--rootfs", rootfs, "echo", "free").ok() == "free"


def test_a_reload_takes_long(rootfs, slow_generator):
    """Not every host is quick: systemctl gives it three minutes."""
    name = unique_name()
    generator = slow_generator(27)
    words = ["--name", name, "--restart", "always", "--rootfs", rootfs, "true"]
    sctr("create", *words, timeout=120).ok()
    assert host("systemctl", "show", f"sctr@{name}.service", "-P", "Restart") == "always\n"
    generator.unlink()
    sctr("rm", name, timeout=120).ok()


def test_many_jobs(rootfs, run):
    """A queue of jobs before ours delays it, and no more."""
    name = unique_name("jobs")
    units = [f"{name}-{number}.service" for number in range(100)]
    for unit in units:
        host("systemd-run", "--no-block", "--collect", "--unit", unit, "sleep", "0.1")
    assert run("echo", "hello").ok() == "hello"


JOURNAL = ["systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket"]


def writes(rootfs, last):
    """A detached container that writes the numbers up to `last`, one line each."""
    name = unique_name("w")
    script = f"i=0; while [ $i -lt {last} ]; do i=$((i+1)); echo $i; done"
    sctr("run", "-d", "--name", name, "--rootfs", rootfs, "sh", "-c", script).ok()
    return name


@pytest.mark.parametrize("how", ["restart", "restart of its sockets", "pause"])
def test_a_container_writes_while_the_journal_is_not_there(rootfs, how):
    last = 60_000
    name = writes(rootfs, last)
    try:
        for _ in range(3):
            # Else systemd would start none of them so often.
            host("systemctl", "reset-failed")
            if how == "restart":
                host("systemctl", "restart", JOURNAL[0])
            elif how == "restart of its sockets":
                host("systemctl", "stop", *JOURNAL)
                time.sleep(0.3)  # the time in which there is nothing
                host("systemctl", "start", *JOURNAL)
            else:
                host("systemctl", "kill", "-s", "STOP", JOURNAL[0])
                time.sleep(0.3)
                host("systemctl", "kill", "-s", "CONT", JOURNAL[0])
        assert sctr("wait", name, timeout=60).ok() == "0"
        host("journalctl", "--sync")
        seen = sctr("logs", name, timeout=60).ok().split()
        everything = [str(number) for number in range(1, last + 1)]
        if how == "restart of its sockets":
            # The kernel drops what the old socket held, and tells nobody.
            assert seen == sorted(set(seen), key=int) and seen[-1] == everything[-1]
        else:
            assert seen == everything
    finally:
        sctr("rm", "-f", name)
