# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many containers, one after another and at once: none fails, nothing is left, nothing becomes slower."""

import json
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import engine
from engine import oci

pytestmark = pytest.mark.parametrize("account", ["root"], indirect=True, scope="session")

CYCLES = 500
AT_ONCE = 50
USER_NAMESPACE = {
    "namespaces": [{"type": kind} for kind in ("mount", "uts", "ipc", "network", "cgroup", "pid", "user")],
    "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
    "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
}


def cycle(bundle):
    one = engine.Container(bundle)
    one.create().start()
    oci("kill", one.id, "KILL").ok()
    one.stopped()
    oci("delete", one.id).ok()
    one.reap()


def processor_seconds():
    """What the programs that ended, and systemd itself, have had of a processor: unlike time by the clock, it does
    not depend on what else the machine does."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + int(Path("/proc/1/schedstat").read_text().split()[0]) / 1e9


def cost_of_a_hundred(bundle):
    """Of a hundred cycles, in calls that know nothing of what has been: work beside on the same core makes both dearer."""
    cycles = calls = 0.0
    for _ in range(100):
        begin = processor_seconds()
        cycle(bundle)
        between = processor_seconds()
        oci("features").ok()
        cycles, calls = cycles + between - begin, calls + processor_seconds() - between
    return cycles / calls


def test_500_cycles(rootfs, tmp_path, deadline):
    bundle = engine.make_bundle(tmp_path, rootfs, "sleep", "1000")
    first = cost_of_a_hundred(bundle)
    for _ in range(CYCLES - 200):
        deadline()
        cycle(bundle)
    last = cost_of_a_hundred(bundle)
    # A cost that grows with what has been would grow by much more.
    assert last < 1.5 * first, f"{first:.2f} for the first hundred, {last:.2f} for the last"


@pytest.mark.parametrize("linux", [{}, USER_NAMESPACE], ids=["root", "user-namespace"])
def test_50_at_once(rootfs, tmp_path, linux):
    bundles = [engine.make_bundle(tmp_path, rootfs, "sleep", "1000", linux=linux) for _ in range(AT_ONCE)]
    made = [engine.Container(bundle) for bundle in bundles]
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda one: one.create().start(), made))
        ids = {one.id for one in made}
        listed = {entry["id"]: entry["status"] for entry in json.loads(oci("list", "--format", "json").ok())}
        assert {listed[name] for name in ids} == {"running"}
    finally:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda one: oci("delete", "--force", one.id), made))
        for one in made:
            one.reap()
