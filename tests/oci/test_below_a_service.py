# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers below a service whose cgroup systemd has delegated, and what goes wrong there; podman's are in the suite of clients."""

import contextlib
import json
import os
import pwd
import subprocess
import threading
from pathlib import Path

import pytest

from delegated import Service
from engine import STATE, Container, oci, refused
from harness import CGROUP, DEADLINE, WAIT, eventually, host, unique_name
from test_checkpoint import criu

GUEST = pwd.getpwnam("guest")

SCRIPT = """
set -e
sctr-oci create --bundle {bundle} --pid-file {bundle}/pid {id} < /dev/null > /dev/null 2>&1
sctr-oci start {id}
{then}
tail -n 1 /proc/$(cat {bundle}/pid)/cgroup
sctr-oci delete --force {id}
"""

RESTORE = """
sctr-oci checkpoint --image-path {bundle}/images {id}
sctr-oci restore --detach --bundle {bundle} --pid-file {bundle}/pid --image-path {bundle}/images {id} < /dev/null > /dev/null 2>&1
sctr-oci pause {id}
sctr-oci state {id} | grep -q paused
sctr-oci resume {id}
"""


@pytest.fixture
def service():
    """service(PROPERTY..., unit=NAME): a delegated service that runs until the end of the test."""
    made = []

    def start(*properties, unit=None):
        made.append(Service(unit or f"{unique_name('below')}.service", *properties))
        return made[-1]

    yield start
    for each in made:
        host("systemctl", "stop", each.unit, check=False)
        host("systemctl", "reset-failed", each.unit, check=False)


@pytest.fixture
def create(bundle):
    """create(SERVICE, PATH, CHANGE...): what `create` gave for a container in that cgroup of the service."""
    made = []

    def run(service, path, *args, linux=None, **changes):
        linux = {**(linux or {}), "cgroupsPath": f"{service.path}/{path}"}
        made.append(Container(bundle(*(args or ("sh", "-c", WAIT)), linux=linux, **changes)))
        made[-1].result = service.oci("create", "--bundle", made[-1].bundle, made[-1].id)
        return made[-1]

    yield run
    for each in made:
        oci("delete", "--force", each.id)


def pids(cgroup):
    return (cgroup / "cgroup.procs").read_text().split()


def cgroup_of(container):
    lines = Path(f"/proc/{container.state()['pid']}/cgroup").read_text().splitlines()
    return CGROUP / next(line for line in lines if line.startswith("0::/")).removeprefix("0::/")


def test_it_is_where_it_was_asked_for(service, create):
    one = service()
    made = create(one, "a/b")
    made.result.ok()
    assert cgroup_of(made) == one.cgroup / "a/b"
    oci("delete", "--force", made.id).ok()
    assert "a/b" not in one.below()


def test_a_cgroup_is_one_containers_alone(service, create):
    one = service()
    first = create(one, "payload")
    first.result.ok()
    second = create(one, "payload")
    refused(second.result, f"{one.path}/payload", "in use")
    assert first.status() == "created" and len(pids(one.cgroup / "payload")) == 1
    oci("delete", "--force", second.id)
    assert first.status() == "created"


def test_what_is_above_is_taken_away_by_another_whose_start_failed(service, create):
    one = service()
    done = threading.Event()

    def take_away():
        while not done.wait(0.001):  # nobody's starts fail without a pause
            with contextlib.suppress(OSError):
                (one.cgroup / "shared").rmdir()

    thread = threading.Thread(target=take_away)
    thread.start()
    try:
        for _ in range(20):
            made = create(one, "shared/payload")
            made.result.ok()
            oci("delete", "--force", made.id).ok()
    finally:
        done.set()
        thread.join()


def test_the_cgroup_of_its_own_caller_is_none_for_a_container(service, create):
    one = service()
    refused(create(one, "own").result, "in use")
    assert pids(one.cgroup / "own")


def test_what_is_left_of_another_does_not_count(service, create):
    one = service()
    (one.cgroup / "payload/deeper").mkdir(parents=True)
    (one.cgroup / "payload/cgroup.freeze").write_text("1")
    made = create(one, "payload")
    made.result.ok()
    assert (made.status(), one.below()) == ("created", {"payload"})


