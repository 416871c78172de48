# SPDX-License-Identifier: LGPL-2.1-or-later
"""What podman builds on its containers: pods, health checks, restarts, kube play, Quadlet, its API."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness import CGROUP, WAIT, eventually, unique_name
from podman import command_line, podman
from quadlets import Service, quadlet  # noqa: F401
from services import await_trap


@pytest.fixture
def pod():
    """pod(FLAG...): a pod's name; it is removed after the test."""
    made = []

    def create(*flags):
        made.append(unique_name("group"))
        podman("pod", "create", "--name", made[-1], *flags).ok()
        return made[-1]

    yield create
    for name in made:
        podman("pod", "rm", "--force", "--time", "0", name).ok()


def test_a_pod_with_two_containers(pod, image):
    group = pod("--hostname", "together", "--share", "net,ipc,uts,pid")
    names = [f"{group}-{number}" for number in (1, 2)]
    for name in names:
        podman("run", "-d", "--pod", group, "--name", name, image, "sleep", "1000").ok()
    one, two = (podman("exec", name, "readlink", "/proc/self/ns/net", "/proc/self/ns/ipc").lines for name in names)
    assert one == two
    assert podman("exec", names[0], "hostname").ok() == "together"
    assert podman("exec", names[0], "ps").stdout.count("sleep 1000") == 2
    group_slice = "/" + podman("pod", "inspect", "-f", "{{.CgroupPath}}", group).ok()
    for name in names:
        path = podman("inspect", "-f", "{{.State.CgroupPath}}", name).ok()
        assert path.startswith(group_slice) and (CGROUP / path.lstrip("/")).is_dir(), (path, group_slice)
    podman("pod", "pause", group).ok()
    assert podman("pod", "inspect", "-f", "{{.State}}", group).ok() == "Paused"
    podman("pod", "unpause", group).ok()
    assert podman("pod", "top", group, "pid", "args").stdout.count("sleep 1000") == 2
    assert len(json.loads(podman("pod", "stats", "--no-stream", "--format", "json", group).ok())) >= 2
    podman("pod", "stop", "--time", "0", group).ok()
    eventually(lambda: podman("pod", "inspect", "-f", "{{.State}}", group).ok() == "Exited", what="the pod's end")
    podman("pod", "start", group).ok()
    assert podman("pod", "inspect", "-f", "{{.State}}", group).ok() == "Running"
    podman("pod", "kill", group).ok()


def test_health_check(container):
    one = container("--health-cmd", "test -e /tmp/well", "--health-interval", "1s", "--health-retries", "1")
    assert podman("healthcheck", "run", one.name).status == 1
    one.exec("touch", "/tmp/well").ok()
    podman("healthcheck", "run", one.name).ok()
    eventually(lambda: one.inspect("State", "Health", "Status") == "healthy", what="health")
    one.exec("rm", "/tmp/well").ok()
    # By its timer.
    eventually(lambda: one.inspect("State", "Health", "Status") == "unhealthy", what="illness")


def test_restart_on_failure(container):
    one = container("--restart", "on-failure:2", command=["sh", "-c", "echo run; exit 4"], ready=None)
    eventually(lambda: one.logs().count("run") == 3 and one.status() == ("exited", None), what="three runs")
    assert one.inspect("State", "ExitCode") == 4 and one.inspect("RestartCount") == 2


def test_restart_always(container):
    one = container("--restart", "always")
    first = one.inspect("State", "Pid")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: one.inspect("State", "Pid") not in (0, first) and one.status() == ("running", "running"), what="the next run")
    podman("stop", one.name).ok()
    assert one.status() == ("exited", None)


KUBE = """\
apiVersion: v1
kind: Pod
metadata:
  name: {name}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  initContainers:
    - name: before
      image: {image}
      command: [sh, -c, "echo prepared > /shared/file"]
      volumeMounts: [{{name: shared, mountPath: /shared}}]
  containers:
    - name: web
      image: {image}
      command: [sh, -c, "cat /shared/file; exec sleep 1000"]
      volumeMounts: [{{name: shared, mountPath: /shared}}]
      env: [{{name: COLOUR, value: green}}]
      securityContext: {{runAsUser: 1234, readOnlyRootFilesystem: true, capabilities: {{drop: [ALL]}}}}
      livenessProbe: {{exec: {{command: [test, -e, /shared/file]}}}}
    - name: beside
      image: {image}
      command: [sleep, "1000"]
  volumes:
    - name: shared
      emptyDir: {{}}
"""


def test_kube_play(image, place):
    name = unique_name("kube")
    path = place / "pod.yaml"
    path.write_text(KUBE.format(name=name, image=image))
    podman("kube", "play", path).ok()
    try:
        eventually(lambda: podman("logs", f"{name}-web").ok() == "prepared", what="what the init container wrote")
        assert podman("exec", f"{name}-web", "sh", "-c", "id -u; echo $COLOUR; touch /x 2>/dev/null || echo read-only").lines == ["1234", "green", "read-only"]
        podman("exec", f"{name}-beside", "true").ok()
    finally:
        podman("kube", "down", "--force", path).ok()


