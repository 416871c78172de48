# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pods through CRI: what Kubernetes' kubelet asks of containerd, with sctr-oci as the runtime handler `sctr`."""

import contextlib
import json
import os
import re
import subprocess
from pathlib import Path

import grpc
import pytest

import cri
import rootfs as busybox
import streams
from cri import CONTAINER, NODE, POD
from engine import oci
from harness import CGROUP, WAIT, eventually, host, unique_name
from podman import podman

pytestmark = pytest.mark.parametrize("account", ["root"], indirect=True, scope="session")

PAUSE = "localhost/sctr-pause"
CONFIG = """\
version = 2
root = "/var/lib/containerd/sctr-test-cri"
state = "{run}/state"
[grpc]
  address = "{run}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}:latest"
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.sctr]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.sctr.options]
  BinaryName = "/usr/bin/sctr-oci"
  SystemdCgroup = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{run}/cni"
"""
DROP_IN = """\
version = 2
root = "{run}/root"
state = "{run}/state"
imports = ["/etc/containerd/conf.d/*.toml"]
[grpc]
  address = "{run}/containerd.sock"
"""
NETWORK = {
    "cniVersion": "1.0.0",
    "name": "sctr-test",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "sctr-cni0",
            "isGateway": True,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.89.77.0/24"}]]},
        }
    ],
}
PARENT = "/sctrtest.slice/sctrtest-pod.slice"
# Where containerd's shim has the runtime keep its state, for what Kubernetes runs.
STATE = "/run/containerd/runc/k8s.io"
# The kubelet asks for at least these for every container.
USUAL = {"cpu_shares": 2, "oom_score_adj": 1000}