def test_delete_leaves_what_another_has_made_of_its_cgroup(service, create, background):
    one = service()
    first = create(one, "payload", "true")
    first.result.ok()
    os.kill(first.state()["pid"], 9)
    eventually(lambda: not pids(one.cgroup / "payload"), what="the end of the first")
    (one.cgroup / "payload").rmdir()
    second = create(one, "payload")
    second.result.ok()
    oci("delete", first.id).ok()
    assert second.status() == "created"


def test_a_create_that_fails_leaves_no_cgroup(service, create):
    one = service()
    failed = create(one, "a/b/c", "/no/such/program")
    refused(failed.result, "/no/such/program")
    eventually(lambda: not one.below(), what="the end of its cgroups")


def test_a_hook_that_fails_leaves_no_cgroup(service, create):
    one = service()
    failed = create(one, "a/b", hooks={"createRuntime": [{"path": "/bin/false"}]})
    refused(failed.result, "/bin/false")
    eventually(lambda: not one.below(), what="the end of its cgroups")


@pytest.mark.parametrize("name", ["cgroup.procs", "cgroup.procs/x", "x" * 256, "a\nb", "a\nb/c"])
def test_a_name_that_no_cgroup_can_have(service, create, name):
    one = service()
    refused(create(one, name).result, one.path)
    assert not one.below()


@pytest.mark.parametrize("path", ["../../escaped", "a/../../../escaped", "./x"])
def test_a_path_that_climbs_is_none_of_the_services(service, create, path):
    one = service()
    made = create(one, path)
    if made.result.status == 0:
        assert cgroup_of(made).name.endswith(".scope")
    assert not one.below() and not (CGROUP / "escaped").exists() and not (CGROUP / "system.slice/escaped").exists()


def test_a_tree_that_was_given_to_another_is_not_ours(service, create):
    """Its owner could take the limits off, and move the processes."""
    one = service("User=guest")
    assert one.cgroup.stat().st_uid == GUEST.pw_uid
    made = create(one, "payload")
    made.result.ok()
    assert cgroup_of(made).name.endswith(".scope") and not one.below()


def test_a_service_whose_cgroup_systemd_names_otherwise(service, create):
    one = service(unit="pids.service")
    assert one.path.endswith("/_pids.service")
    made = create(one, "payload")
    made.result.ok()
    assert cgroup_of(made) == one.cgroup / "payload"


def test_the_service_stops_during_a_create(service, bundle, tmp_path):
    """sctr-oci is of the service, and ends with it."""
    one = service()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    hook = {"path": "/bin/sh", "args": ["sh", "-c", f"echo here >{fifo}; exec sleep 1000"]}
    path = bundle(hooks={"createRuntime": [hook]}, linux={"cgroupsPath": f"{one.path}/a/payload"})
    name = unique_name("oci")
    process = subprocess.Popen(
        ["sctr-oci", "create", "--bundle", path, name],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=one.enter,
    )  # fmt: skip
    assert fifo.read_text() == "here\n"
    host("systemctl", "stop", one.unit)
    assert process.wait(DEADLINE) != 0
    assert not one.cgroup.exists()
    oci("delete", "--force", name).ok()
    assert name not in oci("list", "-q").ok().split()


def test_the_service_stops_and_then_it_is_deleted(service, create):
    one = service()
    made = create(one, "payload")
    made.result.ok()
    oci("pause", made.id)
    host("systemctl", "stop", one.unit)
    assert not one.cgroup.exists() and made.status() == "stopped"
    oci("delete", made.id).ok()
    assert made.id not in {each["id"] for each in json.loads(oci("list", "-f", "json").ok()) or []}


@pytest.mark.parametrize("then", ["", pytest.param(RESTORE, marks=criu)], ids=["made", "restored"])
def test_in_the_service(bundle, then):
    name = unique_name()
    service = f"{name}.service"
    path = bundle("sh", "-c", "while :; do sleep 0.05; done", linux={"cgroupsPath": f"/system.slice/{service}/payload"})
    words = {"bundle": path, "id": name}
    script = SCRIPT.format(then=then.format(**words), **words)
    start = ["systemd-run", "--quiet", "--unit", service, "--property", "Delegate=yes", "--pipe", "--wait"]
    start += ["--setenv=CRIU_FAULT"] if "CRIU_FAULT" in os.environ else []  # conftest.py
    where = host(*start, "sh", "-c", script)
    assert where == f"0::/system.slice/{service}/payload\n"
    assert not Path(STATE, name).exists()
    assert not (CGROUP / "system.slice" / service / "payload").exists()
