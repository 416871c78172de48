# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers whose cgroup is below a service that has its tree delegated; podman's are in the suite of clients."""

from pathlib import Path

import pytest

import engine
from harness import CGROUP, host, unique_name
from test_checkpoint import criu

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


@pytest.mark.parametrize("then", ["", pytest.param(RESTORE, marks=criu)], ids=["made", "restored"])
def test_in_the_service(bundle, then):
    name = unique_name()
    service = f"{name}.service"
    path = bundle("sh", "-c", "while :; do sleep 0.05; done", linux={"cgroupsPath": f"/system.slice/{service}/payload"})
    words = {"bundle": path, "id": name}
    script = SCRIPT.format(then=then.format(**words), **words)
    start = ["systemd-run", "--quiet", "--unit", service, "--property", "Delegate=yes", "--pipe", "--wait"]
    where = host(*start, "sh", "-c", script)
    assert where == f"0::/system.slice/{service}/payload\n"
    assert not Path(engine.STATE, name).exists()
    assert not (CGROUP / "system.slice" / service / "payload").exists()
