# SPDX-License-Identifier: LGPL-2.1-or-later
"""What people and engines do with containers all day, one piece after the other; each says what went wrong."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "system"))

import bundles  # noqa: E402
import made_images  # noqa: E402
from harness import Result, sctr, unique_name  # noqa: E402

DEADLINE = 120


def expect(result, *statuses):
    """The result, if it has one of these statuses and one line of error at most."""
    if result.status not in (statuses or (0,)) or "internal error" in result.stderr:
        raise AssertionError(repr(result))
    return result


def begun(*words):
    return subprocess.Popen(
        list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended(process):
    out, err = process.communicate(timeout=DEADLINE)
    return Result(process.args, process.returncode, out, err)


class Works:
    def __init__(self, directory, rootfs, seed):
        self.directory = directory
        self.rootfs = rootfs
        self.random = random.Random(seed)
        self.image = f"long/base:{unique_name('i')}"

    def prepare(self):
        """An image in the store, which `close` takes away."""
        archive = self.directory / "image.tar"
        made_images.Image(made_images.base_layer()).write_archive(archive, self.image)
        sctr("load", "-i", archive, timeout=DEADLINE).ok()

    def close(self):
        sctr("rmi", self.image, timeout=DEADLINE).ok()

    def sctr(self, *words):
        return sctr(*words, timeout=DEADLINE)

    def run(self, *words):
        return self.sctr("run", "--network", "none", "--rootfs", self.rootfs, *words)

    def all(self):
        """{name: how often, beside the others}."""
        return {
            self.a_command: 20,
            self.a_failing_command: 5,
            self.a_journal: 5,
            self.a_user_namespace: 5,
            self.an_image: 5,
            self.a_network: 2,
            self.a_killed_supervisor: 5,
            self.a_stopped_scope: 5,
            self.a_service: 10,
            self.a_service_with_health: 2,
            self.an_engines_container: 10,
            self.a_listing: 5,
        }

    def one(self):
        """Does one of them, and returns its name and what went wrong, if anything did."""
        work = self.random.choices(list(self.all()), list(self.all().values()))[0]
        try:
            work()
        except (AssertionError, OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
            return work.__name__, f"{type(error).__name__}: {error}"
        return work.__name__, None

    def a_command(self):
        status = self.random.choice((0, 0, 3))
        assert expect(self.run("sh", "-c", f"echo here; exit {status}"), status).stdout == "here\n"

    def a_failing_command(self):
        expect(self.run("no-such-command"), 127)
        expect(self.sctr("run", "--rootfs", "/no/such/directory", "true"), 125)

    def a_journal(self):
        expect(self.run("--log", "journal", "sh", "-c", "seq 50"))

    def a_user_namespace(self):
        expect(self.run("--uidmap", "0:500000:65536", "true"))

    def an_image(self):
        expect(self.sctr("run", "--network", "none", "-v", "/data", self.image, "touch", "/data/x", "/y"))

    def a_network(self):
        expect(self.sctr("run", "--network", "bridge", "--rootfs", self.rootfs, "true"))

    def a_killed_supervisor(self):
        """At any moment of a start or a life."""
        name = unique_name("long")
        process = begun("sctr", "run", "--network", "none", "--name", name, "--rootfs", self.rootfs, "sleep", "1000")
        time.sleep(self.random.uniform(0, 0.06))
        process.kill()
        ended(process)
        # What is left goes with the next command, once systemd has seen the end.
        expect(self.sctr("rm", "-f", name), 0, 125)

    def a_stopped_scope(self):
        name = unique_name("long")
        process = begun("sctr", "run", "--network", "none", "--name", name, "--rootfs", self.rootfs,
                        "sh", "-c", "trap 'exit 9' TERM; echo ready; while sleep 1000 & wait $!; do :; done")  # fmt: skip
        try:
            assert process.stdout.readline() == b"ready\n"
            subprocess.run(["systemctl", "stop", f"sctr-{name}.scope"], check=True, timeout=DEADLINE)
        finally:
            expect(ended(process), 9)

    def a_service(self):
        name = unique_name("long")
        expect(self.sctr("run", "-d", "--init", "--name", name, "--network", "none", "--rootfs", self.rootfs, "sleep", "1000"))
        try:
            for words in (("exec", name, "true"), ("pause", name), ("unpause", name), ("update", "--property", "Description=x", name),
                          ("restart", name), ("logs", name), ("top", name), ("inspect", name), ("stop", "-t", "0", name),
                          ("start", name), ("kill", name)):  # fmt: skip
                expect(self.sctr(*words))
        finally:
            expect(self.sctr("rm", "-f", name))

    def a_service_with_health(self):
        name = unique_name("long")
        flags = ["--health-cmd", "true", "--health-interval", "100ms", "--init", "--restart", "always"]
        expect(self.sctr("run", "-d", "--name", name, *flags, "--network", "none", "--rootfs", self.rootfs, "sleep", "1000"))
        try:
            expect(self.sctr("wait", "--condition", "healthy", name))
        finally:
            expect(self.sctr("rm", "-f", name))

    def an_engines_container(self):
        path = self.directory / unique_name("bundle")
        bundle = bundles.Bundle(path, self.rootfs)
        expect(bundle.create("sleep", "1000"))
        try:
            expect(bundles.sctr_oci("start", bundle.name, timeout=DEADLINE))
            expect(bundle.exec("true"))
            expect(bundles.sctr_oci("kill", bundle.name, str(int(self.random.choice((signal.SIGKILL, signal.SIGTERM))))))
        finally:
            expect(bundles.sctr_oci("delete", "--force", bundle.name, timeout=DEADLINE))
            for file in path.iterdir():
                file.unlink()
            path.rmdir()

    def a_listing(self):
        json.loads(expect(self.sctr("ps", "-a", "--json")).stdout)
        expect(self.sctr("stats", "--no-stream"))
        expect(self.sctr("system", "df"))
