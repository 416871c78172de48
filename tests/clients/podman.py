# SPDX-License-Identifier: LGPL-2.1-or-later
"""podman with conmon and sctr-oci, as people call it: as the account that is chosen."""

import json
import subprocess

import callers
import harness
from harness import DEADLINE, WAIT, eventually

COMMAND = ["podman", "--runtime", "sctr"]


def command_line(*args, env=None):
    return callers.current().words(*COMMAND, *args, env=env)


def podman(*args, input=None, timeout=3 * DEADLINE, **options):
    """Runs podman to its end."""
    if input is None and "stdin" not in options:
        options["stdin"] = subprocess.DEVNULL
    command = command_line(*args)
    done = subprocess.run(command, input=input, capture_output=True, timeout=timeout, **options)
    return harness.Result(command, done.returncode, done.stdout, done.stderr)


class Container:
    """A container that podman started in the background."""

    def __init__(self, image, *flags, command=("sh", "-c", WAIT), ready="ready", **options):
        self.name = harness.unique_name("pod")
        self.id = podman("run", "-d", "--name", self.name, *flags, image, *command, **options).ok()
        self.id = self.id.splitlines()[-1]
        if ready:
            self.expect(ready)

    def expect(self, word):
        return eventually(lambda: word in self.logs(), what=f"{word!r} in the logs of {self.name}")

    def logs(self):
        return podman("logs", self.name).ok()

    def inspect(self, *path):
        value = json.loads(podman("inspect", "--type", "container", self.name).ok())[0]
        for part in path:
            value = value[part]
        return value

    def exec(self, *words, **options):
        return podman("exec", self.name, *words, **options)

    def status(self):
        """What podman says and what the runtime says; None: it does not know the container."""
        state = callers.current().oci("state", self.id)
        if state.status:
            assert "does not exist" in state.stderr, state
            return self.inspect("State", "Status"), None
        return self.inspect("State", "Status"), json.loads(state.stdout)["status"]

    def expect_status(self, *wanted):
        eventually(lambda: self.status() == wanted, what=f"{wanted} of {self.name}")

    def remove(self):
        podman("rm", "--force", "--time", "0", "--volumes", self.name).ok()
