# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd as the payload: it boots in the container, has cgroups of its own there, and stops in order."""

import engine
import pytest
from engine import oci
from harness import CGROUP, DEADLINE, eventually, host

# What engines give to a container by default.
CAPABILITIES = [
    f"CAP_{name}"
    for name in "CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split()
]


@pytest.fixture
def booted(systemd_rootfs, tmp_path):
    """A container whose systemd has come up."""
    config = engine.default_config()
    mounts = [mount for mount in config["mounts"] if mount["destination"] != "/sys/fs/cgroup"]
    mounts.append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "rw"]})
    mounts += [
        {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=755"]} for path in ("/run", "/tmp")
    ]
    path = engine.make_bundle(
        tmp_path,
        systemd_rootfs,
        "/sbin/init",
        mounts=mounts,
        process={
            "env": ["PATH=/usr/sbin:/usr/bin", "container=sctr"],
            "capabilities": {kind: CAPABILITIES for kind in ("bounding", "effective", "permitted")},
        },
        root={"readonly": False},
        annotations={"org.systemd.property.KillSignal": "37"},
    )
    one = engine.Container(path)
    one.create().start()
    state = lambda: one.exec("systemctl", "is-system-running")  # noqa: E731
    eventually(lambda: state().stdout == "running\n", deadline=3 * DEADLINE, what="a system that runs")
    yield one
    oci("delete", "--force", one.id)
    one.reap()


def test_it_boots_and_stops(booted):
    assert booted.exec("systemd-detect-virt", "--container").stdout in ("sctr\n", "container-other\n")
    assert "0::/init.scope" in booted.exec("cat", "/proc/1/cgroup").lines
    # Its units have cgroups below the container's.
    assert "active" in booted.exec("systemd-run", "--wait", "-P", "sh", "-c", "echo active").stdout
    booted.exec("systemd-run", "--unit=inner", "sleep", "1000").ok()
    scope = CGROUP / "sctr.slice" / f"sctr-{booted.id}.scope"
    assert (scope / "system.slice" / "inner.service" / "cgroup.procs").read_text().strip()
    assert len(oci("ps", booted.id).lines) > 3
    # As podman and `systemctl stop` do it.
    oci("kill", booted.id, "RTMIN+3").ok()
    eventually(lambda: booted.status() == "stopped", deadline=3 * DEADLINE, what="the end")
    eventually(lambda: not scope.exists())


def test_pause_and_resume(booted):
    oci("pause", booted.id).ok()
    assert booted.status() == "paused"
    oci("resume", booted.id).ok()
    assert booted.exec("systemctl", "is-system-running").stdout == "running\n"


def test_the_hosts_systemd_stops_it(booted):
    host("systemctl", "stop", f"sctr-{booted.id}.scope", timeout=3 * DEADLINE)
    assert booted.status() == "stopped"
