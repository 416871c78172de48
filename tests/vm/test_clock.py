# SPDX-License-Identifier: LGPL-2.1-or-later
"""The clock is set, forward and back: containers go by the time since boot."""

import json
import re
import time

import pytest

from harness import WAIT, eventually, host, sctr, unique_name, unit_of

DEAF = 'trap "" TERM; echo ready; while sleep 0.2; do :; done'


@pytest.fixture
def shift():
    """shift(SECONDS): sets the host's clock; it is right again after the test."""
    before = time.time() - time.monotonic()

    def set_clock(seconds):
        host("date", "--set", f"@{time.time() + seconds:.3f}")

    yield set_clock
    host("date", "--set", f"@{before + time.monotonic():.3f}")


def is_ready(name):
    journal = ["journalctl", "-o", "cat", "--no-pager", "-u", unit_of(name)]
    return lambda: "ready" in host(*journal).splitlines()


@pytest.mark.parametrize("seconds", [400 * 86400, -400 * 86400])
def test_the_clock_jumps(rootfs, shift, seconds):
    name = unique_name("clock")
    words = ["--name", name, "--stop-timeout", "2", "--rootfs", rootfs, "sh", "-c", DEAF]
    sctr("run", "-d", *words).ok()
    try:
        eventually(is_ready(name))
        shift(seconds)
        [line] = [line for line in sctr("ps").lines if line.startswith(name)]
        assert re.search(r" (\d+ seconds?|\d minutes?) ", line), line
        assert sctr("exec", name, "echo", "here").ok() == "here"
        sctr("pause", name).ok()
        sctr("unpause", name).ok()
        began = time.monotonic()
        shift(-seconds)
        sctr("stop", name).ok()
        assert 2 <= time.monotonic() - began < 60
        [row] = [row for row in json.loads(sctr("ps", "-a", "--json").ok()) if row["id"] == name]
        assert (row["status"], row["exitStatus"]) == ("stopped", 137)
    finally:
        sctr("rm", "-f", name)


def test_the_clock_jumps_during_a_stop(start, shift):
    with start("--stop-timeout", "3", command=("sh", "-c", DEAF)) as container:
        began = time.monotonic()
        shift(-3600)
        sctr("stop", container.name).ok()
        assert time.monotonic() - began < 60
        assert container.wait() == 137


def test_logs_of_a_clock_that_went_back(rootfs, shift):
    name = unique_name("clock")
    script = "echo first; sleep 3; echo second; " + WAIT
    words = ["--name", name, "--rootfs", rootfs, "sh", "-c", script]
    sctr("run", "-d", *words).ok()
    try:
        journal = ["journalctl", "-o", "cat", "--no-pager", "-u", unit_of(name)]
        eventually(lambda: "first" in host(*journal).splitlines())
        shift(-3600)
        eventually(lambda: "second" in host(*journal).splitlines())
        host("journalctl", "--sync")
        assert sctr("logs", name).lines[:2] == ["first", "second"]
    finally:
        sctr("rm", "-f", name)