@contextlib.contextmanager
def containerd(run, config):
    """A containerd and a client of it, once it answers."""
    (run / "config.toml").write_text(config)
    with open(run / "log", "w") as log:
        server = subprocess.Popen(["containerd", "--config", run / "config.toml"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    client = cri.Client(run / "containerd.sock")
    try:
        client.Version()
        yield run / "containerd.sock", client
    finally:
        client.close()
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def engine(image, tmp_path_factory):
    """The socket of a containerd with its CRI plugin, which has the image and one for pods."""
    run = tmp_path_factory.mktemp("cri")
    (run / "cni").mkdir()
    (run / "cni" / "10-test.conflist").write_text(json.dumps(NETWORK))
    host("tar", "-C", busybox.build(run / "root"), "-cf", run / "root.tar", ".")
    podman("import", "--quiet", "--change", "CMD sleep 100000", run / "root.tar", PAUSE).ok()
    for number, name in enumerate((image, PAUSE)):
        podman("save", "--format", "oci-archive", "--output", run / f"{number}.tar", name).ok()
    podman("rmi", PAUSE).ok()
    with containerd(run, CONFIG.format(run=run, pause=PAUSE)) as (address, client):
        for number, name in enumerate((image, PAUSE)):
            host("ctr", "--address", address, "-n", "k8s.io", "images", "import", "--index-name", f"{name}:latest", run / f"{number}.tar")
            eventually(lambda: client.ImageStatus(image={"image": name})["image"].get("id"), what=f"{name} in CRI")
        yield address
    host("ip", "link", "delete", "sctr-cni0", check=False)


@pytest.fixture
def client(engine):
    client = cri.Client(engine)
    yield client
    client.close()


class Pod:
    """A pod sandbox and its containers."""

    def __init__(self, client, image, log_directory, namespaces, annotations, handler):
        self.client, self.image = client, image
        name = unique_name("pod")
        self.config = {
            "metadata": {"name": name, "uid": name, "namespace": "default"},
            "log_directory": str(log_directory),
            "annotations": annotations,
            "linux": {"cgroup_parent": PARENT, "security_context": {"namespace_options": namespaces}},
        }
        if namespaces.get("network") != NODE:
            self.config["hostname"] = name
        self.namespaces = namespaces
        self.id = client.RunPodSandbox(config=self.config, runtime_handler=handler)["pod_sandbox_id"]

    def status(self):
        return self.client.PodSandboxStatus(pod_sandbox_id=self.id)["status"]

    def create(self, *command, security=None, resources=None, **more):
        security = {"namespace_options": self.namespaces, **(security or {})}
        name = unique_name("ctr")
        config = {
            "metadata": {"name": name},
            "image": {"image": self.image},
            "command": command or ["sh", "-c", WAIT],
            "log_path": f"{name}.log",
            "linux": {"security_context": security, "resources": {**USUAL, **(resources or {})}},
            **more,
        }
        made = self.client.CreateContainer(pod_sandbox_id=self.id, config=config, sandbox_config=self.config)
        return Container(self, made["container_id"], Path(self.config["log_directory"]) / f"{name}.log")

    def start(self, *command, ready="ready", **more):
        one = self.create(*command, **more)
        self.client.StartContainer(container_id=one.id)
        if ready:
            eventually(lambda: ready in one.output(), what=f"{ready!r} in the log")
        return one

    def remove(self):
        self.client.StopPodSandbox(pod_sandbox_id=self.id)
        self.client.RemovePodSandbox(pod_sandbox_id=self.id)


class Container:
    def __init__(self, pod, number, log):
        self.client, self.pod, self.id, self.log = pod.client, pod, number, log

    @property
    def scope(self):
        return f"cri-containerd-{self.id}.scope"

    @property
    def cgroup(self):
        return CGROUP / PARENT.lstrip("/") / self.scope

    def status(self):
        return self.client.ContainerStatus(container_id=self.id)["status"]

    def state(self):
        return self.status()["state"]

    def pid(self):
        return json.loads(self.client.ContainerStatus(container_id=self.id, verbose=True)["info"]["info"])["pid"]

    def lines(self):
        """The log as CRI has it: time, stream, tag, text."""
        return [line.split(" ", 3) for line in self.log.read_text().splitlines()]

    def output(self, stream="stdout"):
        return [text for _, kind, _, text in self.lines() if kind == stream]

    def exec(self, *command, timeout=0):
        done = self.client.ExecSync(container_id=self.id, cmd=command, timeout=timeout)
        return done["exit_code"], done["stdout"].decode(), done["stderr"].decode()

    def tell(self, script):
        status, out, err = self.exec("sh", "-c", script)
        assert status == 0, err
        return out.strip()

    def ended(self):
        eventually(lambda: self.state() == cri.EXITED, what="the end")
        return self.status()

    def properties(self, *names):
        text = host("systemctl", "show", self.scope, "-p", ",".join(names))
        return dict(line.split("=", 1) for line in text.splitlines())


@pytest.fixture
def pod(client, image, tmp_path):
    """pod(NAMESPACE=MODE...): a running pod; it and all that belongs to it is removed after the test."""
    made = []

    def run(annotations=None, handler="sctr", **namespaces):
        logs = tmp_path / unique_name("logs")
        logs.mkdir()
        made.append(Pod(client, image, logs, {"pid": CONTAINER, **namespaces}, annotations or {}, handler))
        return made[-1]

    yield run
    for each in made:
        each.remove()
    assert not client.ListPodSandbox()["items"] and not client.ListContainers()["containers"]
    assert not list(Path("/run/netns").glob("cni-*"))
    assert not json.loads(oci("--root", STATE, "list", "--format", "json").ok())


def test_the_runtime_is_ready(client):
    conditions = {one["type"]: one for one in client.Status()["status"]["conditions"]}
    assert conditions["RuntimeReady"]["status"] and conditions["NetworkReady"]["status"], conditions


def test_the_drop_in_makes_the_handler_known(tmp_path_factory):
    run = tmp_path_factory.mktemp("drop")
    with containerd(run, DROP_IN.format(run=run)) as (_, client):
        handlers = json.loads(client.Status(verbose=True)["info"]["config"])["containerd"]["runtimes"]
    assert {"runc", "sctr"} <= set(handlers)
    assert handlers["sctr"]["options"] == {"BinaryName": "/usr/bin/sctr-oci", "SystemdCgroup": True}


def test_a_handler_that_is_not_there(client, image, tmp_path):
    with pytest.raises(grpc.RpcError, match="nothing"):
        Pod(client, image, tmp_path, {}, {}, "nothing")


def test_the_life_of_a_pod(pod, client):
    group = pod()
    status = group.status()
    assert (status["state"], status["runtime_handler"]) == (cri.READY, "sctr")
    assert status["network"]["ip"].startswith("10.89.77.")
    one = group.create()
    assert one.state() == cri.CREATED
    client.StartContainer(container_id=one.id)
    assert one.state() == cri.RUNNING
    assert host("systemctl", "show", one.scope, "-p", "Slice,ActiveState").split() == ["Slice=sctrtest-pod.slice", "ActiveState=active"]
    known = {entry["id"]: entry for entry in json.loads(oci("--root", STATE, "list", "--format", "json").ok())}
    assert known[one.id]["status"] == "running" and known[one.id]["pid"] == one.pid()
    eventually(lambda: "ready" in one.output(), what="its output")
    client.StopContainer(container_id=one.id, timeout=20)
    assert one.state() == cri.EXITED and one.status()["exit_code"] == 0
    eventually(lambda: not one.cgroup.exists(), what="the end of its cgroup")
    client.RemoveContainer(container_id=one.id)
    with pytest.raises(grpc.RpcError, match="not found"):
        one.status()
    client.StopPodSandbox(pod_sandbox_id=group.id)
    assert group.status()["state"] == cri.NOT_READY
    eventually(lambda: not list(CGROUP.glob(f"**/*{group.id}*")), what="the end of the pod's cgroups")
    client.RemovePodSandbox(pod_sandbox_id=group.id)
    # The kubelet asks more than once.
    client.StopPodSandbox(pod_sandbox_id=group.id)


def test_two_containers_share_the_pods_namespaces(pod):
    group = pod()
    one, two = group.start(), group.start()
    kinds = ("net", "ipc", "uts", "pid", "mnt", "cgroup")
    shown = [dict(zip(kinds, each.tell(f"cd /proc/self/ns; for n in {' '.join(kinds)}; do readlink $n; done").split())) for each in (one, two)]
    assert {kind for kind in kinds if shown[0][kind] == shown[1][kind]} == {"net", "ipc", "uts"}
    assert one.tell("hostname") == group.config["hostname"]
    address = group.status()["network"]["ip"]
    assert address in one.tell("ip -4 addr show dev eth0") and address in two.tell("ip -4 addr show dev eth0")
    one.tell("echo page > /tmp/index.html; httpd -p 127.0.0.1:8080 -h /tmp")
    assert two.tell("wget -qO- http://127.0.0.1:8080/") == "page"
    one.tell("echo shared > /dev/shm/file")
    assert two.tell("cat /dev/shm/file") == "shared"
    # One that ends takes nothing from the other.
    os.kill(one.pid(), 9)
    assert one.ended()["exit_code"] == 137
    assert two.state() == cri.RUNNING and two.tell("hostname") == group.config["hostname"]
    again = group.start()
    assert again.tell("wget -qO- http://127.0.0.1:8080/ || echo gone") == "gone"


def test_a_pod_with_one_pid_namespace(pod):
    group = pod(pid=POD)
    one, two = group.start(), group.start("sh", "-c", "echo ready; exec sleep 4242")
    assert "sleep 100000" in one.tell("tr '\\0' ' ' < /proc/1/cmdline")
    assert one.tell("ps | grep -c '[s]leep 4242'") == "1"
    assert one.tell("readlink /proc/self/ns/pid") == two.tell("readlink /proc/self/ns/pid")
    two.client.StopContainer(container_id=two.id, timeout=1)
    assert two.status()["exit_code"] in (137, 143)
    assert one.tell("ps | grep -c '[s]leep 4242'; true") == "0"


def test_the_pid_namespace_of_another_container(pod):
    group = pod()
    one = group.start()
    debug = group.start(security={"namespace_options": {"pid": cri.TARGET, "target_id": one.id}})
    assert debug.tell("readlink /proc/self/ns/pid") == one.tell("readlink /proc/self/ns/pid")


def test_a_pod_of_the_host(pod):
    group = pod(network=NODE, pid=NODE, ipc=NODE)
    one = group.start()
    ours = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "pid", "ipc")]
    assert one.tell("cd /proc/self/ns; for n in net pid ipc; do readlink $n; done").split() == ours
    one.client.StopContainer(container_id=one.id, timeout=20)
    assert one.status()["exit_code"] == 0


