# SPDX-License-Identifier: LGPL-2.1-or-later
"""--init: a first process that passes signals on and reaps."""

import time

import pytest

from harness import eventually, sctr, unique_name

# A process that leaves another to whoever reaps here, and tells when that one is gone.
ORPHAN = "sh -c 'sleep 0.1 & echo $! > /tmp/orphan'; while kill -0 $(cat /tmp/orphan) 2> /dev/null; do :; done"


def test_the_command_is_its_child(run):
    found = run("--init", "sh", "-c", "echo $$ $PPID; cat /proc/1/comm; tr '\\0' '\\n' < /proc/1/cmdline | head -2")
    assert found.lines == ["2 1", "sctr-init", "sctr-init", "reap"]
    assert run("sh", "-c", "echo $$").ok() == "1"


@pytest.mark.parametrize("command, status", [("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143), ("true", 0)])
def test_the_exit_status_is_the_commands(run, command, status):
    assert run("--init", "sh", "-c", command).status == status


def test_a_command_that_cannot_be_executed(run, own_rootfs):
    run("--init", "/nonesuch").failed(127, "/nonesuch")
    run("--init", "/etc/passwd").failed(126, "/etc/passwd")
    (own_rootfs / "bin/broken").write_text("#!/nonesuch\n")
    (own_rootfs / "bin/broken").chmod(0o755)
    sctr("run", "--init", "--rootfs", own_rootfs, "broken").failed(127, "interpreter")


def test_orphans_are_reaped(run):
    """Without it they stay: this command would not end."""
    assert run("--init", "--tmpfs", "/tmp", "sh", "-c", ORPHAN).status == 0


@pytest.mark.parametrize("name", ["TERM", "HUP", "USR1", "INT", "QUIT"])
def test_signals_are_passed_on(start, name):
    with start("--init", command=["sh", "-c", f'trap "echo got; exit 5" {name}; echo ready; while :; do sleep 0.05; done']) as box:
        sctr("kill", "-s", name, box.name).ok()
        box.expect("got")
        assert box.wait() == 5


def test_what_ignores_nothing_ends_at_once(rootfs):
    """The first process of a pid namespace has no default actions: without --init this waits for SIGKILL."""
    name = unique_name("i")
    sctr("run", "-d", "--init", "--name", name, "--rootfs", f"{rootfs}:O", "sleep", "1000").ok()
    begin = time.monotonic()
    sctr("stop", name).ok()
    assert time.monotonic() - begin < 8
    assert "143" in sctr("ps", "-a", "--json").ok()
    sctr("rm", name).ok()


def test_it_has_nothing_of_the_host(run):
    """Neither files nor memory nor an executable that could be changed."""
    script = "ls -l /proc/1/fd | grep -c -e socket -e memfd; readlink /proc/1/exe; tr '\\0' '\\n' < /proc/1/environ; grep ^Cap /proc/1/status /proc/self/status"
    lines = run("--init", "-e", "ONLY=this", "sh", "-c", script).lines
    assert lines[0] == "0" and "memfd" in lines[1]
    assert "ONLY=this" in lines and not any(line.startswith(("SUDO", "PYTEST")) for line in lines)
    caps = [line.split(":", 1) for line in lines if "Cap" in line]
    assert [c[1] for c in caps if "/1/" in c[0]] == [c[1] for c in caps if "self" in c[0]]
    assert run("--init", "sh", "-c", "echo x > /proc/1/exe").status != 0


def test_on_a_terminal(terminal):
    with terminal("sh", flags=("-it", "--init")) as screen:
        screen.expect("#")
        screen.send("ps -o pid,args 2> /dev/null | head -3; stty -a | head -1; echo no-job-control-$?\r")
        screen.expect("no-job-control-0")
        screen.send("sleep 100\r")
        eventually(lambda: "sleep" in sctr("top", screen.name).stdout)
        screen.send("\x03")
        screen.send("echo after-$?\r")
        screen.expect("after-130")
        screen.send("exit 3\r")
        assert screen.wait() == 3


def test_in_another_pid_namespace(run):
    assert run("--init", "--pid", "host", "sh", "-c", "exit 4").status == 4


def test_other_users(run):
    assert run("--init", "-u", "1234", "sh", "-c", "id -u; exit 6").status == 6


def test_the_signals_are_as_the_command_expects_them(run):
    lines = run("--init", "grep", "^Sig[BI]", "/proc/self/status").lines
    assert lines == run("grep", "^Sig[BI]", "/proc/self/status").lines

