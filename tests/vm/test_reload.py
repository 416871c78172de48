# SPDX-License-Identifier: LGPL-2.1-or-later
"""What systemd does to itself must change no limit (runc#3708, moby#51446)."""

import pytest

from harness import host, unit_of

FLAGS = ["-m", "64m", "--memory-swap", "64m", "--cpus", "0.5", "--cpu-weight", "77", "--pids-limit",
         "20", "--cpuset-cpus", "0", "--memory-reservation", "16m"]  # fmt: skip

FILES = {
    "memory.max": str(64 << 20),
    "memory.swap.max": "0",
    "memory.low": str(16 << 20),
    "cpu.max": "50000 100000",
    "cpu.weight": "77",
    "pids.max": "20",
    "cpuset.cpus": "0",
}


def found(container):
    result = {}
    for name in FILES:
        file = container.cgroup() / name
        # Kernels without swap have no such file.
        result[name] = file.read_text().strip() if file.exists() else FILES[name]
    return result


def allowed_devices(container):
    """Their order is systemd's own affair."""
    text = host("systemctl", "show", unit_of(container.name), "-p", "DeviceAllow,DevicePolicy")
    return set(text.splitlines())


@pytest.mark.controllers("memory", "cpu", "pids", "cpuset")
@pytest.mark.parametrize("command", ["daemon-reload", "daemon-reexec"])
def test_limits_survive(start, command):
    with start(*FLAGS, "--device", "/dev/full:r") as container:
        assert found(container) == FILES
        devices = allowed_devices(container)
        host("systemctl", command, timeout=120)
        assert found(container) == FILES
        assert allowed_devices(container) == devices
        assert container.exec("head", "-c", "1", "/dev/zero").status == 0
        # Starting another one makes systemd realise the whole tree again.
        host("systemd-run", "--scope", "--slice", "sctr.slice", "true", timeout=120)
        assert found(container) == FILES


@pytest.mark.controllers("memory")
def test_a_later_change_survives_too(start):
    with start("-m", "64m") as container:
        host("systemctl", "set-property", "--runtime", container.unit, "MemoryMax=32M")
        host("systemctl", "daemon-reload", timeout=120)
        assert (container.cgroup() / "memory.max").read_text().strip() == str(32 << 20)
