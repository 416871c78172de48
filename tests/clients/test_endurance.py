# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many containers, one after another and at once: none fails, nothing is left, nothing becomes slower."""

import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

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


def test_500_cycles(rootfs, tmp_path):
    bundle = engine.make_bundle(tmp_path, rootfs, "sleep", "1000")
    seconds = []
    for _ in range(CYCLES):
        begin = time.monotonic()
        cycle(bundle)
        seconds.append(time.monotonic() - begin)
    first, last = (statistics.median(part) for part in (seconds[:100], seconds[-100:]))
    # Other work on the machine moves medians too; a cost that grows with what has been moves them by much more.
    assert last < 1.5 * first, f"{first * 1000:.1f} ms at first, {last * 1000:.1f} ms at last"


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
