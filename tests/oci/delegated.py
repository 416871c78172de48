# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service whose cgroup systemd has delegated, and what it starts."""

import os
import subprocess

from harness import CGROUP, DEADLINE, Result, host


class Service:
    """A delegated service, and commands that are run as if it had started them."""

    def __init__(self, unit, *properties, subgroup="own"):
        self.unit = unit
        self.subgroup = subgroup
        properties = ["Type=exec", "Delegate=yes", f"DelegateSubgroup={subgroup}", *properties]
        host("systemd-run", "-q", f"--unit={unit}", *(word for each in properties for word in ("-p", each)), "sleep", "1000")
        self.path = host("systemctl", "show", unit, "-P", "ControlGroup").strip()
        self.cgroup = CGROUP / self.path.lstrip("/")

    def enter(self):
        (self.cgroup / self.subgroup / "cgroup.procs").write_text(str(os.getpid()))

    def oci(self, *words):
        command = ["sctr-oci", *map(str, words)]
        # Not into a pipe, which the container would hold open.
        path = f"/run/{self.unit}.output"
        with open(path, "wb") as output:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=DEADLINE, preexec_fn=self.enter)
        with open(path, "rb") as output:
            text = output.read()
        os.unlink(path)
        return Result(command, done.returncode, b"", text)

    def below(self):
        """The cgroups that were made in it."""
        return {str(path.parent.relative_to(self.cgroup)) for path in self.cgroup.glob("*/**/cgroup.procs")} - {self.subgroup}
