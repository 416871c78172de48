# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks that are full or read-only: the error says so, and nothing half made stays."""

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from bundles import sctr_oci
from harness import STATE, WAIT, eventually, host, sctr, unique_name, unit_of
from services import await_trap, init_of

STORED = Path("/var/lib/sctr/containers")
UNITS = Path("/etc/systemd/system")
PAGE = os.sysconf("SC_PAGE_SIZE")
FULL = "No space left on device"


@contextlib.contextmanager
def small_disk(path, options):
    """A file system of its own at a path, empty, that nothing else of the host needs."""
    path.mkdir(parents=True, exist_ok=True)
    host("mount", "-t", "tmpfs", "-o", f"{options},mode=755", "small", path)
    try:
        yield path
    finally:
        # What a failed test has left on it must not spoil the others.
        host("umount", path, check=False)
        host("umount", "--lazy", path, check=False)


@contextlib.contextmanager
def full_disk(path, pages_left=0):
    with small_disk(path, "size=256k"):
        fill(path, pages_left)
        yield path


def fill(path, pages_left=0):
    with open(path / ".filler", "wb", buffering=0) as filler:
        with contextlib.suppress(OSError):
            while filler.write(b"x" * PAGE):
                pass
        filler.truncate(filler.tell() - pages_left * PAGE)


def contents(path):
    """What is left there, but for what is kept between containers."""
    kept = (".filler", ".network", ".seccomp")
    networks = (*path.glob(".network/attached/*"), *path.glob(".network/leases/*/[!.]*"))
    return sorted(each.name for each in (*path.iterdir(), *networks) if each.name not in kept)


def is_loaded(unit):
    shown = host("systemctl", "list-units", "--all", "--plain", "--no-legend", unit)
    return unit in shown


# A state directory without room for all that a start writes there, more or less.
FULL_RUNS = [f"size=256k,nr_inodes={inodes}" for inodes in range(2, 40, 2)] + list(range(0, 16, 2))


@contextlib.contextmanager
def crowded(path, room):
    if isinstance(room, str):
        with small_disk(path, room):
            yield
    else:
        with full_disk(path, room):
            yield


def starts_or_says(result, status):
    """Each of these fails at another write, until there is room for all of them."""
    if result.status != 0:
        assert result.status == status and FULL in result.stderr, result
        assert result.stderr.count("\n") == 1, result
    return result.status == 0


def take_back_with_room(result):
    """netavark has to write files for it, too. Where those were what there was no room for, its container's name and address
    are kept, and nothing else, until a command comes that has room."""
    if result.status != 0 and "networks: netavark: " in result.stderr and contents(STATE):
        assert not [each for each in STATE.iterdir() if each.name not in (".network", ".seccomp")]
        host("mount", "-o", "remount,nr_inodes=1000", STATE)
        sctr("ps").ok()


@pytest.mark.parametrize("room", FULL_RUNS)
def test_a_full_run(run, room):
    name = unique_name()
    with crowded(STATE, room):
        result = run("--name", name, "echo", "hello")
        if starts_or_says(result, 125):
            assert room not in (0, FULL_RUNS[0])
        take_back_with_room(result)
        assert contents(STATE) == []
        eventually(lambda: not is_loaded(unit_of(name)))


@pytest.mark.parametrize("room", FULL_RUNS)
def test_a_full_run_and_a_detached_one(rootfs, room):
    name = unique_name()
    with crowded(STATE, room):
        result = sctr("run", "-d", "--name", name, "--rootfs", rootfs, "sh", "-c", WAIT)
        starts_or_says(result, 125)
        sctr("rm", "-f", name).ok() if result.status == 0 else None
        take_back_with_room(result)
        assert contents(STATE) == [] and not (STORED / name).exists()
        eventually(lambda: not is_loaded(f"sctr@{name}.service"))


