# SPDX-License-Identifier: LGPL-2.1-or-later
"""events: what runc prints, one line of JSON each."""

import json
import subprocess

import pytest

from engine import oci, refused
from harness import CGROUP, WAIT, eventually, unique_name

# What go-runc and runc's own users read.
KEYS = ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"]


def test_statistics_of_the_moment(container):
    one = container("sh", "-c", WAIT).start().expect("ready")
    event = json.loads(oci("events", "--stats", one.id).ok())
    assert list(event) == ["type", "id", "data"] and event["type"] == "stats" and event["id"] == one.id
    data = event["data"]
    assert list(data) == KEYS
    usage = data["cpu"]["usage"]
    assert usage["total"] >= usage["kernel"] > 0 or usage["total"] >= usage["user"] > 0
    assert usage["total"] % 1000 == 0, "microseconds as nanoseconds"
    assert {"usage", "swap", "kernel", "kernelTCP"} <= set(data["memory"])
    assert all("failcnt" in data["memory"][kind] and "limit" in data["memory"][kind] for kind in ("usage", "swap"))
    controllers = (CGROUP / "cgroup.controllers").read_text().split()
    assert ("current" in data["pids"]) == ("pids" in controllers)
    assert ("raw" in data["memory"]) == ("memory" in controllers)
    pressure = CGROUP / "cpu.pressure"
    assert ("psi" in data["cpu"]) == pressure.exists()


def test_statistics_of_one_that_is_only_created(container):
    one = container("true")
    assert json.loads(oci("events", "--stats", one.id).ok())["type"] == "stats"


def test_events_come_at_intervals_and_end_with_the_container(container, background):
    one = container("sh", "-c", WAIT).start().expect("ready")
    follower = background("sctr-oci", "events", "--interval", "20ms", one.id, stdout=subprocess.PIPE)
    for _ in range(3):
        event = json.loads(follower.stdout.readline())
        assert event["type"] == "stats" and list(event["data"]) == KEYS
    oci("kill", one.id, "KILL").ok()
    assert follower.wait(timeout=20) == 0
    assert all(json.loads(line)["type"] == "stats" for line in follower.stdout)


def test_an_end_between_two_intervals_is_noticed(container, background):
    one = container("sh", "-c", WAIT).start().expect("ready")
    follower = background("sctr-oci", "events", "--interval", "1h", one.id, stdout=subprocess.PIPE)
    eventually(lambda: "pidfd" in fds(follower.pid), what="its look at the first process")
    oci("kill", one.id, "KILL").ok()
    assert follower.wait(timeout=20) == 0 and follower.stdout.read() == b""


def fds(pid):
    return subprocess.run(["ls", "-l", f"/proc/{pid}/fd"], capture_output=True, text=True).stdout


@pytest.mark.parametrize("value", ["0", "0s", "-1s", "x", ""])
def test_bad_intervals(value):
    refused(oci("events", f"--interval={value}", "x"), "--interval")


def test_there_is_nothing_to_say_of_one_that_has_ended(container):
    one = container("true").start().stopped()
    refused(oci("events", "--stats", one.id), "container not running", one.id)
    refused(oci("events", one.id), "container not running", one.id)
    refused(oci("events", "--stats", unique_name()), "does not exist")


def test_an_oom_kill_is_an_event(container, background, need_controller):
    need_controller("memory")
    one = container("sleep", "1000", linux={"resources": {"memory": {"limit": 32 << 20, "swap": 32 << 20}}}).start()
    follower = background("sctr-oci", "events", "--interval", "1h", one.id, stdout=subprocess.PIPE)
    eventually(lambda: "memory.events" in fds(follower.pid))
    child = background("sctr-oci", "exec", one.id, "tail", "/dev/zero")
    assert json.loads(follower.stdout.readline()) == {"type": "oom", "id": one.id}
    assert child.wait(20) == 137
    assert one.status() == "running"
