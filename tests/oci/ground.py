# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where an attack takes place: a bundle of a hostile image, any OCI runtime, and bait on the host."""

import contextlib
import copy
import json
import os
import shutil
import subprocess

import harness
from bundles import CONFIG
from terminal import Terminal

SECRET = "the host's own"


class Escaped(Exception):
    """The attack reached the host; the text says how."""


class Ground:
    def __init__(self, program, rootfs, path):
        self.program = program
        self.path = path
        path.chmod(0o755)  # for containers whose root is another user
        self.rootfs = path / "rootfs"
        subprocess.run(["cp", "-a", rootfs, self.rootfs], check=True)
        self.bait = path / "bait"
        self.bait.mkdir()
        (self.bait / "file").write_text(SECRET)
        self.config = copy.deepcopy(CONFIG)
        self.config["root"] = {"path": str(self.rootfs)}
        self.bundle = path / "bundle"
        self.bundle.mkdir()
        self.outcome = []  # "started", or the runtime's refusals

    def command(self, *words):
        return [self.program, "--root", str(self.path / "state"), *map(os.fspath, map(str, words))]

    def call(self, *words):
        done = subprocess.run(
            self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, timeout=harness.DEADLINE
        )
        return harness.Result(words, done.returncode, done.stdout, done.stderr)

    def write(self, *args):
        self.config["process"]["args"] = list(args)
        (self.bundle / "config.json").write_text(json.dumps(self.config))
        return harness.unique_name("esc")

    def note(self, result):
        text = (result.stderr or result.stdout).strip().splitlines()
        self.outcome.append("started" if result.status == 0 else text[-1] if text else str(result.status))
        return result

    def run(self, *args):
        """The command in a container of its own, to its end."""
        name = self.write(*args)
        try:
            return self.note(self.call("run", "--bundle", self.bundle, name))
        finally:
            self.call("delete", "--force", name)

    def run_on_a_terminal(self, *args):
        self.config["process"]["terminal"] = True
        name = self.write(*args)
        try:
            with Terminal(*self.command("run", "--bundle", self.bundle, name)) as screen:
                status = screen.wait()
                # What it has written is in the terminal by now.
                return self.note(harness.Result(args, status, screen.seen, b""))
        finally:
            self.call("delete", "--force", name)

    @contextlib.contextmanager
    def started(self, *args):
        """The container in the background, once it has printed "ready"; gives its name."""
        name = self.write(*(args or ("sh", "-c", harness.WAIT)))
        command = self.command("run", "--bundle", self.bundle, name)
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            container = harness.Started(name, process)
            try:
                container.expect("ready\n")
                self.outcome.append("started")
                yield container
            finally:
                self.call("kill", name, "KILL")
                process.wait(harness.DEADLINE)
                self.call("delete", "--force", name)

    def exec(self, container, *args, flags=(), **process):
        """`exec` of the words, or of a process.json with these members."""
        if not process:
            return self.note(self.call("exec", *flags, container.name, *args))
        whole = {"args": list(args), "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}
        file = self.bundle / "process.json"
        file.write_text(json.dumps(whole | process))
        return self.note(self.call("exec", *flags, "--process", file, container.name))

    def mount(self, destination, source, *options, kind="bind"):
        self.config["mounts"] = [each for each in self.config["mounts"] if each["destination"] != destination]
        self.config["mounts"].append(
            {"destination": destination, "source": str(source), "type": kind, "options": list(options) or ["rbind"]}
        )

    def symlink(self, name, target):
        """Puts a link into the image, in the place of what is there."""
        path = self.rootfs / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif os.path.lexists(path):
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def check_bait(self):
        found = sorted(os.listdir(self.bait))
        if found != ["file"]:
            raise Escaped(f"made {found} on the host")
        if (self.bait / "file").read_text() != SECRET:
            raise Escaped("changed a file of the host")