def test_exec_sync(pod):
    one = pod().start()
    assert one.exec("sh", "-c", "echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")
    assert "0::/" in one.exec("cat", "/proc/self/cgroup")[1].splitlines()
    with pytest.raises(grpc.RpcError, match="executable file not found"):
        one.exec("no-such-command")
    with pytest.raises(grpc.RpcError, match="timeout|deadline"):
        one.exec("sleep", "1000", timeout=1)
    eventually(lambda: one.tell("ps | grep -c '[s]leep 1000$'; true") in ("0", "1"), what="the end of the exec")
    assert one.state() == cri.RUNNING


def test_exec_with_streams(pod, client):
    one = pod().start()
    words = {"container_id": one.id, "stdin": True, "stdout": True}
    url = client.Exec(cmd=["sh", "-c", "read line; echo got $line; echo err >&2; exit 5"], stderr=True, **words)["url"]
    with streams.Stream(url) as stream:
        stream.send(streams.STDIN, b"this\n")
        assert stream.end() == 5
        assert (stream.seen[streams.STDOUT], stream.seen[streams.STDERR]) == (b"got this\n", b"err\n")


def test_exec_in_a_terminal(pod, client):
    one = pod().start()
    url = client.Exec(cmd=["sh"], container_id=one.id, stdin=True, stdout=True, tty=True)["url"]
    with streams.Stream(url) as stream:
        stream.send(streams.RESIZE, b'{"Width":101,"Height":31}')
        stream.send(streams.STDIN, b"until stty size | grep 101; do :; done; tty\n")
        stream.expect(b"31 101\r\n")
        stream.expect(b"/dev/pts/0\r\n")
        stream.send(streams.STDIN, b"exit 4\n")
        assert stream.end() == 4


