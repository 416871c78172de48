# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files of Quadlet, the services that it makes of them, and the containers in these."""

import contextlib
import json

import pytest

from harness import CGROUP, unique_name
from podman import podman


@contextlib.contextmanager
def writer(account):
    """Gives write(TEXT): the name of the service that Quadlet makes of it. All end with the context."""
    made = []

    def write(text):
        name = unique_name("quadlet")
        made.append(name)
        account.run("mkdir", "-p", account.quadlets)
        (account.quadlets / f"{name}.container").write_text(text)
        account.systemctl("daemon-reload")
        return f"{name}.service"

    yield write
    for name in made:
        account.systemctl("stop", f"{name}.service", check=False)
        account.systemctl("reset-failed", f"{name}.service", check=False)
        (account.quadlets / f"{name}.container").unlink()
    account.systemctl("daemon-reload")


@pytest.fixture
def quadlet(account):
    with writer(account) as write:
        yield write


class Service:
    """A running service of Quadlet and the container in it."""

    def __init__(self, account, unit):
        self.account, self.unit = account, unit
        self.name = f"systemd-{unit.removesuffix('.service')}"
        self.account.systemctl("start", unit)
        self.id = podman("inspect", "-f", "{{.Id}}", self.name).ok()
        self.pid = int(podman("inspect", "-f", "{{.State.Pid}}", self.name).ok())
        own = CGROUP / account.show(unit, "ControlGroup")["ControlGroup"].lstrip("/")
        self.cgroup = own / f"libpod-payload-{self.id}"

    def status(self):
        """What podman says and what the runtime says."""
        state = json.loads(self.account.oci("state", self.id).ok())
        return podman("inspect", "-f", "{{.State.Status}}", self.name).ok(), state["status"]
