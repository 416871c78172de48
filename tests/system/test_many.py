# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many containers, one after the other and at once: nothing piles up anywhere."""

import contextlib
import re
import socket
import struct
import subprocess
from pathlib import Path

from harness import DEADLINE, eventually, host, sctr, unique_name
from leftovers import open_files, records

SLACK = 8  # clients come and go beside us


def bus_pid():
    return host("systemctl", "show", "dbus.service", "-P", "MainPID").strip()


def cgroups():
    return set(host("find", "/sys/fs/cgroup/sctr.slice", "-type", "d", check=False).split())


def test_200_in_a_row(run):
    run("true").ok()  # what is made once, as the slice
    files = {pid: open_files(pid) for pid in ("1", bus_pid())}
    before = cgroups()
    for number in range(200):
        result = run("echo", number)
        assert (result.status, result.stdout, result.stderr) == (0, f"{number}\n", "")
    eventually(lambda: cgroups() <= before, what="the end of the scopes")
    for pid, count in files.items():
        eventually(lambda: open_files(pid) <= count + SLACK, what=f"the end of what pid {pid} had open")  # noqa: B023
    assert records() == set()


def test_20_at_once(rootfs):
    script = "echo ready; read line; echo got $line; exit 17"
    names = [unique_name("crowd") for _ in range(20)]
    processes = [
        subprocess.Popen(
            ["sctr", "run", "-i", "--name", name, "--rootfs", rootfs, "sh", "-c", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in names
    ]  # fmt: skip
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    assert sorted(sctr("ps", "-q").lines) == sorted(names)
    for name, process in zip(names, processes):
        out, error = process.communicate(f"{name}\n", timeout=60)
        assert (process.returncode, out, error) == (17, f"got {name}\n", "")


def test_20_starts_and_kills_at_once(rootfs):
    names = [unique_name("crowd") for _ in range(20)]
    words = ["sh", "-c", "echo ready; exec sleep 1000"]
    processes = [
        subprocess.Popen(
            ["sctr", "run", "--name", name, "--rootfs", rootfs, *words], stdout=subprocess.PIPE
        )
        for name in names
    ]
    for process in processes:
        assert process.stdout.readline() == b"ready\n"
    sctr("rm", "-f", *names, timeout=60).ok()
    assert [process.wait(60) for process in processes] == [137] * 20


def test_many_execs_at_once(start):
    with start() as container:
        processes = [
            subprocess.Popen(
                ["sctr", "exec", container.name, "sh", "-c", f"echo {number}; exit {number}"],
                stdout=subprocess.PIPE, text=True,
            )
            for number in range(30)
        ]  # fmt: skip
        for number, process in enumerate(processes):
            out, _ = process.communicate(timeout=60)
            assert (process.returncode, out) == (number, f"{number}\n")
        assert container.exec("ps", "-o", "args").ok().count("echo") <= 1


def switches(pid):
    """How often the process has begun to wait; proc_pid_status(5)."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE)[1])


def test_a_supervisor_sleeps_while_others_start(start, run):
    """A thousand of them would be woken by each start else."""
    with start() as container:
        run("true").ok()
        before = switches(container.process.pid)
        for _ in range(20):
            run("true").ok()
        assert switches(container.process.pid) < before + 10


def bus_connection():
    """A connection to the system bus that is used for nothing; D-Bus specification, Authentication Protocol."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(DEADLINE)
    connection.connect("/run/dbus/system_bus_socket")
    connection.sendall(b"\0AUTH EXTERNAL 30\r\n")
    assert connection.recv(100).startswith(b"OK ")
    fields = {1: ("o", "/org/freedesktop/DBus"), 6: ("s", "org.freedesktop.DBus"),
              2: ("s", "org.freedesktop.DBus"), 3: ("s", "Hello")}  # fmt: skip
    header = b""
    for code, (kind, value) in fields.items():
        header += bytes(-len(header) % 8) + bytes([code, 1]) + kind.encode() + b"\0"
        header += struct.pack("<I", len(value)) + value.encode() + b"\0"
    message = struct.pack("<4sIII", b"l\1\0\1", 0, 1, len(header)) + header + bytes(-len(header) % 8)
    connection.sendall(b"BEGIN\r\n" + message)
    return connection if connection.recv(1000)[1:2] == b"\2" else None


def test_more_than_a_bus_allows_by_default(run):
    """Each supervisor has a connection: dbus-daemon's own limit is 256 of a user, on which root's services depend, too."""
    with contextlib.ExitStack() as connections:
        for number in range(300):
            connection = bus_connection()
            assert connection, f"no connection after {number}"
            connections.enter_context(connection)
        assert run("echo", "one more").ok() == "one more"
