# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens around containers that live long: sessions end, sctr is upgraded, clocks are set."""

import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

import kinds
from harness import STATE, WAIT, eventually, host, sctr, unique_name

GUEST = pwd.getpwnam("guest")


@pytest.fixture
def linger():
    """guest's systemd, which outlives guest's sessions."""
    lingers = Path("/var/lib/systemd/linger/guest").exists()
    host("loginctl", "enable-linger", "guest")
    host("systemctl", "start", f"user@{GUEST.pw_uid}.service")
    yield
    if not lingers:
        host("loginctl", "disable-linger", "guest")


def in_a_session(account, *command):
    """Runs a command in a login session that ends with it."""
    words = ["systemd-run", "--quiet", "--wait", "--pipe", "-p", "PAMName=login",
             "-p", f"User={account}", "--", *map(str, command)]  # fmt: skip
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def sessions_of(account):
    return [line for line in host("loginctl", "list-sessions", "--no-legend").splitlines()
            if f" {account} " in line and "manager" not in line]  # fmt: skip


@pytest.mark.parametrize("account", ["root", "guest"])
def test_the_session_ends_and_the_container_does_not(rootfs, account, request):
    if account == "guest":
        request.getfixturevalue("linger")
    name = unique_name()
    home = pwd.getpwnam(account).pw_dir
    script = (f"cd {home}; test -n \"$XDG_SESSION_ID\" && "
              f"sctr run -d --name {name} --rootfs {rootfs} sh -c '{WAIT}'; "
              f"echo $?; test -e /proc/self/cgroup && cat /proc/self/cgroup")  # fmt: skip
    done = in_a_session(account, "bash", "-c", script)
    try:
        assert done.stdout.splitlines()[:2] == [name, "0"], done
        assert "session-" in done.stdout, "no session"
        eventually(lambda: not sessions_of(account), what="the end of the session")
        again = in_a_session(account, "bash", "-c", f"sctr exec {name} echo here; sctr ps -q")
        assert again.stdout.splitlines() == ["here", name], again
    finally:
        in_a_session(account, "sctr", "rm", "-f", name)


def goes_on_until_stopped(container, init):
    """As if nothing had happened."""
    assert (container.init(), container.status()) == (init, "running")
    assert container.exec("echo", "here").ok() == "here"
    container.pause()
    container.unpause()
    container.stop()
    container.await_end()


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_an_upgrade(rootfs, bundle, kind):
    """A package manager puts another file in the place of the program, and reloads systemd."""
    programs = [Path("/usr", folder, name) for folder in ("bin", "libexec/sctr") for name in ("sctr", "sctr-oci")]
    with kinds.KINDS[kind](rootfs, bundle) as container:
        init = container.init()
        for program in programs:
            new = program.with_name(program.name + ".dpkg-new")
            shutil.copy2(program, new)
            os.rename(new, program)
        host("systemctl", "daemon-reload")
        goes_on_until_stopped(container, init)
        if kind == "detached":
            assert "ready" in sctr("logs", container.name).ok()
            assert sctr("wait", container.name).ok() == "0"
            sctr("start", container.name).ok()


def change_state(container, change):
    file = container.state / container.name / "state.json"
    state = json.loads(file.read_text())
    change(state)
    file.write_text(json.dumps(state))


NEEDED = {"id", "unit", "pid", "startTime", "bootId"}


def older(state):
    for name in set(state) - NEEDED - {"started", "supervisorPid", "supervisorStartTime", "kept"}:
        del state[name]


def newer(state):
    state.update(fromTheFuture={"a": [1]}, alsoNew=True)


@pytest.mark.parametrize("kind", kinds.KINDS)
@pytest.mark.parametrize("change", [older, newer])
def test_state_that_another_version_wrote(rootfs, bundle, run, kind, change):
    with kinds.KINDS[kind](rootfs, bundle) as container:
        change_state(container, change)
        init = container.init()
        run("true").ok()  # which sweeps
        goes_on_until_stopped(container, init)


def test_state_that_only_a_newer_version_can_read(start, run):
    with start() as container:
        file = container.state / "state.json"
        text = file.read_text()
        file.write_text(json.dumps({"version": 1000}))
        run("true").ok()
        for verb in ("exec", "stop", "kill"):
            words = [verb, container.name] + (["true"] if verb == "exec" else [])
            sctr(*words).failed(125, "newer sctr", str(file))
        run("--name", container.name, "true").failed(125, "newer sctr")
        assert sctr("ps", "-q").ok() == ""
        assert container.process.poll() is None and container.cgroup().exists()
        file.write_text(text)
        assert sctr("ps", "-q").ok() == container.name


def test_a_definition_of_another_version(rootfs):
    name = unique_name()
    sctr("create", "--name", name, "--rootfs", rootfs, "true").ok()
    file = Path(f"/var/lib/sctr/containers/{name}/definition.json")
    try:
        definition = json.loads(file.read_text())
        file.write_text(json.dumps(definition | {"fromTheFuture": {"a": [1]}}))
        sctr("start", name).ok()
        assert sctr("wait", name).ok() == "0"
        file.write_text(json.dumps(definition | {"version": 1000}))
        sctr("start", name).failed(125, "newer sctr", str(file))
        assert name in sctr("ps", "-a").ok()
    finally:
        sctr("rm", "-f", name).ok()


def test_the_record_says_when_by_the_clock_that_nobody_sets(start):
    """As if the clock had been set a year back, or forward, since."""
    with start() as container:
        for shift in (-365, 365):
            usec = shift * 86400 * 10**6
            change_state_of(container, shift=usec)
            [line] = [line for line in sctr("ps").lines if container.name in line]
            assert " seconds " in line or " second " in line or " minute" in line, line
            assert container.exec("echo", "here").ok() == "here"


def change_state_of(container, shift):
    file = STATE / container.name / "state.json"
    state = json.loads(file.read_text())
    state["createdUsec"] += shift
    file.write_text(json.dumps(state))
