# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many containers, one after the other and at once: nothing piles up anywhere."""

import subprocess

from harness import eventually, host, sctr, unique_name
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
        assert open_files(pid) <= count + SLACK, f"pid {pid}"
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
