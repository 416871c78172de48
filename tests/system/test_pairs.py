# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every two verbs on one container at once: each has an outcome that it may have, and the container is
sound afterwards. Each pair is tried once here; tests/long/pairs tries them as often as it is told."""

import contextlib
import itertools
import json
import subprocess

import pytest

from harness import DEADLINE, WAIT, Result, sctr, unique_name

VERBS = {
    "start": ["start", "NAME"],
    "stop": ["stop", "-t", "1", "NAME"],
    "restart": ["restart", "NAME"],
    "kill": ["kill", "NAME"],
    "pause": ["pause", "NAME"],
    "unpause": ["unpause", "NAME"],
    "exec": ["exec", "NAME", "true"],
    "update": ["update", "--property", "Description=x", "NAME"],
    "rename": ["rename", "NAME", "NAME-new"],
    "inspect": ["inspect", "NAME"],
    "top": ["top", "NAME"],
    "logs": ["logs", "NAME"],
    "cp": ["cp", "NAME:/etc/passwd", "-"],
    "rm": ["rm", "NAME"],
    "rm -f": ["rm", "-f", "NAME"],
}

PAIRS = list(itertools.combinations_with_replacement(VERBS, 2))

# The command of `exec` may be killed with its container.
STATUSES = {"exec": (0, 125, 137)}


def make(name, rootfs):
    sctr("run", "-d", "--name", name, "--network", "none", "--rootfs", rootfs, "sh", "-c", WAIT).ok()


def remove(name):
    """Whatever is there of it, under either name."""
    for each in (name, f"{name}-new"):
        sctr("rm", "-f", each)


def begin(verb, name):
    words = ["sctr", *(word.replace("NAME", name) for word in VERBS[verb])]
    return words, subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(words, process):
    try:
        out, err = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        pytest.fail(f"{words} hangs")
    return Result(words, process.returncode, out, err)


def let_go_on(name, begun):
    """What works in a container that is frozen meanwhile waits until it goes on."""
    for verb, _, process in begun:
        if verb == "pause":
            process.wait(DEADLINE)
    for verb, _, process in begun:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
            continue
        sctr("unpause", name)


def check(verb, result):
    assert result.status in STATUSES.get(verb, (0, 125)), result
    assert "internal error" not in result.stderr and "unknown flag" not in result.stderr, result
    if result.status == 125:
        assert result.stderr.startswith("sctr: "), result
        assert len(result.stderr.splitlines()) == 1, result


def try_pair(name, one, other):
    begun = [(verb, *begin(verb, name)) for verb in (one, other)]
    if "pause" in (one, other):
        let_go_on(name, begun)
    results = [(verb, finish(words, process)) for verb, words, process in begun]
    for verb, result in results:
        check(verb, result)


def look_at(name):
    """What is there of it can be shown and made to run; returns the name that it has now, or None."""
    found = [row for row in json.loads(sctr("ps", "-a", "--json").ok()) if row["id"] in (name, f"{name}-new")]
    assert len(found) <= 1, found
    for row in found:
        assert row["status"] in ("running", "paused", "stopped", "created"), row
        sctr("inspect", row["id"]).ok()
        if row["status"] == "paused":
            sctr("unpause", row["id"]).ok()
        elif row["status"] != "running":
            sctr("start", row["id"]).ok()
        assert sctr("exec", row["id"], "echo", "alive").ok() == "alive"
        return row["id"]
    return None


def settle(name, killed):
    try:
        return look_at(name)
    except AssertionError:
        if not killed:
            raise
        # `kill` sends its signal, and the end comes in its own time.
        for each in (name, f"{name}-new"):
            sctr("wait", each)
        return look_at(name)


def try_on_one(rootfs, one, other, times=1):
    """The pair on one container, as often as it outlives it, and on a new one after that; yields after each time."""
    name = unique_name("pair")
    there = None
    try:
        for _ in range(times):
            if there != name:
                if there:
                    sctr("rm", "-f", there).ok()
                make(name, rootfs)
            try_pair(name, one, other)
            there = settle(name, "kill" in (one, other))
            yield
        if there:
            sctr("rm", "-f", there).ok()
    except BaseException:
        remove(name)
        raise


@pytest.mark.parametrize("first", VERBS)
def test_two_verbs_at_once(rootfs, first):
    for pair in PAIRS:
        if pair[0] == first:
            list(try_on_one(rootfs, *pair))


def test_one_name_is_made_once(rootfs):
    name = unique_name("pair")
    words = ["sctr", "create", "--name", name, "--network", "none", "--rootfs", str(rootfs), "true"]
    begun = [subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
             for _ in range(8)]  # fmt: skip
    results = [finish(words, process) for process in begun]
    assert sorted(result.status for result in results) == [0] + [125] * 7, results
    for result in results:
        check("create", result)
    sctr("rm", "-f", name).ok()


def test_fifty_commands_at_once(start):
    with start() as container:
        begun = [begin("exec", container.name) for _ in range(50)]
        for words, process in begun:
            finish(words, process).ok()
