# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every signal, and readers and writers that stop for a while, leave, or were never there."""

import os
import select
import signal
import subprocess

import pytest

from harness import DEADLINE, eventually, sctr, started, unique_name

# What cannot be caught, and what would be about sctr itself: its child, its faults.
NOT_PASSED_ON = {
    signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS,
    signal.SIGFPE, signal.SIGSEGV, signal.SIGSYS, signal.SIGPIPE,
}  # fmt: skip
# What a shell keeps for its own work with jobs.
OF_THE_SHELL = {signal.SIGTTIN, signal.SIGTTOU, signal.SIGTSTP}
# Real-time signals come from 34: the C library has 32 and 33 for its threads.
PASSED_ON = [number for number in range(1, 65) if number not in NOT_PASSED_ON | OF_THE_SHELL | {32, 33}]


def test_signals_of_every_number(start):
    traps = "".join(f'trap "echo got {number}" {number}; ' for number in PASSED_ON)
    script = traps + "echo ready; while :; do sleep 1000 & wait $!; kill $!; done 2>/dev/null"
    with start(command=["sh", "-c", script]) as container:
        for number in PASSED_ON:
            container.send(number)
            container.expect(f"got {number}\n")


def filled(pipe_read):
    """Waits until nobody can write into the pipe any more."""
    import fcntl
    import termios

    def unread():
        data = bytearray(4)
        fcntl.ioctl(pipe_read, termios.FIONREAD, data)
        return int.from_bytes(data, "little")

    eventually(lambda: unread() >= 65536, what="a full pipe")


@pytest.mark.parametrize("verb", ["run", "exec"])
@pytest.mark.parametrize("flags", [[], ["-i"]])
def test_a_reader_that_stops_and_goes_on(rootfs, start, verb, flags):
    """A full pipe makes the command wait; what it wrote arrives whole, once and in order."""
    count = 40000
    command = ["sh", "-c", f"seq {count}; echo end >&2"]
    with start() as container:
        words = {"run": ["sctr", "run", *flags, "--rootfs", str(rootfs)], "exec": ["sctr", "exec", *flags, container.name]}[verb]
        with subprocess.Popen(words + command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            filled(process.stdout.fileno())
            # It waits: neither an end nor an error.
            assert not select.select([process.stderr], [], [], 0.5)[0] and process.poll() is None
            out, err = process.communicate(timeout=DEADLINE)
        assert (process.returncode, err) == (0, b"end\n")
        assert out.split() == [str(n).encode() for n in range(1, count + 1)]


def test_it_can_be_ended_while_nobody_reads(rootfs):
    name = unique_name()
    command = ["sctr", "run", "--name", name, "--rootfs", str(rootfs), "sh", "-c", "trap 'exit 7' TERM; seq 1000000; exit 0"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        filled(process.stdout.fileno())
        sctr("kill", name).ok()
        assert process.wait(DEADLINE) == 137
        process.stdout.close()


def test_a_terminal_whose_reader_stops_and_goes_on(terminal):
    with terminal("sh", "-c", "seq 40000; echo done") as screen:
        screen.expect("^1\r\n")
        # Nothing is read meanwhile: the terminal's buffer is full.
        eventually(lambda: screen.process.poll() is None and select.select([screen.master], [], [], 0)[0])
        screen.expect("\n40000\r\ndone")
        assert screen.wait() == 0


@pytest.mark.parametrize("what", ["run", "exec"])
def test_stdout_that_nobody_has(rootfs, start, what):
    """The reader has left before: the command gets EPIPE or SIGPIPE, and sctr tells its status."""
    read, write = os.pipe()
    os.close(read)
    with start() as container:
        words = {"run": ["sctr", "run", "--rootfs", str(rootfs)], "exec": ["sctr", "exec", container.name]}[what]
        done = subprocess.run([*words, "sh", "-c", "echo x; exit 0"], stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE, timeout=DEADLINE)
    os.close(write)
    assert done.returncode in (0, 1, 128 + signal.SIGPIPE), done


def test_stdin_that_is_never_read(rootfs):
    """A command that does not read what comes ends all the same, and so does sctr."""
    with started(rootfs, "-i", command=["sh", "-c", "echo ready; exec sleep 0"], stdin=subprocess.PIPE) as container:
        try:
            container.process.stdin.write(b"x" * 200000)
            container.process.stdin.flush()
        except BrokenPipeError:
            pass
        assert container.wait() == 0
        try:
            container.process.stdin.close()
        except BrokenPipeError:
            pass
        container.process.stdin = None