def test_quadlet(quadlet, image, account):
    unit = quadlet(f"[Quadlet]\nDefaultDependencies=false\n[Container]\nImage={image}\nExec=sh -c '{WAIT}'\nGlobalArgs=--runtime=sctr\n")
    account.systemctl("start", unit)
    assert account.show(unit, "ActiveState", "Type") == {"Type": "notify", "ActiveState": "active"}
    name = f"systemd-{unit.removesuffix('.service')}"
    assert podman("inspect", "-f", "{{.State.Status}} {{.OCIRuntime}}", name).ok() == "running sctr"
    pid = podman("inspect", "-f", "{{.State.Pid}}", name).ok()
    assert f"/{unit}/libpod-payload-" in Path(f"/proc/{pid}/cgroup").read_text()
    podman("exec", name, "true").ok()
    await_trap(pid)
    account.systemctl("stop", unit)
    assert account.show(unit, "ActiveState", "Result") == {"Result": "success", "ActiveState": "inactive"}
    assert podman("container", "exists", name).status == 1


QUADLET = """\
[Quadlet]
DefaultDependencies=false
[Container]
Image={image}
Exec=sh -c '{command}'
GlobalArgs=--runtime=sctr
PodmanArgs=--pids-limit=77
[Service]
MemoryMax=80M
"""


@pytest.fixture
def service(quadlet, image, account):
    service = Service(account, quadlet(QUADLET.format(image=image, command=WAIT)))
    eventually(lambda: "sleep 1000" in podman("top", service.name, "args").stdout, what="its command at work")
    return service