def test_attach(pod, client):
    one = pod().start("sh", "-c", "echo ready; while read line; do echo got $line; done", stdin=True)
    url = client.Attach(container_id=one.id, stdin=True, stdout=True)["url"]
    with streams.Stream(url) as stream:
        stream.send(streams.STDIN, b"this\n")
        stream.expect(b"got this\n")
    assert one.state() == cri.RUNNING


def test_the_log(pod, client):
    one = pod().start("sh", "-c", "echo out; echo err >&2; printf unfinished; exit 3", ready=None)
    assert one.ended()["exit_code"] == 3
    assert one.output() == ["out", "unfinished"] and one.output("stderr") == ["err"]
    assert [tag for _, kind, tag, _ in one.lines() if kind == "stdout"] == ["F", "P"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)", time) for time, *_ in one.lines())
    assert Path(one.status()["log_path"]) == one.log


def test_a_log_that_is_rotated(pod, client):
    one = pod().start("sh", "-c", "echo ready; while :; do echo tick; sleep 0.05; done")
    one.log.rename(one.log.with_suffix(".old"))
    client.ReopenContainerLog(container_id=one.id)
    eventually(lambda: one.log.exists() and "tick" in one.output(), what="lines in the new file")


def test_stats(pod, client, controllers):
    group = pod()
    one = group.start("sh", "-c", "echo ready; while :; do :; done")

    def used():
        stats = client.ContainerStats(container_id=one.id)["stats"]
        assert stats["attributes"]["id"] == one.id and stats["memory"]["timestamp"] > 0
        return stats["cpu"]["usage_core_nano_seconds"]["value"]

    first = used()
    # containerd counts what a controller counts; a host without it is told 0.
    if "cpu" in controllers:
        eventually(lambda: used() > first, what="more CPU time")
    assert {stats["attributes"]["id"] for stats in client.ListContainerStats()["stats"]} == {one.id}
    of_pod = client.PodSandboxStats(pod_sandbox_id=group.id)["stats"]["linux"]
    assert of_pod["process"]["process_count"]["value"] >= 1
    assert {stats["attributes"]["id"] for stats in of_pod["containers"]} == {one.id}


