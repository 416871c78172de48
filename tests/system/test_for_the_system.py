# SPDX-License-Identifier: LGPL-2.1-or-later
"""`sctr --system` from a plain account: the containers of root's, as far as polkit lets it."""

import json
import os
import re
import signal
import subprocess
import termios
from pathlib import Path

import pytest

import accounts
from accounts import MEMBER, READER, STRANGER, run_as, sctr_as, words_as
from harness import DEADLINE, STATE, WAIT, children, eventually, host, sctr, unique_name, unit_of
from terminal import Terminal


@pytest.fixture(scope="module", autouse=True)
def plain_accounts():
    with accounts.made():
        yield


@pytest.fixture
def stored(rootfs):
    """stored(FLAG..., command=...): a container of root's that `run -d` started."""
    names = []

    def begin(*flags, command=("sh", "-c", WAIT), verb=("run", "-d")):
        names.append(unique_name("sys"))
        sctr(*verb, "--name", names[-1], "--rootfs", rootfs, *flags, "--", *command).ok()
        return names[-1]

    yield begin
    for name in names:
        sctr("rm", "-f", name)


def rows(user, *flags):
    return {row["id"]: row for row in json.loads(sctr_as(user, "ps", "--json", *flags).ok())}


def roots_status(name):
    found = {row["id"]: row for row in json.loads(sctr("ps", "-a", "--json").ok())}
    return found[name]["status"]


def pid_of(name):
    return json.loads((STATE / name / "state.json").read_text())["pid"]


# What everybody may see ------------------------------------------------------------------------


@pytest.mark.parametrize("user", [MEMBER, STRANGER])
def test_ps(start, user):
    with start() as container:
        row = rows(user)[container.name]
        assert (row["status"], row["pid"], row["unit"]) == ("running", container.init(), container.unit)
        assert "sh" in row["description"]
        assert container.name in sctr_as(user, "ps", "-q").lines
        sctr("pause", container.name).ok()
        assert rows(user)[container.name]["status"] == "paused"
        sctr("unpause", container.name).ok()
    assert container.name not in rows(user, "-a")


def test_ps_of_a_service_that_failed(stored):
    name = stored(command=("sh", "-c", "exit 7"))
    eventually(lambda: roots_status(name) == "stopped")
    # The record says so before the supervisor has ended, whose status is all that others see.
    has_status = lambda row: row and row.get("exitStatus") is not None  # noqa: E731
    row = eventually(lambda: next(filter(has_status, [rows(STRANGER, "-a").get(name)]), None))
    assert (row["status"], row["exitStatus"]) == ("stopped", 7)
    assert name not in rows(STRANGER)


@pytest.mark.parametrize("user", [MEMBER, STRANGER])
def test_what_is_read_of_one(start, user):
    with start() as container:
        (shown,) = json.loads(sctr_as(user, "inspect", container.name).ok())
        assert shown["systemd"]["activeState"] == "active"
        assert "config" not in shown and "rootfs" not in shown
        (used,) = json.loads(
            sctr_as(user, "stats", "--no-stream", "--json", container.name).ok()
        )
        assert container.name in used.values()
        assert str(container.init()) in sctr_as(user, "top", container.name).ok()
        assert f'"{container.name}"' in sctr_as(user, "stats", "--format", "openmetrics").ok()


def test_the_records_stay_closed(start):
    with start() as container:
        for path in (container.state, "/var/lib/sctr/containers"):
            if os.path.exists(path):
                assert run_as(MEMBER, "ls", path).returncode != 0, path


def test_a_description_cannot_speak_to_the_terminal(start):
    with start() as container:
        host("busctl", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
             "org.freedesktop.systemd1.Manager", "SetUnitProperties", "sba(sv)",
             container.unit, "true", 1, "Description", "s", "a\x1b[2Jb")  # fmt: skip
        assert "\x1b" not in sctr_as(STRANGER, "ps").ok()
        assert "a?[2Jb" in sctr_as(STRANGER, "ps").ok()


def test_logs(stored):
    name = stored("--log", "journal")
    sctr_as(MEMBER, "logs", name).failed(125, "journal", "systemd-journal")
    sctr_as(MEMBER, "events", "--no-stream").failed(125, "journal", "systemd-journal")
    eventually(lambda: "ready" in sctr_as(READER, "logs", name).lines)
    eventually(lambda: f"{name}" in sctr_as(READER, "events", "--no-stream").stdout)
    sctr_as(READER, "logs", "no-such-container").failed(125, "no such container")


