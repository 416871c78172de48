# SPDX-License-Identifier: LGPL-2.1-or-later
"""podman with systemd as the payload."""

import pytest

from harness import CGROUP, DEADLINE, eventually, unique_name
from podman import podman

pytestmark = pytest.mark.parametrize("account", ["root"], indirect=True, scope="session")


def is_up(name):
    state = lambda: podman("exec", name, "systemctl", "is-system-running")  # noqa: E731
    eventually(lambda: state().stdout == "running\n", deadline=3 * DEADLINE, what="a system that runs")


@pytest.mark.parametrize("how", [["--systemd=always"], []], ids=["always", "by its name"])
def test_it_boots_and_stops(systemd_rootfs, how):
    name = unique_name("pod")
    number = podman("run", "-d", "--name", name, *how, "--rootfs", systemd_rootfs, "/sbin/init").ok()
    try:
        is_up(name)
        assert podman("exec", name, "systemd-detect-virt", "--container").stdout == "podman\n"
        assert "0::/init.scope" in podman("exec", name, "cat", "/proc/1/cgroup").lines
        assert podman("exec", name, "systemd-run", "--wait", "-P", "echo", "a unit").ok().splitlines()[-1] == "a unit"
        scope = CGROUP / "machine.slice" / f"libpod-{number}.scope"
        # podman may put init below the scope, so that limits of the scope are out of its reach.
        assert list(scope.glob("**/system.slice"))
        assert podman("inspect", "-f", "{{.Config.StopSignal}}", name).ok() in ("37", "SIGRTMIN+3")
        podman("stop", "--time", str(int(2 * DEADLINE)), name, timeout=3 * DEADLINE).ok()
        eventually(lambda: podman("inspect", "-f", "{{.State.Status}}", name).ok() == "exited", what="the end")
        # Not by SIGKILL.
        assert podman("inspect", "-f", "{{.State.ExitCode}}", name).ok() != "137"
        eventually(lambda: not scope.exists())
    finally:
        podman("rm", "--force", "--time", "0", name)


def test_its_journal_and_services(systemd_rootfs):
    name = unique_name("pod")
    podman("run", "-d", "--name", name, "--systemd=always", "--rootfs", systemd_rootfs, "/sbin/init").ok()
    try:
        is_up(name)
        podman("exec", name, "systemd-run", "--unit=talks", "--wait", "echo", "from a service").ok()
        eventually(
            lambda: "from a service" in podman("exec", name, "journalctl", "--no-pager", "-u", "talks").stdout,
            what="its line in the container's journal",
        )
    finally:
        podman("rm", "--force", "--time", "0", name)
