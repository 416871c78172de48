# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bundles of the OCI runtime-spec, run by sctr-oci as engines do."""

import contextlib
import copy
import json
import os
import subprocess

import harness

CAPABILITIES = ["CAP_CHOWN", "CAP_KILL"]

CONFIG = {
    "ociVersion": "1.3.0",
    "process": {
        "user": {"uid": 0, "gid": 0},
        "args": ["true"],
        "env": ["PATH=/bin:/usr/bin"],
        "cwd": "/",
        "capabilities": {
            name: CAPABILITIES for name in ("bounding", "effective", "permitted")
        },
    },
    "hostname": "bundle",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
        {
            "destination": "/sys/fs/cgroup",
            "type": "cgroup",
            "source": "cgroup",
            "options": ["ro"],
        },
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
    ],
    "linux": {
        "namespaces": [
            {"type": name} for name in ("pid", "network", "mount", "ipc", "uts", "cgroup")
        ],
    },
}


class Bundle:
    """A directory with a config.json, and the container that is made of it."""

    def __init__(self, path, rootfs):
        self.path = path
        self.name = harness.unique_name("oci")
        self.config = copy.deepcopy(CONFIG)
        self.config["root"] = {"path": str(rootfs)}
        path.mkdir()

    @property
    def process(self):
        return self.config["process"]

    @property
    def linux(self):
        return self.config["linux"]

    def map_users(self, first=100000):
        """Gives the container a user namespace of its own."""
        mapping = [{"containerID": 0, "hostID": first, "size": 65536}]
        self.linux["uidMappings"] = self.linux["gidMappings"] = mapping
        self.linux["namespaces"].append({"type": "user"})

    def write(self, *command):
        if command:
            self.process["args"] = list(command)
        (self.path / "config.json").write_text(json.dumps(self.config))

    def run(self, *command, **options):
        """`sctr-oci run` of the command, to its end."""
        self.write(*command)
        return sctr_oci("run", "--bundle", self.path, self.name, **options)

    def create(self, *command):
        """`sctr-oci create`; what the container writes is in `output`, and not to be waited for."""
        self.write(*(command or ("sh", "-c", harness.WAIT)))
        words = ["sctr-oci", "create", "--bundle", str(self.path), self.name]
        with open(self.output, "wb") as file:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=harness.DEADLINE
            )
        return harness.Result(words, done.returncode, b"", self.output.read_bytes())

    @property
    def output(self):
        return self.path / "output"

    @contextlib.contextmanager
    def started(self, *command):
        """The container in the background, once its command has printed "ready"."""
        self.write(*(command or ("sh", "-c", harness.WAIT)))
        words = ["sctr-oci", "run", "--bundle", str(self.path), self.name]
        with subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            container = harness.Started(self.name, process)
            try:
                container.expect("ready\n")
                yield container
            finally:
                process.terminate()
                try:
                    process.wait(harness.DEADLINE)
                except subprocess.TimeoutExpired:
                    process.kill()  # and the container with it
                    raise

    def exec(self, *command, **process):
        """`sctr-oci exec --process` with a process object of these members."""
        whole = {
            "args": list(command),
            "cwd": "/",
            "env": self.process["env"],
            "user": {"uid": 0, "gid": 0},
        }
        file = self.path / "process.json"
        file.write_text(json.dumps(whole | process))
        return sctr_oci("exec", "--process", file, self.name)


def sctr_oci(*args, timeout=harness.DEADLINE, **options):
    command = ["sctr-oci", *map(os.fspath, args)]
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(command, capture_output=True, timeout=timeout, **options)
    return harness.Result(command, done.returncode, done.stdout, done.stderr)