def test_logs_go_on_until_the_end(stored):
    name = stored("--log", "journal")
    eventually(lambda: "ready" in sctr_as(READER, "logs", name).lines)
    with subprocess.Popen(
        words_as(READER, "sctr", "--system", "logs", "-f", name), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        sctr_as(READER, "stop", name).ok()
        assert process.wait(DEADLINE) == 0


# What members may do ---------------------------------------------------------------------------


def test_a_member_stops_and_starts_what_is_stored(stored):
    name = stored()
    assert sctr_as(MEMBER, "stop", name).ok() == name
    assert roots_status(name) == "stopped"
    sctr_as(MEMBER, "stop", name).failed(125, name, "not running")
    assert sctr_as(MEMBER, "start", name).ok() == name
    first = pid_of(name)
    assert sctr_as(MEMBER, "restart", name).ok() == name
    assert pid_of(name) != first
    assert sctr_as(MEMBER, "kill", name).ok() == name
    eventually(lambda: roots_status(name) == "stopped")


def test_a_member_stops_what_runs_in_the_foreground(start):
    with start() as container:
        sctr_as(MEMBER, "stop", container.name).ok()
        assert container.wait() == 0


STUBBORN = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1000; done")


@pytest.mark.parametrize("seconds", ["0", "1"])
def test_the_timeout_of_a_stop(start, stored, seconds):
    with start(command=STUBBORN) as container:
        sctr_as(MEMBER, "stop", "-t", seconds, container.name).ok()
        assert container.wait() == 137
    name = stored(command=STUBBORN)
    sctr_as(MEMBER, "stop", "-t", seconds, name).ok()
    assert roots_status(name) == "stopped"


def test_a_member_freezes_and_thaws(start):
    with start() as container:
        sctr_as(MEMBER, "pause", container.name).ok()
        assert roots_status(container.name) == "paused"
        sctr_as(MEMBER, "pause", container.name).failed(125, container.name, "paused")
        sctr_as(MEMBER, "unpause", container.name).ok()
        assert roots_status(container.name) == "running"
        sctr_as(MEMBER, "unpause", container.name).failed(125, container.name, "running")
        sctr_as(MEMBER, "pause", container.name).ok()
        sctr_as(MEMBER, "stop", container.name).ok()
        assert container.wait() == 0


def test_signals_reach_every_process(start):
    script = "trap 'echo got it' HUP; echo ready; while :; do sleep 1000 & wait $!; done"
    with start(command=("sh", "-c", script)) as container:
        sctr_as(MEMBER, "kill", "-s", "HUP", container.name).failed(125, container.name, "--all")
        sctr_as(MEMBER, "kill", "-s", "HUP", "--all", container.name).ok()
        container.expect("got it")


def test_a_member_changes_limits_of_what_runs(start, stored):
    with start() as container:
        sctr_as(MEMBER, "update", "-p", "IPAddressDeny=10.0.0.0/8", container.name).ok()
        shown = host("systemctl", "show", "-P", "IPAddressDeny", container.unit)
        assert shown.strip() == "10.0.0.0/8"
    name = stored()
    sctr_as(MEMBER, "update", "-p", "IPAddressDeny=10.0.0.0/8", name).failed(125, name, "--runtime")
    sctr_as(MEMBER, "update", "--restart", "always", "--runtime", name).failed(125, "root's")
    sctr_as(MEMBER, "update", "-p", "IPAddressDeny=10.0.0.0/8", "--runtime", name).ok()
    assert "10.0.0.0/8" in host("systemctl", "show", "-P", "IPAddressDeny", unit_of(name))
    assert not Path(f"/etc/systemd/system.control/{unit_of(name)}.d").exists()


def test_what_does_not_exist():
    name = unique_name()
    for verb in ("stop", "kill", "pause", "unpause", "top", "inspect", "stats"):
        sctr_as(MEMBER, verb, name).failed(125, name, "not running")
    for verb in ("start", "restart"):
        sctr_as(MEMBER, verb, name).failed(125, name, "no container of that name")
    assert not host("systemctl", "list-units", "--all", "--plain", "--no-legend", f"sctr@{name}.service")


@pytest.mark.parametrize("name", ["../x", "x/../../ssh", "-x", "x.service\n", "", "\u00fc", "a" * 129])
def test_names_that_are_none(name):
    for verb in ("stop", "start", "kill", "top", "inspect"):
        done = sctr_as(MEMBER, verb, "--", name)
        assert done.status == 125 and "invalid container name" in done.stderr, done


def test_an_error_of_the_container_is_told(stored):
    name = stored(command=("no-such-program",), verb=("create",))
    done = sctr_as(MEMBER, "start", name)
    done.failed(127, "no-such-program")
    assert done.stderr == sctr("start", name).stderr


# What nobody but root may do -------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--rootfs", "/", "true"],
        ["create", "--name", "x", "--rootfs", "/", "true"],
        ["exec", "NAME", "true"],
        ["attach", "NAME"],
        ["rm", "-f", "NAME"],
        ["rename", "NAME", "other"],
        ["enable", "NAME"],
        ["disable", "NAME"],
        ["wait", "NAME"],
        ["doctor"],
        ["supervise", "NAME"],
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("user", [MEMBER, STRANGER])
def test_verbs_of_root(stored, user, words):
    name = stored()
    words = [name if word == "NAME" else word for word in words]
    sctr_as(user, *words).failed(125, f"'{words[0]}'", "needs root", f"sudo sctr {words[0]}")
    assert roots_status(name) == "running"


@pytest.mark.parametrize(
    "words",
    [["stop"], ["stop", "-t", "0"], ["kill"], ["kill", "--all", "-s", "HUP"], ["pause"], ["restart"],
     ["update", "--runtime", "-p", "IPAddressDeny=any"]],
    ids=" ".join,
)  # fmt: skip
def test_a_stranger_is_refused(stored, words):
    name = stored()
    first = pid_of(name)
    sctr_as(STRANGER, *words, name).failed(125, name, "permission denied", "group sctr")
    assert (roots_status(name), pid_of(name)) == ("running", first)


def test_a_stranger_does_not_start(stored):
    name = stored(verb=("create",))
    sctr_as(STRANGER, "start", name).failed(125, name, "polkit", "group sctr")
    assert roots_status(name) == "created"


# On a terminal ---------------------------------------------------------------------------------


@pytest.fixture
def roots_password():
    """Polkit asks for root's where nobody else is an administrator."""
    before = host("getent", "shadow", "root").split(":")[1]
    host("chpasswd", input="root:sesame\n")
    yield "sesame"
    host("usermod", "--password", before, "root")


def as_stranger(*words):
    return Terminal(*words_as(STRANGER, "sctr", "--system", *words), columns=200)


def answer(screen, password):
    screen.expect("Password: ")
    # What is typed before the terminal's echo is off is thrown away.
    eventually(lambda: not screen.modes()[3] & termios.ECHO, what="the end of the echo")
    screen.send(password + "\n")


def test_a_stranger_is_asked_for_a_password(start, roots_password):
    with start() as container:
        with as_stranger("stop", container.name) as screen:
            screen.expect("AUTHENTICATING FOR org.freedesktop.systemd1.manage-units")
            answer(screen, roots_password)
            screen.expect("COMPLETE")
            screen.expect(container.name)
            assert screen.wait() == 0
            assert screen.is_restored()
        assert container.wait() == 0


def test_one_question_for_one_start(stored, roots_password):
    name = stored(verb=("create",))
    with as_stranger("start", name) as screen:
        answer(screen, roots_password)
        screen.expect("COMPLETE")
        screen.expect(f"{name}\r\n")
        assert screen.wait() == 0
    assert roots_status(name) == "running"


def test_a_wrong_password(start, roots_password):
    with start() as container:
        with as_stranger("kill", container.name) as screen:
            answer(screen, "open")
            screen.expect("sctr: [^\n]*" + re.escape(container.unit))
            assert screen.wait() == 125
            assert screen.is_restored()
        assert roots_status(container.name) == "running"


def test_an_interrupted_question(start):
    with start() as container:
        with as_stranger("stop", container.name) as screen:
            screen.expect("Password: ")
            screen.send("\x03")
            assert screen.wait() == -signal.SIGINT
            assert screen.is_restored()
        assert roots_status(container.name) == "running"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_an_interrupt_that_the_agent_does_not_see(start, roots_password, number):
    """It may be slow, or at that very moment be turning off the echo in another thread."""
    with start() as container:
        with as_stranger("stop", container.name) as screen:
            screen.expect("Password: ")
            eventually(lambda: not screen.modes()[3] & termios.ECHO, what="the end of the echo")
            (agent,) = children(screen.process.pid)
            os.kill(agent, signal.SIGSTOP)
            screen.signal(number)
            assert screen.wait() == -number
            assert screen.is_restored()
        assert roots_status(container.name) == "running"


# Whose containers ------------------------------------------------------------------------------


def test_for_root_they_are_its_own(start):
    with start() as container:
        assert container.name in sctr("--system", "ps", "-q").lines
        assert sctr("--system", "exec", container.name, "echo", "in").ok() == "in"


@pytest.mark.parametrize(
    "words, said",
    [
        (["--user", "ps"], ["--user", "run0 --user=NAME"]),
        (["--system", "--user", "ps"], ["--system --user"]),
        (["ps", "--system"], ["--system", "before the verb"]),
    ],
)
def test_root_has_no_containers_of_a_user(words, said):
    sctr(*words).failed(125, *said)
