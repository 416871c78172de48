# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the kernel's rules for processes and controllers mean for a container below a delegated service."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "oci"))

import engine  # noqa: E402
from delegated import Service  # noqa: E402
from harness import host, unique_name  # noqa: E402

LIMIT = {"memory": {"limit": 64 << 20}}


@pytest.fixture
def create(rootfs, tmp_path):
    """create(SERVICE, RESOURCES): what `create` gave for a container below it, and the container's id."""
    made = []

    def run(service, resources):
        linux = {"cgroupsPath": f"{service.path}/payload", "resources": resources}
        made.append(unique_name("oci"))
        bundle = engine.make_bundle(tmp_path, rootfs, linux=linux)
        return service.oci("create", "--bundle", bundle, made[-1]), made[-1]

    yield run
    for each in made:
        engine.oci("delete", "--force", each)


@pytest.fixture
def service():
    """service(SUBGROUP): a delegated service, whose own processes are in that cgroup of its tree."""
    made = []

    def start(subgroup):
        made.append(Service(f"{unique_name('below')}.service", subgroup=subgroup))
        return made[-1]

    yield start
    for each in made:
        host("systemctl", "stop", each.unit)


@pytest.mark.controllers("memory")
def test_a_service_with_processes_on_top_of_its_tree_cannot_pass_limits_on(service, create):
    one = service("")
    result, _ = create(one, LIMIT)
    engine.refused(result, "memory.max", one.path, "DelegateSubgroup=")
    assert not one.below()


@pytest.mark.controllers("memory")
def test_a_limit_that_is_left_of_another_does_not_hold(service, create):
    one = service("own")
    result, first = create(one, LIMIT)
    result.ok()
    assert (one.cgroup / "payload/memory.max").read_text() == f"{64 << 20}\n"
    engine.oci("delete", "--force", first).ok()
    (one.cgroup / "payload").mkdir()
    (one.cgroup / "payload/memory.max").write_text(f"{1 << 20}")
    create(one, {})[0].ok()
    assert (one.cgroup / "payload/memory.max").read_text() == "max\n"
