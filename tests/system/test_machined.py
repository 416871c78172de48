# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers in systemd-machined's list: machinectl, and host names by nss-mymachines."""

import os
import subprocess

import pytest

from harness import DEADLINE, eventually, host, sctr, unique_name
from terminal import Terminal

MANAGER = ("org.freedesktop.machine1", "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager")


def machines():
    lines = host("machinectl", "list", "--no-legend", "--no-pager").splitlines()
    return {line.split()[0] for line in lines if line.strip()}


def machine(name):
    """What machined knows of a machine; empty when there is none of that name."""
    text = host("machinectl", "show", name, check=False)
    return dict(line.split("=", 1) for line in text.splitlines())


def registered(container):
    return eventually(lambda: machine(container.name), what=f"machine {container.name}")


def test_a_container_is_a_machine(start, rootfs):
    with start() as container:
        shown = registered(container)
        assert shown["Service"] == "sctr" and shown["Class"] == "container"
        assert shown["Unit"] == container.unit
        assert shown["Leader"] == str(container.init())
        assert shown["RootDirectory"] == str(rootfs)
        assert container.unit in host("machinectl", "status", container.name, "--no-pager")
        assert host("ps", "-o", "machine=", "-p", container.init()).strip() == container.name


def test_a_machine_ends_with_its_container(start):
    with start() as container:
        registered(container)
    eventually(lambda: container.name not in machines())


def test_a_name_is_free_at_once(start):
    name = unique_name()
    for _ in range(5):
        with start(name=name) as container:
            leader = str(container.init())
            eventually(lambda: machine(name).get("Leader") == leader, what="the new machine")
            sctr("stop", name).ok()


def test_terminate_stops_it_in_order(start):
    with start() as container:
        registered(container)
        host("machinectl", "terminate", container.name)
        assert container.wait() == 0


def test_kill(start):
    with start() as container:
        registered(container)
        host("machinectl", "kill", "-s", "KILL", "--kill-whom=leader", container.name)
        assert container.wait() == 137


def test_files_are_copied_into_and_out_of_it(own_rootfs, start, tmp_path):
    (tmp_path / "in").write_text("from the host\n")
    with start("--rootfs", own_rootfs) as container:
        registered(container)
        host("machinectl", "copy-to", container.name, tmp_path / "in", "/var/copied")
        assert container.exec("cat", "/var/copied").ok() == "from the host"
        host("machinectl", "copy-from", container.name, "/etc/group", tmp_path / "out")
        assert "alice" in (tmp_path / "out").read_text()


def test_no_register(start):
    with start("--no-register") as hidden, start() as seen:
        registered(seen)  # by which time the other one would be there
        assert hidden.name not in machines()
        assert hidden.exec("echo", "runs").ok() == "runs"


@pytest.mark.parametrize("name", ["n" * 65, "a..b", "ends-", "dot."])
def test_a_name_that_no_host_can_have(run, name):
    result = run("--name", name, "--hostname", "h", "--log-level", "debug", "echo", "runs")
    assert result.ok() == "runs"
    assert f"not registered with systemd-machined: {name}" in result.stderr, result
    assert run("--name", name, "--hostname", "h", "true").stderr == ""


def test_a_name_that_a_machine_of_others_has(start, background):
    name = unique_name()
    unit = name + ".scope"
    leader = background("systemd-run", "--quiet", "--scope", f"--unit={unit}", "sleep", "1000")
    eventually(lambda: host("systemctl", "is-active", unit, check=False) == "active\n")
    host("busctl", "call", *MANAGER, "RegisterMachine", "sayssus", name, 0, "other", "vm", leader.pid, "")
    try:
        with start("--log-level", "debug", name=name) as container:
            said = f"not registered with systemd-machined: {name}: another machine".encode()
            line = b""
            while said not in line:
                line = container.process.stderr.readline()
                assert line, "it ended without a word"
            assert machine(name)["Leader"] == str(leader.pid)
            sctr("stop", name).ok()
        assert machine(name)["Leader"] == str(leader.pid), "not ours to remove"
    finally:
        host("busctl", "call", *MANAGER, "UnregisterMachine", "s", name)


@pytest.fixture
def no_machined():
    host("systemctl", "mask", "--runtime", "--now", "systemd-machined.service")
    yield
    host("systemctl", "unmask", "--runtime", "systemd-machined.service")


def test_a_host_without_machined(run, start, no_machined):
    assert run("echo", "runs").stderr == ""
    with start("--log-level", "debug") as container:
        line = b""
        while b"not registered with systemd-machined" not in line:
            line = container.process.stderr.readline()
            assert line, "it ended without a word"
        assert line.startswith(b"sctr: debug: ")


def test_a_restart_of_machined(start):
    with start() as container:
        registered(container)
        host("systemctl", "restart", "systemd-machined.service")
        assert machine(container.name)["Leader"] == str(container.init())
    eventually(lambda: container.name not in machines())


def test_engines_containers_are_not_registered(bundle, start):
    with bundle.started() as other, start() as seen:
        registered(seen)
        assert other.name not in machines()


@pytest.fixture
def network(background):
    """A network namespace with an address."""
    address = "192.0.2.77"
    holder = background("unshare", "--net", "sleep", "1000")
    path = f"/proc/{holder.pid}/ns/net"
    eventually(lambda: os.readlink(path) != os.readlink("/proc/self/ns/net"))
    inside = ("nsenter", f"--net={path}", "ip")
    host(*inside, "link", "add", "v0", "type", "veth", "peer", "name", "v1")
    for link in ("v0", "v1"):
        host(*inside, "link", "set", link, "up")
    host(*inside, "address", "add", f"{address}/24", "dev", "v0")
    return path, address


def test_a_machines_name_is_a_host_name(start, network):
    path, address = network
    with start("--network", f"ns:{path}") as container:
        registered(container)
        assert host("getent", "hosts", container.name).split()[0] == address
    eventually(lambda: subprocess.run(["getent", "hosts", container.name]).returncode != 0)


@pytest.mark.parametrize("verb", ["shell", "login"])
def test_shell_and_login_need_a_systemd_inside(start, verb):
    with start() as container:
        registered(container)
        done = subprocess.run(
            ["machinectl", verb, container.name], capture_output=True, text=True, timeout=DEADLINE
        )
        assert done.returncode != 0 and "no system bus" in done.stderr, done


def test_shell_and_poweroff_with_a_systemd_inside(systemd_rootfs):
    name = unique_name()
    words = ["sctr", "run", "-it", "--name", name, "--rootfs", systemd_rootfs, "--privileged",
             "--tmpfs", "/run:mode=755", "-e", "container=sctr", "--stop-signal", "RTMIN+3"]  # fmt: skip
    with Terminal(*words, "/lib/systemd/systemd", "--unit=dbus.service") as screen:
        try:
            eventually(lambda: machine(name), what="the machine")
            command = ["machinectl", "shell", "-q", name, "/bin/cat", "/proc/1/comm"]
            shell = lambda: subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, stdin=subprocess.DEVNULL)  # noqa: E731
            eventually(lambda: shell().stdout.strip() == "systemd", what="a shell inside")
            assert len(sctr("top", name).lines) > 2, "also what is in a cgroup below"
            host("machinectl", "poweroff", name)
            screen.wait()
        finally:
            sctr("rm", "-f", name)
