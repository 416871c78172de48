# SPDX-License-Identifier: LGPL-2.1-or-later
"""checkpoint and restore, through CRIU."""

import json
import os
import shutil
import subprocess

import pytest

import engine
from engine import oci, refused
from harness import eventually, host, unique_name

COUNT = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done"

criu = pytest.mark.skipif(
    shutil.which("criu") is None or subprocess.run(["criu", "check"], capture_output=True).returncode != 0,
    reason="CRIU does not work on this host",
)


class Piped(engine.Container):
    """A container whose output is a pipe of ours, as conmon's are."""

    def __init__(self, bundle):
        super().__init__(bundle)
        self.reader, self.writer = os.pipe()
        self.seen = b""

    def spawn(self, *words):
        pid_file = self.bundle / "pid"
        pid_file.unlink(missing_ok=True)
        done = subprocess.run(
            ["sctr-oci", words[0], "--bundle", self.bundle, "--pid-file", pid_file, *map(str, words[1:]), self.id],
            stdin=subprocess.DEVNULL, stdout=self.writer, stderr=self.writer, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, os.read(self.reader, 65536)
        self.pid = int(pid_file.read_text())
        return self

    def number(self):
        """The next number that the command counts."""
        while self.seen.count(b"\n") < 2:
            self.seen += os.read(self.reader, 4096)
        _, line, self.seen = self.seen.split(b"\n", 2)
        return int(line)

    def drain(self):
        os.set_blocking(self.reader, False)
        try:
            while os.read(self.reader, 65536):
                pass
        except BlockingIOError:
            pass
        os.set_blocking(self.reader, True)
        self.seen = b""


@pytest.fixture
def counter(bundle):
    """A started container that counts."""
    made = []

    def create(*args, **options):
        one = Piped(bundle(*(args or ("sh", "-c", COUNT)), **options))
        made.append(one)
        one.spawn("create")
        oci("start", one.id).ok()
        return one

    yield create
    for each in made:
        oci("delete", "--force", each.id).ok()
        each.reap()
        os.close(each.reader)
        os.close(each.writer)


def save(one, images, *flags):
    return oci("checkpoint", "--image-path", images, *flags, one.id, timeout=60)


@criu
def test_there_and_back(counter, tmp_path):
    one = counter()
    before = max(one.number() for _ in range(3))
    save(one, tmp_path / "images").ok()
    one.reap()
    assert (tmp_path / "images/descriptors.json").exists()
    refused(oci("state", one.id), "does not exist")
    one.drain()
    one.spawn("restore", "--detach", "--image-path", tmp_path / "images")
    after = one.number()
    assert before < after < before + 100, "it goes on where it was"
    state = one.state()
    assert state["status"] == "running" and state["pid"] == one.pid
    assert one.exec("sh", "-c", "echo in").ok() == "in"
    assert one.pid in json.loads(oci("ps", "-f", "json", one.id).ok())
    shown = host("systemctl", "show", f"sctr-{one.id}.scope", "-p", "ActiveState,Delegate")
    assert set(shown.split()) == {"ActiveState=active", "Delegate=yes"}
    oci("kill", one.id, "KILL").ok()
    one.stopped()
    oci("delete", one.id).ok()


@criu
def test_leave_running(counter, tmp_path):
    one = counter()
    before = one.number()
    save(one, tmp_path / "images", "--leave-running", "--file-locks", "--work-path", tmp_path / "work").ok()
    assert (tmp_path / "work/dump.log").exists()
    assert one.status() == "running" and one.number() > before


def memory_is_tracked():
    check = ["criu", "check", "--feature", "mem_dirty_track"]
    return shutil.which("criu") is not None and subprocess.run(check, capture_output=True).returncode == 0


@criu
def test_a_pre_dump_and_what_has_changed_since(counter, tmp_path):
    one = counter()
    before = one.number()
    first = save(one, tmp_path / "first", "--pre-dump")
    if not memory_is_tracked():
        refused(first, "--pre-dump", "memory")
        assert one.status() == "running" and one.number() > before, "nothing has happened to it"
        return
    first.ok()
    assert one.status() == "running"
    (tmp_path / "second").mkdir()
    save(one, tmp_path / "second", "--parent-path", "../first").ok()
    one.reap()
    one.drain()
    one.spawn("restore", "--detach", "--image-path", tmp_path / "second")
    assert one.number() > before


@criu
def test_limits_are_those_of_the_new_scope(counter, tmp_path):
    one = counter(linux={"resources": {"pids": {"limit": 33}}})
    save(one, tmp_path / "images").ok()
    one.reap()
    one.spawn("restore", "--detach", "--image-path", tmp_path / "images")
    assert host("systemctl", "show", f"sctr-{one.id}.scope", "-p", "TasksMax").strip() == "TasksMax=33"


@criu
def test_restore_in_the_foreground(counter, tmp_path):
    one = counter("sh", "-c", "echo 1; while [ ! -e /data/go ]; do sleep 0.05; done; exit 7",
                  mounts=[*engine.default_config()["mounts"],
                          {"destination": "/data", "type": "bind", "source": str(tmp_path), "options": ["bind"]}])  # fmt: skip
    eventually(lambda: os.read(one.reader, 10))
    save(one, tmp_path / "images").ok()
    one.reap()
    (tmp_path / "go").touch()
    done = subprocess.run(["sctr-oci", "restore", "--bundle", one.bundle, "--image-path", tmp_path / "images", one.id],
                          stdin=subprocess.DEVNULL, stdout=one.writer, stderr=subprocess.PIPE, timeout=60)  # fmt: skip
    assert done.returncode == 7, done
    refused(oci("state", one.id), "does not exist")


@criu
def test_a_checkpoint_that_fails_leaves_the_container_alone(counter, tmp_path):
    one = counter()
    result = save(one, "/proc/no/such")
    refused(result, "image path", "/proc/no/such")
    assert one.status() == "running"


@criu
def test_a_restore_that_fails_leaves_nothing(bundle, tmp_path):
    (tmp_path / "images").mkdir()
    name = unique_name()
    refused(oci("restore", "--detach", "--bundle", bundle("true"), "--image-path", tmp_path / "images", name, timeout=60),
            "cannot restore the container", "restore.log")  # fmt: skip
    refused(oci("state", name), "does not exist")


def test_of_one_that_does_not_run(container, tmp_path):
    one = container("true")
    refused(save(one, tmp_path / "images"), "cannot checkpoint", "created")
    one.start().stopped()
    refused(save(one, tmp_path / "images"), "cannot checkpoint", "stopped")
    refused(oci("checkpoint", unique_name()), "does not exist")


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--manage-cgroups-mode", "x"], ["--manage-cgroups-mode", "soft"]),
        (["--empty-ns", "pid"], ["--empty-ns", "network"]),
        (["--page-server", "nowhere"], ["--page-server", "ADDRESS:PORT"]),
        (["--page-server", "host:0"], ["--page-server", "65535"]),
        (["--parent-path", "/absolute"], ["--parent-path", "relative"]),
        (["--parent-path", "missing"], ["parent path", "missing"]),
        (["--status-fd", "99"], ["--status-fd", "99"]),
        (["--status-fd", "x"], ["--status-fd"]),
    ],
)
def test_bad_flags(flags, words, tmp_path):
    refused(oci("checkpoint", "--image-path", tmp_path, *flags, "x"), *words)


def test_a_missing_checkpoint(bundle, tmp_path):
    name = unique_name()
    refused(oci("restore", "--bundle", bundle("true"), "--image-path", tmp_path / "none", name), str(tmp_path / "none"))
    refused(oci("state", name), "does not exist")


def test_without_criu_that_is_said(container, tmp_path, background):
    """In a mount namespace that has no criu."""
    one = container("sleep", "1000").start()
    script = 'for p in /usr/sbin/criu /sbin/criu; do [ ! -e $p ] || mount --bind /dev/null $p; done; exec "$@"'
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh",
                           "sctr-oci", "checkpoint", "--image-path", tmp_path / "images", one.id],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)  # fmt: skip
    assert done.returncode == 1 and "criu is not installed" in done.stderr, done
    assert one.status() == "running"
