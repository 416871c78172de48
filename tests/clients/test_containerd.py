# SPDX-License-Identifier: LGPL-2.1-or-later
"""containerd with io.containerd.runc.v2 and sctr-oci, through ctr."""

import json
import subprocess

import pytest

from harness import CGROUP, eventually, host, unique_name
from podman import podman

pytestmark = pytest.mark.parametrize("account", ["root"], indirect=True, scope="session")

CONFIG = """\
version = 2
root = "/var/lib/containerd/sctr-test"
state = "{run}/state"
imports = ["/etc/containerd/conf.d/*.toml"]
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{run}/containerd.sock"
"""


@pytest.fixture(scope="module")
def socket(image, tmp_path_factory):
    """The socket of a containerd that has the image."""
    # Short: a Unix socket's path has 107 bytes.
    run = tmp_path_factory.mktemp("ctd")
    (run / "config.toml").write_text(CONFIG.format(run=run))
    podman("save", "--format", "oci-archive", "--output", run / "image.tar", image).ok()
    with open(run / "log", "w") as log:
        server = subprocess.Popen(["containerd", "--config", run / "config.toml"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    address = run / "containerd.sock"
    ctr = ["ctr", "--address", address]
    eventually(lambda: subprocess.run([*ctr, "version"], capture_output=True).returncode == 0, what="containerd")
    host(*ctr, "images", "import", "--index-name", "sctr-test", run / "image.tar")
    yield address
    server.terminate()
    server.wait()


@pytest.fixture
def ctr(socket):
    return lambda *words: subprocess.run(
        ["ctr", "--address", socket, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def image_in_containerd(ctr, image):
    names = ctr("images", "ls", "-q").stdout.split()
    return next(name for name in names if "sctr-test" in name)


@pytest.fixture
def task(ctr, image_in_containerd):
    """task(FLAG..., command): `ctr run` with systemd's cgroups; what it leaves is removed."""
    made = []

    def run(*flags, command=("sleep", "1000")):
        made.append(unique_name("ctr"))
        place = f"sctrtest.slice:ctr:{made[-1]}"
        runtime = ["--runc-binary", "/usr/bin/sctr-oci", "--runc-systemd-cgroup", "--cgroup", place]
        return made[-1], ctr("run", *runtime, *flags, image_in_containerd, made[-1], *command)

    yield run
    for name in made:
        ctr("task", "kill", "--signal", "SIGKILL", name)
        ctr("task", "delete", "--force", name)
        ctr("container", "delete", name)


def test_run(task):
    name, done = task("--rm", command=["sh", "-c", "echo out; exit 5"])
    assert (done.returncode, done.stdout) == (5, "out\n"), done


def test_a_command_that_is_not_there(task):
    name, done = task("--rm", command=["no-such-command"])
    assert done.returncode != 0 and "executable file not found in $PATH" in done.stderr, done


def test_the_life_of_a_task(ctr, task):
    name, done = task("-d")
    assert done.returncode == 0, done

    def status():
        lines = [line.split() for line in ctr("task", "ls").stdout.splitlines()]
        return next((line[2] for line in lines if line[0] == name), None)

    assert status() == "RUNNING"
    scope = CGROUP / "sctrtest.slice" / f"ctr-{name}.scope"
    assert scope.is_dir()
    done = ctr("task", "exec", "--exec-id", "one", name, "sh", "-c", "echo inside; exit 3")
    assert (done.returncode, done.stdout) == (3, "inside\n"), done
    assert len(ctr("task", "ps", name).stdout.splitlines()) == 2
    assert ctr("task", "pause", name).returncode == 0
    assert status() == "PAUSED" and "frozen 1" in (scope / "cgroup.events").read_text()
    assert ctr("task", "resume", name).returncode == 0
    assert status() == "RUNNING"
    metrics = ctr("task", "metrics", "--format", "json", name)
    assert metrics.returncode == 0 and {"cpu", "memory", "pids"} <= set(json.loads(metrics.stdout)), metrics
    assert ctr("task", "kill", "--signal", "SIGKILL", name).returncode == 0
    eventually(lambda: status() == "STOPPED", what="the end of the task")
    assert ctr("task", "delete", name).returncode in (0, 137)
    assert ctr("container", "delete", name).returncode == 0
    eventually(lambda: not scope.exists())
