# SPDX-License-Identifier: LGPL-2.1-or-later
"""The words with which CRI-O calls a runtime. It is not in Debian; its pods go through conmon, as podman's do."""

import json
import subprocess

import pytest

import engine
from engine import oci
from harness import CGROUP, WAIT, eventually, host, unique_name

PARENT = "sctrtest-crio.slice"
ANNOTATIONS = {
    "org.systemd.property.After": "['crio.service']",
    "org.systemd.property.DefaultDependencies": "true",
    "org.systemd.property.CollectMode": "'inactive-or-failed'",
    "org.systemd.property.TimeoutStopUSec": "uint64 30000000",
}


class Container(engine.Container):
    def __init__(self, bundle, root):
        super().__init__(bundle)
        self.root = root

    def call(self, *words, **options):
        return oci("--root", self.root, "--systemd-cgroup", *words, **options)

    def create(self):
        """By conmon, with what CRI-O has it hand on."""
        with open(self.output, "ab") as output:
            subprocess.run(
                ["sctr-oci", f"--root={self.root}", "--systemd-cgroup", "create", "--bundle", self.bundle,
                 "--pid-file", self.bundle / "pid", self.id],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=20, check=True,
            )  # fmt: skip
        self.pid = int((self.bundle / "pid").read_text())
        return self

    def state(self):
        return json.loads(self.call("state", self.id).ok())


@pytest.fixture
def container(bundle, tmp_path):
    """A container that runs, as CRI-O has made it."""
    number = unique_name("crio")
    one = Container(
        bundle("sh", "-c", WAIT, annotations=ANNOTATIONS, linux={"cgroupsPath": f"{PARENT}:crio:{number}"}),
        tmp_path / "root",
    )
    one.create()
    one.call("start", one.id).ok()
    one.expect("ready")
    one.scope = f"crio-{number}.scope"
    yield one
    one.call("delete", "--force", one.id).ok()
    one.reap()
    assert not list((tmp_path / "root").glob("[!.]*"))


def test_what_it_asks_at_its_start(tmp_path):
    features = json.loads(oci("features").ok())
    assert "mount" in features["linux"]["namespaces"] and "rro" in features["mountOptions"]
    assert features["linux"]["mountExtensions"]["idmap"]["enabled"]
    assert oci("--version").lines[0].startswith("sctr-oci version ")


def test_the_scope_is_as_its_annotations_say(container):
    text = host("systemctl", "show", container.scope, "-p", "Slice,After,DefaultDependencies,CollectMode,TimeoutStopUSec")
    shown = dict(line.split("=", 1) for line in text.splitlines())
    assert "crio.service" in shown.pop("After").split()
    assert shown == {"Slice": PARENT, "DefaultDependencies": "yes", "CollectMode": "inactive-or-failed", "TimeoutStopUSec": "30s"}
    assert (CGROUP / "sctrtest.slice" / PARENT / container.scope).is_dir()


def test_update_from_standard_input(container):
    resources = {"cpu": {"shares": 512, "quota": 50000, "period": 100000}, "memory": {"limit": 64 << 20, "swap": 64 << 20}}
    container.call("update", "--resources", "-", container.id, input=json.dumps(resources).encode()).ok()
    text = host("systemctl", "show", container.scope, "-p", "CPUWeight,CPUQuotaPerSecUSec,MemoryMax,MemorySwapMax")
    assert dict(line.split("=") for line in text.split()) == {
        "CPUWeight": "59", "CPUQuotaPerSecUSec": "500ms", "MemoryMax": str(64 << 20), "MemorySwapMax": "0",
    }  # fmt: skip


def test_an_exec_that_it_waits_for(container, tmp_path):
    process = {"cwd": "/", "args": ["sh", "-c", "read line; echo got $line; echo err >&2; exit 3"], "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}
    (tmp_path / "process.json").write_text(json.dumps(process))
    done = container.call("exec", "--process", tmp_path / "process.json", container.id, input=b"this\n")
    assert (done.status, done.stdout, done.stderr) == (3, "got this\n", "err\n")


def test_pause_resume_kill_and_state(container):
    container.call("pause", container.id).ok()
    assert container.status() == "paused"
    container.call("resume", container.id).ok()
    assert container.status() == "running"
    container.call("kill", container.id, "15").ok()
    eventually(lambda: container.status() == "stopped", what="the end")
    again = container.call("kill", container.id, "15")
    assert again.status == 1 and "container not running" in again.stderr
