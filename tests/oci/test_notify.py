# SPDX-License-Identifier: LGPL-2.1-or-later
"""NOTIFY_SOCKET: a container's readiness becomes that of the service that starts it."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

import engine
from engine import oci
from harness import eventually, host, unique_name

# busybox has no datagram client: the container says what a helper outside of it would, through
# /proc/PID/root.
WAITS = "echo $NOTIFY_SOCKET; ls -l /run/notify; while [ ! -e /data/end ]; do sleep 0.05; done; exit 4"


@pytest.fixture
def service(tmp_path):
    """The socket of a service manager, and what it heard."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "manager"))
        manager.settimeout(20)
        yield manager, {"NOTIFY_SOCKET": str(tmp_path / "manager")}


@pytest.fixture
def notifier(bundle, tmp_path):
    def make(**changes):
        (tmp_path / "data").mkdir(exist_ok=True)
        mounts = [*engine.default_config()["mounts"],
                  {"destination": "/data", "type": "bind", "source": str(tmp_path / "data"), "options": ["bind"]}]  # fmt: skip
        return bundle("sh", "-c", WAITS, mounts=mounts, root={"readonly": False}, **changes)

    return make


def say(pid, text):
    """As a process of the container says it."""
    directory = os.open(f"/proc/{pid}/root/run/notify", os.O_PATH)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(text, f"/proc/self/fd/{directory}/notify.sock")
    os.close(directory)


def test_start_returns_when_the_container_is_ready(notifier, service, background, tmp_path):
    manager, env = service
    name = unique_name()
    with open(tmp_path / "out", "wb") as out:
        subprocess.run(["sctr-oci", "create", "--bundle", notifier(), "--pid-file", tmp_path / "pid", name],
                       stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **env}, check=True)  # fmt: skip
    pid = int((tmp_path / "pid").read_text())
    try:
        start = background("sctr-oci", "start", name)
        eventually(lambda: "notify.sock" in (tmp_path / "out").read_text())
        assert "/run/notify/notify.sock" in (tmp_path / "out").read_text()
        assert start.poll() is None, "it is not ready"
        assert oci("exec", name, "true").status == 0, "nobody waits for it to be ready"
        say(pid, b"STATUS=soon\nMAINPID=1")
        assert manager.recv(4096) == b"STATUS=soon\n"
        say(pid, b"READY=1\nSTATUS=now")
        assert start.wait(20) == 0
        assert manager.recv(4096) == f"MAINPID={pid}\nREADY=1\nSTATUS=now\n".encode()
    finally:
        oci("delete", "--force", name).ok()


def test_start_returns_when_the_container_ends_before(notifier, service, background, tmp_path):
    _, env = service
    name = unique_name()
    with open(tmp_path / "out", "wb") as out:
        subprocess.run(["sctr-oci", "create", "--bundle", notifier(), name],
                       stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **env}, check=True)  # fmt: skip
    start = background("sctr-oci", "start", name)
    eventually(lambda: "notify.sock" in (tmp_path / "out").read_text())
    oci("delete", "--force", name).ok()
    start.wait(20)


def test_in_the_foreground_everything_is_passed_on(notifier, service, background, tmp_path):
    manager, env = service
    name = unique_name()
    with open(tmp_path / "out", "wb") as out:
        run = background("sctr-oci", "run", "--bundle", notifier(), "--pid-file", tmp_path / "pid", name,
                         stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **env})  # fmt: skip
    eventually(lambda: "notify.sock" in (tmp_path / "out").read_text(), what="the container")
    pid = int((tmp_path / "pid").read_text())
    for text in (b"READY=1\n", b"WATCHDOG=1\n", b"STOPPING=1\n"):
        say(pid, text)
        assert manager.recv(4096) == text, "sctr-oci itself stays the main process"
    (tmp_path / "data/end").touch()
    assert run.wait(20) == 4


def test_a_socket_of_the_engine_is_left_alone(notifier, service, tmp_path):
    _, env = service
    config_env = [*engine.default_config()["process"]["env"], "NOTIFY_SOCKET=/engine/socket"]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/end").touch()
    result = oci("run", "--bundle", notifier(process={"env": config_env}), unique_name(), env=env)
    assert result.status == 4 and result.lines[0] == "/engine/socket"


def test_a_service_of_type_notify(notifier, tmp_path):
    """The whole way, with systemd itself."""
    name = unique_name("svc")
    path = notifier()
    unit = f"{name}.service"
    started = subprocess.Popen(
        ["systemd-run", "-q", f"--unit={unit}", "--service-type=notify", "-p", "NotifyAccess=main",
         "sctr-oci", "run", "--bundle", path, "--pid-file", tmp_path / "pid", name])  # fmt: skip
    try:
        eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        pid = int((tmp_path / "pid").read_text())
        eventually(lambda: Path(f"/proc/{pid}/root/run/notify/notify.sock").exists())
        assert host("systemctl", "show", unit, "-p", "ActiveState").strip() == "ActiveState=activating"
        eventually(lambda: oci("exec", name, "true").status == 0)
        say(pid, b"READY=1\nSTATUS=at work")
        assert started.wait(20) == 0
        shown = host("systemctl", "show", unit, "-p", "ActiveState,StatusText").splitlines()
        assert {"ActiveState=active", "StatusText=at work"} == set(shown)
    finally:
        host("systemctl", "stop", unit, check=False)
        host("systemctl", "reset-failed", unit, check=False)
        oci("delete", "--force", name)
