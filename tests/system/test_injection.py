# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every system call of a start fails once, each in a start of its own.

What may come of it: the command runs all the same (not everything is needed), or there is an error that
says what could not be done, and nothing is left of the start. SCTR_TEST_EVERY=1 tries all calls of all
shapes; else some shapes are sampled.
"""

import errno
import os
import platform
import re
import signal
import subprocess
from pathlib import Path

import pytest

import leftovers
from harness import DEADLINE, eventually, sctr

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the program that injects faults knows the registers of x86-64 alone"
)

# Calls whose failure proves nothing.
NOT_TRIED = {
    "exit": "does not fail",
    "exit_group": "does not fail",
    "rt_sigreturn": "does not fail",
    "anon_inode:[eventfd]": "never full, and sdbus-c++ ends in a fault on other errors",
    "brk": "says where the heap ends, and never an error",
    "futex": "the C library aborts on errors that the kernel never gives",
    "wait4": "cannot fail for a child of one's own",
    "arch_prctl": "the C library's, before main()",
    "mprotect": "the C library's, before main()",
}

ALL = bool(os.environ.get("SCTR_TEST_EVERY"))
OURS = ("sctr", "libexec/sctr", "libexec/sctr-oci", "sctr-oci", "memfd:sctr-init")


def call_names():
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h").read_text()
    return {int(nr): name for name, nr in re.findall(r"#define __NR_(\w+)\s+(\d+)", header)}


@pytest.fixture(scope="module")
def injector(tmp_path_factory):
    program = tmp_path_factory.mktemp("inject") / "inject"
    source = Path(__file__).with_name("inject.c")
    subprocess.run(["cc", "-O1", "-Wall", "-o", program, source], check=True)
    return program


@pytest.fixture
def holder(start):
    with start() as container:
        yield container.name


def run_shape(request):
    return ["sctr", "run", "--network", "none", "--rootfs", request.getfixturevalue("rootfs"), "echo", "alive"]


def mapped_shape(request):
    root = request.getfixturevalue("rootfs")
    return ["sctr", "run", "--network", "none", "--uidmap", "0:500000:65536", "--rootfs", root, "echo", "alive"]


def exec_shape(request):
    return ["sctr", "exec", request.getfixturevalue("holder"), "echo", "alive"]


def engine_shape(request):
    bundle = request.getfixturevalue("bundle")
    bundle.write("echo", "alive")
    return ["sctr-oci", "run", "--bundle", bundle.path, bundle.name]


@pytest.mark.parametrize(
    ("shape", "first", "stride"),
    [
        *((run_shape, part, 4) for part in range(4)),
        *((mapped_shape, part, 28) for part in range(28 if ALL else 4)),
        *((exec_shape, part, 9) for part in range(9 if ALL else 3)),
        *((engine_shape, part, 28) for part in range(28 if ALL else 4)),
    ],
)
def test_every_call_fails_once(request, injector, tmp_path, shape, first, stride):
    command = list(map(str, shape(request)))
    names = call_names()
    log = tmp_path / "calls"
    listed = subprocess.run([injector, log, "list", "--", *command], capture_output=True, timeout=DEADLINE)
    assert (listed.returncode, listed.stdout) == (0, b"alive\n"), listed
    calls = [line.split(" ") for line in log.read_text().splitlines()]
    calls = [(who, number) for who, number, nr, program, *_ in calls
             if program in OURS and names[int(nr)] not in NOT_TRIED]  # fmt: skip
    assert len(calls) > 100, "the launch path was not seen"
    before = leftovers.now()
    wrong = []
    for who, number in calls[first::stride]:
        complaint = outcome([injector, log, who, number, errno.EIO, "--", *command], before)
        # Calls of several processes, and messages of the bus, come in no fixed order: this is the one it was.
        failed = log.read_text().rstrip("\n").split(" ", 4)
        proves_nothing = len(failed) == 5 and NOT_TRIED.keys() & {names[int(failed[2])], failed[4]}
        if complaint and proves_nothing:
            sctr("ps", "--all")  # sweeps the record of what such a call has ended
        elif complaint:
            call = names[int(failed[2])] if len(failed) == 5 else "nothing"
            wrong.append(f"{call} failed ({failed}, call {number} of {who}): {complaint}")
    assert not wrong, "\n" + "\n".join(wrong)


def outcome(command, before):
    """What is wrong with the end of a start, if anything."""
    process = subprocess.Popen(
        list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"hangs, with {leftovers.now() - before}"
    last = err.decode(errors="replace").rstrip("\n").rpartition("\n")[2]
    if process.returncode == 0:
        if out != b"alive\n":
            return f"success, with the output {out!r}"
        # A record that could not be removed is swept by the next command.
        if any(item.startswith("record") for item in leftovers.now() - before):
            sctr("ps", "--all")
    elif process.returncode not in (125, 126, 1) or not last.startswith("sctr"):
        return f"exit status {process.returncode}, {err!r}"
    try:
        # systemd removes a scope once it sees that its last process has ended.
        eventually(lambda: not leftovers.now() - before)
    except AssertionError:
        left = leftovers.now() - before
        before |= left  # is not blamed on the calls after this one
        return f"exit status {process.returncode}, {last!r}, and there is left {left}"
    return None
