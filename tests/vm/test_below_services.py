# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits of a container below a service that is delegated (podman's Quadlet), and of the service itself."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

for folder in ("clients", "oci"):
    sys.path.append(str(Path(__file__).parent.parent / folder))

import callers  # noqa: E402
import images  # noqa: E402
import remains  # noqa: E402
from harness import WAIT, eventually  # noqa: E402
from podman import podman  # noqa: E402
from quadlets import Service, quadlet, writer  # noqa: E402,F401

MIB = 1 << 20
EAT = "tail /dev/zero"

QUADLET = """\
[Quadlet]
DefaultDependencies=false
[Container]
Image={image}
Exec=sh -c '{command}'
GlobalArgs=--runtime=sctr
PodmanArgs={flags}
[Service]
MemoryMax=64M
MemorySwapMax=0
"""


@pytest.fixture(scope="module", autouse=True, params=list(callers.ALL))
def account(request):
    yield callers.choose(request.param)
    if request.param == "guest":
        callers.end_pause_process()
    callers.choose("root")


@pytest.fixture(scope="module")
def image(account, tmp_path_factory):
    name = images.make(tmp_path_factory.mktemp("image"))
    yield name
    podman("rmi", "--force", name).ok()


@pytest.fixture(scope="module")
def service(account, image):
    """The one that every test uses and leaves as it is: podman takes seconds for everything here."""
    flags = ["--memory=32m", "--memory-swap=32m", "--pids-limit=12", "--cpus=0.5", "--cap-add=SYS_RAWIO,MKNOD"]
    flags.append("--cgroup-conf=memory.zswap.max=0")
    if account.is_root:
        flags.append("--device=/dev/vda:r")
    with writer(account) as write:
        yield Service(account, write(QUADLET.format(image=image, command=WAIT, flags=" ".join(flags))))


@pytest.fixture(scope="module")
def look_for_leftovers():
    return remains.now


@pytest.fixture(scope="module")
def known_leftovers(service):
    return remains.now()


def read(cgroup, name):
    return (cgroup / name).read_text().strip()


def count(cgroup, file, key):
    return int(re.search(rf"^{key} (\d+)", read(cgroup, file), re.M)[1])


def ooms(cgroup):
    """How often this very limit was reached, and not one further down."""
    return count(cgroup, "memory.events.local", "oom")


def shell(service, script, *flags):
    return podman("exec", *flags, service.name, "sh", "-c", script)


@pytest.mark.controllers("memory", "pids", "cpu")
def test_the_limits_are_files_of_its_cgroup(service):
    assert str(service.pid) in read(service.cgroup, "cgroup.procs").split()
    files = {"memory.max": str(32 * MIB), "memory.swap.max": "0", "pids.max": "12", "cpu.max": "50000 100000"}
    assert {name: read(service.cgroup, name) for name in files} == files
    assert read(service.cgroup.parent, "memory.max") == str(64 * MIB)
    # What this kernel has no file for is passed over, as systemd does.
    zswap = service.cgroup / "memory.zswap.max"
    assert not zswap.exists() or zswap.read_text() == "0\n"


@pytest.mark.controllers("memory")
def test_memory_of_the_container_and_of_the_service(service):
    """Who reaches which limit first is killed for it, and nobody else."""
    above = service.cgroup.parent
    assert shell(service, f"{EAT}; echo ended with $?").stdout == "ended with 137\n"
    assert (ooms(service.cgroup), ooms(above)) == (1, 0)
    podman("update", "--memory=256m", "--memory-swap=256m", service.name).ok()
    assert read(service.cgroup, "memory.max") == str(256 * MIB)
    assert shell(service, f"{EAT}; echo ended with $?").stdout == "ended with 137\n"
    assert ooms(service.cgroup) == 1 and ooms(above) > 0
    assert service.status() == ("running", "running")
    podman("update", "--memory=32m", "--memory-swap=32m", service.name).ok()
    assert read(service.cgroup, "memory.max") == str(32 * MIB)


@pytest.mark.controllers("cpu")
def test_a_cpu_quota(service):
    spin = "while :; do :; done & sleep 8; kill $!"
    shell(service, spin, "-d").ok()
    eventually(lambda: count(service.cgroup, "cpu.stat", "nr_throttled") > 5, what="a throttled process")
    begin, used = time.monotonic(), count(service.cgroup, "cpu.stat", "usage_usec")
    eventually(lambda: time.monotonic() - begin >= 4)
    share = (count(service.cgroup, "cpu.stat", "usage_usec") - used) / 1e6 / (time.monotonic() - begin)
    assert 0.4 <= share <= 0.6


@pytest.mark.controllers("pids")
def test_fork_fails(service):
    forks = shell(service, "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 999 & done; echo all")
    assert forks.status != 0 and "Resource temporarily unavailable" in forks.stderr and not forks.stdout, forks
    assert count(service.cgroup, "pids.events", "max") > 0
    full = podman("exec", service.name, "true")
    assert full.status != 0 and "cannot fork into the container" in full.stderr, full
    for pid in read(service.cgroup, "cgroup.procs").split():
        if b"999" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(int(pid), signal.SIGKILL)
    eventually(lambda: int(read(service.cgroup, "pids.current")) <= 2, what="the end of what was forked")


def test_a_device_that_is_not_granted_is_refused(service, account):
    if not account.is_root:
        pytest.skip("a plain user's containers have no filter of devices, and cannot make nodes")
    disk = os.stat("/dev/vda").st_rdev
    script = f"""
        exec 3</dev/vda && echo read
        (exec 4>/dev/vda) && echo written
        mknod /disk b {os.major(disk)} {os.minor(disk)} && (exec 4>/disk) && echo written
        mknod /kmsg c 1 11 && cat /kmsg
        mknod /null c 1 3 && echo >/null && echo fine"""
    done = shell(service, script)
    assert done.stdout.split() == ["read", "fine"], done
    assert all(f"{name}: Operation not permitted" in done.stderr for name in ("/dev/vda", "/disk", "'/kmsg'")), done


@pytest.mark.controllers("memory")
def test_the_service_ends_when_its_container_is_killed(quadlet, image, account):  # noqa: F811
    if not account.is_root:
        pytest.skip("nothing in it depends on the account, and it takes long")
    unit = quadlet(QUADLET.format(image=image, command=f"exec {EAT}", flags=""))
    account.systemctl("start", unit, check=False)
    eventually(lambda: account.show(unit, "ActiveState")["ActiveState"] == "failed", what="the failure")
    assert account.show(unit, "ExecMainStatus")["ExecMainStatus"] == "137"