@pytest.mark.parametrize("room", FULL_RUNS)
def test_a_full_run_and_an_engine(bundle, room):
    state = Path("/run/sctr-oci")
    with crowded(state, room):
        if starts_or_says(bundle.create(), 1):
            fill(state)
            started = sctr_oci("start", bundle.name)
            if not starts_or_says(started, 1):
                assert json.loads(sctr_oci("state", bundle.name).ok())["status"] == "created"
            sctr_oci("delete", "--force", bundle.name).ok()
        assert contents(state) == []
        eventually(lambda: not is_loaded(unit_of(bundle.name)))


def test_run_fills_up_while_a_container_runs(rootfs, start):
    with small_disk(STATE, "size=256k"):
        with start("-i", "--rm=false", command=("sh", "-c", "echo ready; read x; exit 7"),
                   stdin=subprocess.PIPE) as container:  # fmt: skip
            fill(STATE)
            assert container.exec("echo", "here").ok() == "here"
            container.process.communicate(b"\n", timeout=20)
            assert container.process.returncode == 7
        assert contents(STATE) == []


def test_a_full_var(rootfs):
    name = unique_name()
    with full_disk(STORED):
        for words in (["create"], ["run", "-d"], ["create", "--restart", "always"]):
            result = sctr(*words, "--name", name, "--rootfs", rootfs, "true")
            result.failed(125, FULL, "/var/lib/sctr")
            assert contents(STORED) == []
            assert not (UNITS / f"sctr@{name}.service.d").exists()
        assert name not in sctr("ps", "-a").ok()


def test_var_fills_up_while_a_container_runs(rootfs):
    name = unique_name()
    with small_disk(STORED, "size=256k"):
        words = ["--name", name, "--restart", "on-failure", "--rootfs", rootfs]
        sctr("run", "-d", *words, "sh", "-c", "echo ready; " + WAIT).ok()
        fill(STORED)
        sctr("update", "--restart", "always", name).failed(125, FULL, "/var/lib/sctr")
        assert host("systemctl", "show", f"sctr@{name}.service", "-P", "Restart") == "on-failure\n"
        drop_in = UNITS / f"sctr@{name}.service.d" / "50-sctr.conf"
        assert "Restart=on-failure" in drop_in.read_text()
        assert sctr("exec", name, "echo", "here").ok() == "here"
        sctr("rename", name, unique_name()).failed(125, name)
        await_trap(init_of(name))
        sctr("stop", name).ok()
        [row] = json.loads(sctr("ps", "-a", "--json").ok())
        # It is known where a little of the disk was free again by then.
        assert row["status"] == "stopped" and row.get("exitStatus", 0) == 0
        assert host("systemctl", "show", f"sctr@{name}.service", "-P", "Result") == "success\n"
        sctr("start", name).ok()  # what is stored runs
        assert f" {name} " in " " + sctr("ps").ok().replace("\n", " ")
        sctr("stop", name).ok()
        sctr("rename", name, unique_name()).failed(125, FULL)
        sctr("rm", name).ok()
        assert contents(STORED) == [] and not drop_in.parent.exists()


@contextlib.contextmanager
def read_only(path):
    host("mount", "--bind", path, path)
    host("mount", "-o", "remount,bind,ro", path)
    try:
        yield
    finally:
        host("umount", path)


def test_a_read_only_etc(rootfs):
    """Image-based hosts have one: what needs no drop-in works, the rest says why not."""
    name = unique_name()
    with read_only(UNITS):
        words = ["--name", name, "--rootfs", rootfs, "sh", "-c", WAIT]
        sctr("create", "--restart", "always", *words).failed(125, "Read-only file system", str(UNITS))
        assert not (STORED / name).exists()
        sctr("run", "-d", *words).ok()
        enabled = sctr("enable", name)
        assert enabled.status == 125 and "ead-only" in enabled.stderr
        updated = sctr("update", "--restart", "always", name)
        assert updated.status == 125 and "ead-only" in updated.stderr
        sctr("stop", name).ok()
        sctr("start", name).ok()
        assert host("systemctl", "show", f"sctr@{name}.service", "-P", "Restart") == "no\n"
        sctr("rm", "-f", name).ok()
    assert not (STORED / name).exists()
