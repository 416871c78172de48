# SPDX-License-Identifier: LGPL-2.1-or-later
"""System calls that fail later than in the start of a foreground container: in the supervisor of a service, in
its whole life, and in an engine's verbs. Samples; SCTR_TEST_EVERY=1 tries all calls."""

import errno
import itertools
import subprocess
from pathlib import Path

import pytest

import bundles
import leftovers
from harness import DEADLINE, WAIT, eventually, host, sctr, unique_name
from services import service_of, status
from test_injection import ALL, NOT_TRIED, OURS, call_names, injector, pytestmark  # noqa: F401

SAMPLES = 16


REMOVALS = ("unlink", "unlinkat", "rmdir", "umount2")


def chosen(calls):
    """(who, number) of all, or of samples and of all that take something away."""
    stride = 1 if ALL else max(1, len(calls) // SAMPLES)
    return [(who, number) for i, (who, number, name) in enumerate(calls) if i % stride == 0 or name in REMOVALS]


def listed(log):
    """(who, number, name) of the calls of ours in a list of inject.c's."""
    names = call_names()
    calls = [line.split(" ") for line in log.read_text().splitlines()]
    calls = [(who, number, names[int(nr)]) for who, number, nr, program, *_ in calls if program in OURS]
    return [call for call in calls if call[2] not in NOT_TRIED]


def failed_call(log):
    """What failed, for people; nothing when it is a call that proves nothing or the program never came to it."""
    fields = log.read_text().rstrip("\n").split(" ", 4)
    names = call_names()
    if len(fields) < 5 or NOT_TRIED.keys() & {names[int(fields[2])], fields[4]}:
        return None
    return f"{names[int(fields[2])]} {fields}"


def is_gone(before):
    try:
        eventually(lambda: not leftovers.now() - before)
    except AssertionError:
        left = leftovers.now() - before
        before |= left  # is not blamed on the calls after this one
        return f"there is left {left}"
    return None


@pytest.fixture
def service(rootfs, injector, tmp_path):  # noqa: F811
    """service(WORD...): a stored container whose supervisor runs below the injector, told these words."""
    name = unique_name("inject")
    sctr("create", "--name", name, "--network", "none", "--stop-timeout", "5", "--rootfs", rootfs, "sh", "-c", WAIT).ok()
    directory = Path(f"/run/systemd/system/{service_of(name)}.d")
    directory.mkdir(parents=True)
    log = tmp_path / "calls"

    def prepare(*words):
        command = " ".join(map(str, (injector, log, *words, "--", "/usr/bin/sctr", "supervise", name)))
        # It speaks to systemd itself, as a child of the main process.
        text = f"[Service]\nExecStart=\nExecStart={command}\nNotifyAccess=all\nTimeoutStartSec=15\nTimeoutStopSec=15\n"
        (directory / "inject.conf").write_text(text)
        host("systemctl", "daemon-reload")
        return name, log

    yield prepare
    (directory / "inject.conf").unlink()
    directory.rmdir()
    sctr("rm", "-f", name)
    host("systemctl", "daemon-reload")


def is_running(name):
    return (status(name) or ("gone",))[0] in ("running", "paused")


def live(name):
    """What went wrong in a life, if anything; that a start fails with an error of ours is right."""
    started = sctr("start", name, timeout=2 * DEADLINE)
    if started.status == 0:
        alive = sctr("exec", name, "echo", "alive")
        if is_running(name) and (alive.status, alive.stdout) != (0, "alive\n"):
            return f"it runs, and exec says {alive}"
    elif started.status not in (125, 126) or len(started.stderr.splitlines()) != 1 or not started.stderr.startswith("sctr: "):
        return f"the start says {started}"
    stopped = sctr("stop", name, timeout=2 * DEADLINE)
    if stopped.status not in (0, 125):
        return f"the stop says {stopped}"
    if leftovers.units() & {f"unit sctr-{name}.scope"} or is_running(name):
        return f"after {stopped} it runs"
    return None


def test_calls_of_the_supervisor_of_a_service(service):
    name, log = service("list")
    before = leftovers.now()
    assert live(name) is None
    calls = listed(log)
    assert len(calls) > 300 and ("unlink" in {name for *_, name in calls}), "its life was not seen to its end"
    wrong = []
    for who, number in chosen(calls):
        service(who, number, errno.EIO)
        try:
            complaint = live(name)
        except subprocess.TimeoutExpired as waits:
            complaint = f"it hangs: {waits}"
            host("systemctl", "kill", "-s", "KILL", service_of(name), check=False)
        host("systemctl", "reset-failed", service_of(name), check=False)
        complaint = complaint or is_gone(before)
        if complaint and failed_call(log):
            wrong.append(f"{failed_call(log)} failed: {complaint}")
    assert not wrong, "\n" + "\n".join(wrong)


ENGINE = {
    "create": [["create", "--bundle", "BUNDLE", "ID"]],
    "start": [["create", "--bundle", "BUNDLE", "ID"], ["start", "ID"]],
    "exec": [["create", "--bundle", "BUNDLE", "ID"], ["start", "ID"], ["exec", "ID", "echo", "alive"]],
    "pause": [["create", "--bundle", "BUNDLE", "ID"], ["start", "ID"], ["pause", "ID"]],
    "kill": [["create", "--bundle", "BUNDLE", "ID"], ["start", "ID"], ["kill", "ID", "KILL"]],
    "delete": [["create", "--bundle", "BUNDLE", "ID"], ["delete", "ID", "--force"]],
}


class Engine:
    """One container of an engine's after the other, with the last of the verbs below the injector."""

    def __init__(self, injector, path, rootfs, verb):  # noqa: F811
        self.injector, self.path, self.verb = injector, path, verb
        self.log = path / "calls"
        self.numbers = itertools.count()
        self.rootfs = rootfs

    def step(self, words, bundle, under=()):
        words = [{"BUNDLE": str(bundle.path), "ID": bundle.name}.get(word, word) for word in words]
        # What init inherits of it, nobody must wait for.
        with open(bundle.output, "wb") as output:
            return subprocess.run(
                [*map(str, under), "sctr-oci", *words], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                timeout=DEADLINE,
            ).returncode, bundle.output  # fmt: skip

    def run(self, *words):
        """What is wrong, if anything is."""
        bundle = bundles.Bundle(self.path / f"bundle{next(self.numbers)}", self.rootfs)
        bundle.write("sleep", "1000")
        *first, last = ENGINE[self.verb]
        try:
            for step in first:
                assert self.step(step, bundle)[0] == 0, bundle.output.read_text()
            done, output = self.step(last, bundle, (self.injector, self.log, *words, "--"))
            said = output.read_text(errors="replace").splitlines()
            # exec has 255 for its own failures, as runc; what it is called as (front/) speaks for both programs.
            if done != 0 and not (done in (1, 126, 255) and said and said[-1].startswith(("sctr-oci: ", "sctr: "))):
                return f"exit status {done}, {said}"
            if done == 0 and self.verb == "exec" and said != ["alive"]:
                return f"success, and {said}"
        except subprocess.TimeoutExpired:
            return "hangs"
        finally:
            deleted = bundles.sctr_oci("delete", "--force", bundle.name)
        if deleted.status != 0:
            return f"delete --force says {deleted}"
        return None


@pytest.mark.parametrize("verb", ENGINE)
def test_calls_of_an_engines_verb(injector, tmp_path, rootfs, verb):  # noqa: F811
    engine = Engine(injector, tmp_path, rootfs, verb)
    before = leftovers.now() | engine_records()
    assert engine.run("list") is None
    calls = listed(engine.log)
    assert len(calls) > 20, "the verb was not seen"
    wrong = []
    for who, number in chosen(calls):
        complaint = engine.run(who, number, errno.EIO) or is_gone(before)
        if not complaint and engine_records() - before:
            complaint = f"there is left {engine_records() - before}"
        if complaint and failed_call(engine.log):
            wrong.append(f"{failed_call(engine.log)} failed: {complaint}")
    assert not wrong, "\n" + "\n".join(wrong)


def engine_records():
    return {f"record {path}" for path in Path("/run/sctr-oci").glob("[!.]*")}