def test_a_quadlets_container_is_in_its_service(service, account, controllers):
    pids = (service.cgroup / "cgroup.procs").read_text().split()
    assert str(service.pid) in pids
    assert "sleep 1000" in account.systemctl("status", "--no-pager", service.unit)
    assert not {line for line in account.systemctl("list-units", "--all", "--plain", "--no-legend", "libpod-*.scope").splitlines()}
    # It is the root of its own cgroup namespace, and so is an exec.
    assert "0::/" in podman("exec", service.name, "cat", "/proc/self/cgroup").lines
    account.systemctl("stop", service.unit)
    assert account.show(service.unit, "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    assert not service.cgroup.exists() and podman("container", "exists", service.name).status == 1


def test_what_is_done_to_a_quadlets_container(service, account):
    podman("pause", service.name).ok()
    assert service.status() == ("paused", "paused")
    assert "frozen 1" in (service.cgroup / "cgroup.events").read_text()
    podman("unpause", service.name).ok()
    assert service.status() == ("running", "running")
    podman("update", "--pids-limit", "55", service.name).ok()
    if "pids" in (service.cgroup / "cgroup.controllers").read_text().split():
        assert (service.cgroup / "pids.max").read_text() == "55\n"
    assert podman("top", service.name, "args").stdout.count("sleep 1000") == 2
    assert json.loads(podman("stats", "--no-stream", "--format", "json", service.name).ok())
    assert len(json.loads(account.oci("ps", "--format", "json", service.id).ok())) == 2
    assert json.loads(account.oci("events", "--stats", service.id).ok())["id"] == service.id
    podman("stop", service.name).ok()
    eventually(lambda: account.show(service.unit, "ActiveState")["ActiveState"] in ("inactive", "failed"), what="the service's end")
    assert not service.cgroup.exists()


def test_a_quadlets_container_has_no_more_devices_than_asked(service, account):
    if not account.is_root:
        pytest.skip("a plain user's containers have no filter of devices")
    number = os.stat("/dev/fuse").st_rdev
    podman("update", "--pids-limit", "66", service.name).ok()  # which sends the devices again
    script = f"mknod /tmp/fuse c {os.major(number)} {os.minor(number)} && cat /tmp/fuse"
    opened = podman("exec", "--privileged", service.name, "sh", "-c", script)
    assert opened.status != 0 and "Operation not permitted" in opened.stderr, opened
    assert podman("exec", service.name, "sh", "-c", "echo > /dev/null && echo fine").ok() == "fine"


@pytest.mark.parametrize("words", [["kill", "--signal=KILL"], ["restart"]], ids=["kill", "restart"])
def test_the_end_of_a_service_is_the_end_of_its_container(service, account, words):
    account.systemctl(*words, service.unit)
    eventually(lambda: not Path(f"/proc/{service.pid}").exists(), what="the end of the container")
    if words[0] == "restart":
        assert podman("inspect", "-f", "{{.State.Status}}", service.name).ok() == "running"


def test_split_without_a_delegated_service_is_a_scope(image, account):
    """A cgroup that systemd has not given away is nobody's to make cgroups in."""
    name = unique_name("split")
    unit = f"{name}.service"
    command = command_line("run", "--rm", "--cgroups=split", "--name", name, image, "sleep", "1000")
    flags = account.manager if not account.is_root else []
    account.run("systemd-run", "-q", *flags, f"--unit={unit}", *command[len(account.before):])
    try:
        eventually(lambda: podman("inspect", "-f", "{{.State.Status}}", name).stdout == "running\n", what="the container")
        pid = podman("inspect", "-f", "{{.State.Pid}}", name).ok()
        assert "/libpod-payload-" in (cgroup := Path(f"/proc/{pid}/cgroup").read_text()) and f"/{unit}/" not in cgroup
    finally:
        podman("rm", "--force", "--time", "0", name)
        account.systemctl("reset-failed", unit, check=False)


def test_quadlet_sees_the_end(quadlet, image, account):
    unit = quadlet(f"[Quadlet]\nDefaultDependencies=false\n[Container]\nImage={image}\nExec=sh -c 'sleep 0.3; exit 7'\nGlobalArgs=--runtime=sctr\n")
    account.systemctl("start", unit)
    eventually(lambda: account.show(unit, "ActiveState")["ActiveState"] == "failed", what="the failure")
    assert account.show(unit, "ExecMainStatus")["ExecMainStatus"] == "7"


@pytest.fixture
def remote(account, place):
    """remote(ARG...): podman through the API of a `podman system service`."""
    address = f"unix://{place}/api.sock"
    # Else the conmon of each exec stays for five minutes; without any delay its status is forgotten too early.
    (place / "containers.conf").write_text("[engine]\nexit_command_delay = 2\n")
    server = subprocess.Popen(
        command_line("system", "service", "--time", "0", address, env={"CONTAINERS_CONF_OVERRIDE": place / "containers.conf"}),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually((place / "api.sock").exists, what="the socket of the API")
    yield lambda *args: _remote(account.words("podman", "--remote", "--url", address, *args))
    server.terminate()
    server.wait()


def _remote(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def test_service_and_events(remote, image):
    name = unique_name("remote")
    begin = int(time.time())
    done = remote("run", "--name", name, image, "sh", "-c", "echo through the service; exit 5")
    assert (done.returncode, done.stdout) == (5, "through the service\n"), done
    assert remote("inspect", "-f", "{{.OCIRuntime}} {{.State.ExitCode}}", name).stdout == "sctr 5\n"
    assert remote("rm", name).returncode == 0

    def seen():
        text = podman("events", "--stream=false", "--since", str(begin), "--filter", f"container={name}", "--format", "{{.Status}}").ok()
        words = text.split()
        return words if "remove" in words else None

    events = eventually(seen, what="the events")
    order = ["create", "init", "start", "died", "remove"]
    assert [event for event in events if event in order] == order, events


def test_exec_through_the_service(remote, image):
    name = unique_name("remote")
    assert remote("run", "-d", "--name", name, image, "sleep", "1000").returncode == 0
    done = remote("exec", name, "sh", "-c", "echo out; exit 3")
    assert (done.returncode, done.stdout) == (3, "out\n"), done
    assert remote("pause", name).returncode == 0
    assert remote("ps", "--all", "--filter", f"name={name}", "--format", "{{.State}}").stdout == "paused\n"
    assert remote("unpause", name).returncode == 0
    assert remote("stop", "--time", "0", name).returncode == 0
    assert remote("rm", name).returncode == 0


def test_no_cgroup_of_its_own(container, account):
    one = container("--cgroups", "disabled")
    assert one.status() == ("running", "running")
    assert not list(account.slice_path.glob(f"libpod-{one.id}*"))
    podman("stop", one.name).ok()
    assert one.status() == ("exited", None)


# buildah's own default is above what a machine may allow.
LIMIT = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


def test_buildah_run(image, account):
    host = account.run
    work = host("buildah", "from", *LIMIT, "--pull-never", image).strip()
    try:
        words = ["buildah", "run", "--isolation", "oci", "--runtime", "/usr/bin/sctr-oci"]
        assert host(*words, work, "--", "sh", "-c", "echo built > /file; id -u") == "0\n"
        failed = subprocess.run(account.words(*words, work, "--", "sh", "-c", "exit 6"), capture_output=True, text=True, timeout=60)
        assert failed.returncode == 6, failed
        assert host(*words, "--user", "1234", "--hostname", "builder", work, "--", "sh", "-c", "id -u; hostname; cat /file").split() == ["1234", "builder", "built"]
    finally:
        host("buildah", "rm", work)


@pytest.mark.parametrize("builder", [["podman", "--runtime", "sctr", "build"], ["buildah", "build", "--runtime", "sctr-oci"]], ids=["podman", "buildah"])
def test_build_from_a_file(image, builder, place, account):
    (place / "Containerfile").write_text(f'FROM {image}\nRUN echo one > /one && test "$(id -u)" = 0\nUSER 1234\nRUN test "$(cat /one)" = one\n')
    tag = f"localhost/{unique_name('built')}"
    account.run(*builder, *LIMIT, "--isolation", "oci", "--pull=never", "--network", "none", "-t", tag, place, timeout=60)
    assert podman("run", "--rm", tag, "sh", "-c", "id -u; cat /one").lines == ["1234", "one"]
    podman("rmi", tag).ok()
