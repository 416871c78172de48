# SPDX-License-Identifier: LGPL-2.1-or-later
"""-t: a terminal that works as people expect, and is theirs again afterwards."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess

import pytest

from harness import DEADLINE, WAIT, eventually, sctr, unique_name
from services import init_of, show
from terminal import Terminal

SIZES = 'trap "stty size" WINCH; echo ready; while :; do sleep 1000 & wait $!; done'
STAY = "echo ready; while :; do sleep 1000 & wait $!; done"


def test_everything_is_a_terminal(terminal):
    script = "for fd in 0 1 2; do test -t $fd && echo yes $fd; done; tty; ls -l /proc/self/fd/0"
    with terminal("sh", "-c", script) as screen:
        assert screen.wait() == 0
        text = screen.seen.decode()
    assert re.search(r"yes 0\r\nyes 1\r\nyes 2\r\n/dev/(pts/0|console)\r\n", text), text
    assert "/dev/pts/0" in text


def test_without_t_nothing_is_a_terminal(rootfs):
    script = "for fd in 0 1 2; do test -t $fd && echo terminal $fd; done; tty; echo end"
    with Terminal("sctr", "run", "--rootfs", rootfs, "sh", "-c", script) as screen:
        screen.wait()
        # What is passed as it is stays a terminal of the caller; stdin is not passed at all.
        assert b"terminal 0" not in screen.seen


def test_the_controlling_terminal(terminal):
    with terminal("sh", "-c", "echo through the tty > /dev/tty") as screen:
        screen.expect("through the tty")
        assert screen.wait() == 0


def test_the_console(terminal):
    script = "test -c /dev/console && echo hello > /dev/console; stat -c %t:%T /dev/console"
    with terminal("sh", "-c", script) as screen:
        screen.expect("hello\r\n")
        screen.expect(r"88:0\r\n")
        assert screen.wait() == 0


def test_the_terminal_is_the_users(terminal):
    with terminal("-u", "alice", "sh", "-c", "stat -c '%U %a' $(tty); echo x > $(tty)") as screen:
        screen.expect(r"alice 620\r\nx")
        assert screen.wait() == 0


@pytest.mark.parametrize("rows, columns", [(24, 80), (50, 132), (2, 2), (999, 999)])
def test_the_first_size(terminal, rows, columns):
    with terminal("stty", "size", rows=rows, columns=columns) as screen:
        screen.expect(f"{rows} {columns}\r\n")
        assert screen.wait() == 0


def test_a_change_of_size(terminal):
    with terminal("sh", "-c", SIZES) as screen:
        screen.expect("ready")
        for rows, columns in [(30, 100), (10, 20), (60, 200)]:
            screen.resize(rows, columns)
            screen.expect(f"{rows} {columns}\r\n")


def test_ctrl_c_goes_to_the_container(terminal):
    script = 'trap "echo interrupted; exit 33" INT; ' + STAY
    with terminal("sh", "-c", script) as screen:
        screen.expect("ready")
        screen.send("\x03")
        screen.expect("interrupted")
        assert screen.wait() == 33


def test_ctrl_backslash_goes_to_the_container(terminal):
    script = 'trap "echo quit; exit 34" QUIT; ' + STAY
    with terminal("sh", "-c", script) as screen:
        screen.expect("ready")
        screen.send("\x1c")
        screen.expect("quit")
        assert screen.wait() == 34


def test_ctrl_z_and_fg_inside(terminal):
    with terminal("-e", "PS1=prompt> ", "sh", "-i") as screen:
        screen.expect("prompt> ")
        job = 'trap "echo conti"nued CONT; echo star"ted"; while :; do sleep 1000 & wait $!; done'
        screen.send(f"sh -c '{job}'\r")
        screen.expect("started\r\n")
        screen.send("\x1a")
        screen.expect("Stopped")
        screen.expect("prompt> ")
        assert screen.process.poll() is None
        screen.send("fg\r")
        screen.expect("continued\r\n")
        screen.send("\x03")
        screen.expect("prompt> ")
        screen.send("exit 12\r")
        assert screen.wait() == 12


def test_ctrl_d_ends_a_shell(terminal):
    with terminal("-e", "PS1=prompt> ", "sh", "-i") as screen:
        screen.expect("prompt> ")
        screen.send("\x04")
        assert screen.wait() == 0


def test_the_echo_is_made_once(terminal):
    with terminal("-e", "PS1=prompt> ", "sh", "-i") as screen:
        screen.expect("prompt> ")
        screen.send("echo on$((40+2))ce\r")
        screen.expect("on42ce\r\n")
        screen.send("exit\r")
        screen.wait()
        assert screen.seen.count(b"on42ce") == 0


def test_much_output_arrives_whole_and_in_order(terminal):
    with terminal("sh", "-c", "seq 1 20000") as screen:
        assert screen.wait(60) == 0
        assert screen.seen == b"".join(b"%d\r\n" % n for n in range(1, 20001))


def test_much_input_arrives_whole(terminal):
    lines = 2000
    with terminal("sh", "-c", "stty -echo; echo ready; head -n 2000 | md5sum") as screen:
        screen.expect("ready\r\n")
        for number in range(lines):
            screen.send(f"line {number}\n")
        screen.expect(r"([0-9a-f]{32})  -", 30)
        assert screen.wait() == 0


def test_a_line_has_one_carriage_return(run, terminal):
    with terminal("echo", "x") as screen:
        screen.wait()
        assert screen.seen == b"x\r\n"
    assert run("echo", "x").out == b"x\n"


def test_output_to_a_pipe_with_t(rootfs):
    # The pty's own processing adds one carriage return, as docker and podman have it.
    result = sctr("run", "-t", "--rootfs", rootfs, "sh", "-c", "test -t 1 && echo x")
    assert (result.status, result.out) == (0, b"x\r\n")


def test_raw_while_it_runs_and_restored_after(terminal):
    with terminal("sh", "-c", STAY) as screen:
        screen.expect("ready")
        assert screen.is_raw()
        sctr("kill", screen.name).ok()
        assert screen.wait() == 137
        assert screen.is_restored()


@pytest.mark.parametrize("command, status", [("exit 0", 0), ("exit 3", 3), ("stty raw -echo", 0)])
def test_restored_after_a_normal_end(terminal, command, status):
    with terminal("sh", "-c", command) as screen:
        assert screen.wait() == status
        assert screen.is_restored()


def test_restored_when_the_start_fails(terminal):
    with terminal("no-such-command") as screen:
        assert screen.wait() == 127
        assert screen.is_restored()


def test_restored_after_term(terminal):
    with terminal("sh", "-c", 'trap "exit 9" TERM; ' + STAY) as screen:
        screen.expect("ready")
        screen.signal(signal.SIGTERM)
        assert screen.wait() == 9
        assert screen.is_restored()


def test_hang_up_reaches_the_container(terminal):
    with terminal("sh", "-c", 'trap "exit 8" HUP; ' + STAY) as screen:
        screen.expect("ready")
        screen.signal(signal.SIGHUP)
        assert screen.wait() == 8


def test_a_reader_that_is_stuck_does_not_make_sctr_unkillable(rootfs, background):
    """The container has ended, its last words wait for a reader, and the caller loses patience."""
    reading, writing = os.pipe()
    name = unique_name()
    command = ["sctr", "run", "-t", "--name", name, "--rootfs", rootfs]
    # More than the pipe takes, and little enough to fit into the terminal's and sctr's buffers.
    process = background(
        *command, "sh", "-c", "head -c 80000 /dev/zero | tr '\\0' x", stdout=writing,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    eventually(
        lambda: name in sctr("ps", "-a", "-q").lines and name not in sctr("ps", "-q").lines,
        what="the end of the container",
    )
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    finally:
        os.close(reading)


def test_exit_status_with_a_terminal(terminal):
    with terminal("sh", "-c", "exit 77") as screen:
        assert screen.wait() == 77


def test_t_without_i_takes_no_input(terminal):
    script = "stty -echo; echo ready; read -t 1 x || echo nothing came"
    with terminal("sh", "-c", script, flags=["-t"]) as screen:
        screen.expect("ready")
        screen.send("typed\r")
        screen.expect("nothing came")
        screen.wait()


def test_input_from_a_pipe_with_it(rootfs):
    result = sctr("run", "-it", "--rootfs", rootfs, "cat", input="piped\n", timeout=20)
    assert result.status == 0, result
    assert b"piped\r\n" in result.out


@contextlib.contextmanager
def on_a_vanishing_terminal(*words):
    """Not its controlling terminal: the kernel sends nothing when it goes."""
    master, slave = pty.openpty()
    process = subprocess.Popen(list(map(str, words)), stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    seen = b""
    try:
        while b"ready" not in seen:
            assert select.select([master], [], [], DEADLINE)[0], seen
            seen += os.read(master, 1000)
        os.close(master)
        yield process
    finally:
        process.kill()
        process.wait()


VANISHED = {
    "a handler": (["-it"], "trap 'exit 5' HUP; echo ready; while :; do sleep 1000 & wait $!; done", 5),
    "a reader": (["-it"], "trap '' HUP; echo ready; cat; exit 6", 6),
    "a command without a handler": (["-it", "--init"], "echo ready; sleep 1000", 128 + signal.SIGHUP),
    "a writer": (["-t"], "trap 'exit 8' HUP; echo ready; while :; do echo x; sleep 0.05; done", 8),
}


@pytest.mark.parametrize("what", VANISHED)
def test_a_terminal_that_vanishes(rootfs, what):
    flags, script, status = VANISHED[what]
    name = unique_name()
    with on_a_vanishing_terminal("sctr", "run", *flags, "--name", name, "--rootfs", rootfs, "sh", "-c", script) as process:
        assert process.wait(DEADLINE) == status
    sctr("rm", "-f", name)


def test_a_terminal_of_exec_that_vanishes(start):
    with start() as container:
        with on_a_vanishing_terminal("sctr", "exec", "-it", container.name, "sh", "-c", "echo ready; sleep 1000") as process:
            assert process.wait(DEADLINE) == 128 + signal.SIGHUP
        sleeps = lambda: container.exec("ps", "-o", "args").ok().splitlines().count("sleep 1000")  # noqa: E731
        eventually(lambda: sleeps() == 1, what="the end of what the shell had begun")


def test_a_terminal_of_attach_that_vanishes(rootfs):
    name = unique_name()
    words = ["--name", name, "--network", "none", "--rootfs", str(rootfs), "sh", "-c", "while :; do echo ready; sleep 0.1; done"]
    sctr("run", "-d", "-it", *words).ok()
    with on_a_vanishing_terminal("sctr", "attach", name) as process:
        assert process.wait(DEADLINE) is not None
    assert name in sctr("ps", "-q").lines
    sctr("rm", "-f", name).ok()


def test_who_attaches_at_the_end_is_told_the_status(rootfs):
    name = unique_name()
    sctr("run", "-dt", "--name", name, "--rootfs", rootfs, "sh", "-c", WAIT).ok()
    supervisor = os.pidfd_open(int(show(name, "MainPID")["MainPID"]))
    try:
        signal.pidfd_send_signal(supervisor, signal.SIGSTOP)
        with Terminal("sctr", "attach", name) as screen:
            eventually(screen.is_raw, what="its connection, which nobody takes")
            os.kill(init_of(name), signal.SIGKILL)
            signal.pidfd_send_signal(supervisor, signal.SIGCONT)
            assert screen.wait() == 137
    finally:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(supervisor, signal.SIGCONT)
        os.close(supervisor)
        sctr("rm", "-f", name)