def test_limits_and_their_update(pod, client):
    limits = {"cpu_shares": 512, "cpu_period": 100000, "cpu_quota": 50000, "memory_limit_in_bytes": 64 << 20}
    one = pod().start(resources=limits)
    names = ("CPUWeight", "CPUQuotaPerSecUSec", "MemoryMax")
    assert one.properties(*names) == {"CPUWeight": "59", "CPUQuotaPerSecUSec": "500ms", "MemoryMax": str(64 << 20)}
    assert Path(f"/proc/{one.pid()}/oom_score_adj").read_text() == "1000\n"
    client.UpdateContainerResources(container_id=one.id, linux={"cpu_period": 100000, "cpu_quota": 200000, "memory_limit_in_bytes": 128 << 20})
    assert one.properties(*names) == {"CPUWeight": "59", "CPUQuotaPerSecUSec": "2s", "MemoryMax": str(128 << 20)}
    assert one.state() == cri.RUNNING


@pytest.mark.parametrize(
    "security, script, expected",
    [
        ({"run_as_user": {"value": 1234}, "run_as_group": {"value": 55}, "supplemental_groups": [66, 77]}, "id -u; id -g; id -G | cut -d ' ' -f 1-3", "1234\n55\n55 66 77"),
        ({"readonly_rootfs": True}, "touch /x 2>/dev/null || echo no", "no"),
        ({"no_new_privs": True}, "grep NoNewPrivs /proc/self/status | cut -f2", "1"),
        ({"capabilities": {"drop_capabilities": ["ALL"]}}, "grep CapEff /proc/self/status | cut -f2", "0000000000000000"),
        ({"capabilities": {"add_capabilities": ["SYS_ADMIN"]}}, "mount -t tmpfs t /tmp && echo mounted", "mounted"),
        ({"seccomp": {"profile_type": 0}}, "grep Seccomp: /proc/self/status | cut -f2", "2"),
        ({"seccomp": {"profile_type": 1}}, "grep Seccomp: /proc/self/status | cut -f2", "0"),
    ],
    ids=["user", "read-only", "no-new-privileges", "no-capabilities", "a-capability", "seccomp", "no-seccomp"],
)
def test_security_context(pod, security, script, expected):
    assert pod().start(security=security).tell(script) == expected


def test_mounts_and_environment(pod, tmp_path):
    (tmp_path / "file").write_text("from the host")
    mounts = [{"container_path": "/mnt", "host_path": str(tmp_path), "readonly": True}]
    one = pod().start(mounts=mounts, envs=[{"key": "COLOUR", "value": "green"}], working_dir="/tmp")
    assert one.tell("cat /mnt/file; echo; touch /mnt/x 2>/dev/null || echo read-only").splitlines() == ["from the host", "read-only"]
    assert one.tell("echo $COLOUR; pwd").splitlines() == ["green", "/tmp"]


def test_a_command_that_is_not_there(pod, client):
    one = pod().create("no-such-command")
    with pytest.raises(grpc.RpcError, match="executable file not found in \\$PATH"):
        client.StartContainer(container_id=one.id)
    status = one.status()
    assert (status["state"], status["exit_code"], status["reason"]) == (cri.EXITED, 128, "StartError")
    assert "no-such-command" in status["message"] and not one.cgroup.exists()


def test_a_command_that_does_not_heed_the_signal(pod, client):
    one = pod().start("sh", "-c", 'trap "" TERM; echo ready; while :; do sleep 0.05; done')
    client.StopContainer(container_id=one.id, timeout=1)
    assert one.status()["exit_code"] == 137


def test_a_pod_is_removed_with_what_runs_in_it(pod, client):
    group = pod()
    one = group.start()
    client.StopPodSandbox(pod_sandbox_id=group.id)
    assert one.state() == cri.EXITED and group.status()["state"] == cri.NOT_READY
