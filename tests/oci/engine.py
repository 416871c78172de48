# SPDX-License-Identifier: LGPL-2.1-or-later
"""Does what conmon and containerd's shim do with an OCI runtime."""

import copy
import json
import os
import subprocess
import tempfile

import harness
from harness import DEADLINE, eventually, unique_name

STATE = "/run/sctr-oci"


def oci(*args, input=None, timeout=DEADLINE, env=None, **options):
    """Runs sctr-oci to its end."""
    if input is None and "stdin" not in options:
        options["stdin"] = subprocess.DEVNULL
    command = ["sctr-oci", *map(str, args)]
    environment = {**os.environ, **(env or {})}
    done = subprocess.run(
        command, input=input, capture_output=True, timeout=timeout, env=environment, **options
    )
    return harness.Result(command, done.returncode, done.stdout, done.stderr)


def refused(result, *words, status=1):
    """Asserts one error line that has every one of these words."""
    assert result.status == status, result
    assert result.stderr.startswith("sctr-oci: ") and result.stderr.count("\n") == 1, result
    for word in words:
        assert word in result.stderr, f"no {word!r} in {result}"


def default_config():
    """What `sctr-oci spec` writes, without its terminal."""
    with tempfile.TemporaryDirectory() as directory:
        oci("spec", "--bundle", directory).ok()
        with open(f"{directory}/config.json") as file:
            config = json.load(file)
    config["process"]["terminal"] = False
    return config


def merged(config, changes):
    """config with changes laid over it: objects are merged, None removes."""
    config = copy.deepcopy(config)
    for key, value in changes.items():
        if value is None:
            config.pop(key, None)
        elif isinstance(value, dict) and isinstance(config.get(key), dict):
            config[key] = merged(config[key], value)
        else:
            config[key] = value
    return config


def make_bundle(directory, rootfs, *args, **changes):
    path = directory / unique_name("bundle")
    path.mkdir()
    config = default_config()
    config["process"]["args"] = list(args) or ["sh", "-c", harness.WAIT]
    config["root"]["path"] = str(rootfs)
    (path / "config.json").write_text(json.dumps(merged(config, changes)))
    return path


class Container:
    """A container of its own name; the test is its parent, as conmon is."""

    def __init__(self, bundle):
        self.id = unique_name("oci")
        self.bundle = bundle
        self.pid = 0
        self.output = bundle / "output"

    def create(self, *flags):
        pid_file = self.bundle / "pid"
        with open(self.output, "ab") as output:
            done = subprocess.run(
                ["sctr-oci", "create", "--bundle", self.bundle, "--pid-file", pid_file, *map(str, flags), self.id],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=DEADLINE,
            )  # fmt: skip
        assert done.returncode == 0, self.output.read_text(errors="replace")
        self.pid = int(pid_file.read_text())
        return self

    def start(self):
        oci("start", self.id).ok()
        return self

    def state(self):
        return json.loads(oci("state", self.id).ok())

    def status(self):
        return self.state()["status"]

    def expect(self, text):
        """Waits until its output has the text."""
        eventually(lambda: text in self.text(), what=f"{text!r} in the output")
        return self

    def text(self):
        return self.output.read_text(errors="replace")

    def stopped(self):
        """Waits for its end."""
        eventually(lambda: self.status() == "stopped", what="the end")
        return self

    def exec(self, *args, flags=(), **options):
        return oci("exec", *flags, self.id, *args, **options)

    def reap(self):
        """Its init is ours where the test process is a subreaper; else somebody else's."""
        if self.pid:
            try:
                os.waitpid(self.pid, 0)
            except ChildProcessError:
                pass
