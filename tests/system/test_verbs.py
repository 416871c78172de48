# SPDX-License-Identifier: LGPL-2.1-or-later
"""The verbs for what is running: ps, exec, kill, stop, pause, unpause, inspect, rm, doctor."""

import json
import os
import select
import signal
import subprocess

import pytest

from harness import WAIT, eventually, sctr, unique_name, unit_property
from terminal import Terminal

ON_A_NAME = ["exec", "inspect", "kill", "pause", "rm", "stop", "unpause"]


@pytest.mark.parametrize("verb", ON_A_NAME)
def test_a_name_that_nobody_has(verb):
    words = ["true"] if verb == "exec" else []
    sctr(verb, "nobody", *words).failed(125, "nobody", "sctr ps -a")


@pytest.mark.parametrize("verb", ON_A_NAME)
@pytest.mark.parametrize("name", ["../../etc", "a/b", "", "."])
def test_a_name_that_is_a_path(verb, name):
    words = ["true"] if verb == "exec" else []
    sctr(verb, name, *words).failed(125, "invalid container name")


@pytest.mark.parametrize("verb", ON_A_NAME)
def test_no_name(verb):
    sctr(verb).failed(125, "no container named")


@pytest.mark.parametrize("words", [["runn"], ["--verbose"], ["ps", "--jsn"], ["ps", "extra"],
                                   ["doctor", "extra"], ["rm", "--forced", "x"]])  # fmt: skip
def test_misspelt_words(words):
    error = sctr(*words).failed(125)
    assert next(word for word in words if word not in ("ps", "rm", "doctor")) in error


def test_nothing_to_list():
    assert sctr("ps").ok().split() == ["NAME", "IMAGE", "PID", "STATUS", "UPTIME", "COMMAND", "UNIT"]
    assert json.loads(sctr("ps", "--json").ok()) == []
    assert sctr("ps", "-q").ok() == ""


def test_ps(start, rootfs):
    with start() as one, start() as other:
        rows = [line.split() for line in sctr("ps").lines[1:]]
        assert [row[:4] for row in rows] == [
            [one.name, "-", str(one.init()), "running"],
            [other.name, "-", str(other.init()), "running"],
        ]
        assert rows[0][-1] == one.unit
        assert sctr("ps", "-q").lines == [one.name, other.name]
        first = json.loads(sctr("ps", "--json").ok())[0]
        assert first["id"] == one.name and first["status"] == "running"
        assert first["pid"] == one.init() and first["unit"] == one.unit
        assert first["rootfs"] == str(rootfs)


def test_ps_shows_ended_ones_with_a_only(run):
    name = unique_name()
    run("--name", name, "--rm=false", "sh", "-c", "exit 6")
    try:
        assert name not in sctr("ps").ok()
        shown = json.loads(sctr("ps", "-a", "--json").ok())
        assert [(row["id"], row["status"], row["exitStatus"]) for row in shown] == [
            (name, "stopped", 6)
        ]
    finally:
        sctr("rm", name).ok()


@pytest.mark.parametrize(
    "flags, script, status, out",
    [
        ([], "echo x; exit 3", 3, "x\n"),
        (["-e", "A=1"], "echo $A $container", 0, "1 sctr\n"),
        (["-w", "/etc"], "pwd", 0, "/etc\n"),
        (["-u", "alice"], "id -u; echo $HOME", 0, "1234\n/home/alice\n"),
        ([], "kill -9 $$", 137, ""),
        ([], "test -t 0 || echo no terminal", 0, "no terminal\n"),
    ],
)
def test_exec(start, flags, script, status, out):
    with start() as container:
        result = sctr("exec", *flags, container.name, "sh", "-c", script)
        assert (result.status, result.stdout) == (status, out), result


def test_exec_is_in_the_container(start):
    with start("--hostname", "there") as container:
        for kind in ("cgroup", "ipc", "mnt", "net", "pid", "uts"):
            inside = container.exec("readlink", f"/proc/self/ns/{kind}").ok()
            of_init = container.exec("readlink", f"/proc/1/ns/{kind}").ok()
            assert inside == of_init, kind
        assert container.exec("hostname").ok() == "there"
        assert container.exec("cat", "/proc/self/cgroup").ok().splitlines()[-1] == "0::/"
        assert "sh -c trap" in container.exec("ps", "-o", "args").ok()


def test_exec_passes_stdin_with_i_only(start):
    with start() as container:
        assert sctr("exec", "-i", container.name, "cat", input="x" * 100000).out == b"x" * 100000
        assert sctr("exec", container.name, "cat", input="x").out == b""


def test_exec_on_a_terminal(start):
    with start() as container:
        command = ["sctr", "exec", "-it", "-e", "PS1=prompt> ", container.name, "sh", "-i"]
        with Terminal(*command, rows=33, columns=101) as screen:
            screen.expect("prompt> ")
            screen.send("stty size; tty\r")
            screen.expect(r"33 101\r\n/dev/pts/\d+")
            screen.expect("prompt> ")
            screen.resize(40, 120)
            screen.send("stty size\r")
            screen.expect(r"40 120\r\n")
            screen.expect("prompt> ")
            # Said by the job itself: by then it has the terminal, and ctrl-c is neither a key of the
            # line editor nor the waiting shell's to ignore.
            screen.send("sh -c 'echo sta\"\"rted; exec sleep 1000'\r")
            screen.expect("started\r\n")
            screen.send("\x03")
            screen.expect("prompt> ")
            assert screen.is_raw()
            screen.send("exit 13\r")
            assert screen.wait() == 13
            assert screen.is_restored()


@pytest.mark.parametrize(
    "command, status, words",
    [
        (["no-such"], 127, ["no-such"]),
        (["/bin/notexec"], 126, ["/bin/notexec"]),
        (["/bin/foreign"], 126, ["/bin/foreign"]),
        ([], 125, ["no command"]),
    ],
)
def test_exec_of_what_cannot_be(start, command, status, words):
    with start() as container:
        container.exec(*command).failed(status, *words)


@pytest.mark.parametrize("flags", [["-u", "mallory"], ["-w", "/no/such"], ["-e", "=x"], ["-w", "x"]])
def test_exec_with_bad_flags(start, flags):
    with start() as container:
        sctr("exec", *flags, container.name, "true").failed(125)


def test_exec_detached(start):
    with start() as container:
        script = "touch /dev/shm/made; exec sleep 1000"
        assert sctr("exec", "-d", container.name, "sh", "-c", script).status == 0
        eventually(lambda: container.exec("ls", "/dev/shm/made").status == 0)


def test_exec_ends_when_its_client_is_killed(start, background):
    with start() as container:
        client = background("sctr", "exec", container.name, "sleep", "7654")
        eventually(lambda: "sleep 7654" in container.exec("ps", "-o", "args").ok())
        client.send_signal(signal.SIGKILL)
        eventually(lambda: "sleep 7654" not in container.exec("ps", "-o", "args").ok())


def test_exec_ends_with_the_container(start, background):
    with start() as container:
        client = background(
            "sctr", "exec", container.name, "sh", "-c", "echo on; exec sleep 1000",
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert client.stdout.readline() == b"on\n"
        sctr("kill", container.name).ok()
        assert client.wait(20) == 137


def test_exec_forwards_signals(start, background):
    with start() as container:
        script = 'trap "exit 46" TERM; ' + WAIT.partition(";")[2]
        client = background("sctr", "exec", container.name, "sh", "-c", script, stdout=subprocess.PIPE)
        assert client.stdout.readline() == b"ready\n"
        client.send_signal(signal.SIGTERM)
        assert client.wait(20) == 46


@pytest.mark.parametrize("flags, status", [([], 137), (["-s", "TERM"], 0), (["-s", "SIGTERM"], 0),
                                           (["--signal", "15"], 0), (["-s", "KILL"], 137)])  # fmt: skip
def test_kill(start, flags, status):
    with start() as container:
        assert sctr("kill", *flags, container.name).ok() == container.name
        assert container.wait() == status


def test_kill_of_every_process(start):
    script = 'trap "echo first" USR1; '
    script += "sh -c 'trap \"echo child\" USR1; echo started; while :; do sleep 1000 & wait $!; done' & "
    script += "while :; do sleep 1000 & wait $!; done"
    with start(command=["sh", "-c", script], ready="started\n") as container:
        # busybox's sleep has no handler: it dies, and both loops go on.
        sctr("kill", "--all", "-s", "USR1", container.name).ok()
        eventually(lambda: _has_both(container), what="both words")


def _has_both(container):
    if select.select([container.process.stdout], [], [], 0)[0]:
        container.seen += os.read(container.process.stdout.fileno(), 4096)
    return b"child" in container.seen and b"first" in container.seen


@pytest.mark.parametrize("value", ["NONSENSE", "0", "65", "-1", ""])
def test_kill_with_a_bad_signal(start, value):
    with start() as container:
        sctr("kill", "-s", value, container.name).failed(125, "-s")


def test_several_names_at_once(start):
    with start() as one, start() as other:
        result = sctr("kill", one.name, "nobody", other.name)
        result.failed(125, "nobody")
        assert result.lines == [one.name, other.name]
        assert (one.wait(), other.wait()) == (137, 137)


def test_stop(start):
    with start() as container:
        assert sctr("stop", container.name).ok() == container.name
        assert container.wait() == 0


def test_stop_with_its_own_timeout(start):
    script = 'trap "" TERM; echo ready; while :; do sleep 1000 & wait $!; done'
    with start(command=["sh", "-c", script]) as container:
        sctr("stop", "-t", "0", container.name).ok()
        assert container.wait() == 137


def test_stop_of_a_paused_container(start):
    with start() as container:
        sctr("pause", container.name).ok()
        sctr("stop", container.name).ok()
        assert container.wait() == 0


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "99999999999"])
def test_stop_with_a_bad_timeout(value):
    sctr("stop", "-t", value, "x").failed(125, "-t")


def test_pause_and_unpause(start):
    with start() as container:
        assert sctr("pause", container.name).ok() == container.name
        assert "frozen 1" in (container.cgroup() / "cgroup.events").read_text()
        assert sctr("ps").lines[1].split()[3] == "paused"
        container.exec("true").failed(125, "paused", f"sctr unpause {container.name}")
        sctr("pause", container.name).failed(125, "paused")
        assert sctr("unpause", container.name).ok() == container.name
        assert "frozen 0" in (container.cgroup() / "cgroup.events").read_text()
        assert container.exec("echo", "again").ok() == "again"
        sctr("unpause", container.name).failed(125, "running")


def test_kill_of_a_paused_container(start):
    with start() as container:
        sctr("pause", container.name).ok()
        sctr("kill", container.name).ok()
        assert container.wait() == 137


def test_rm_force_of_a_paused_container(start):
    with start() as container:
        sctr("pause", container.name).ok()
        sctr("rm", "-f", container.name).ok()
        assert container.wait() == 137


def test_inspect(start, rootfs):
    with start("-e", "SECRET=s", "--tmpfs", "/scratch", "--hostname", "there") as container:
        (found,) = json.loads(sctr("inspect", container.name).ok())
        assert found["id"] == container.name and found["status"] == "running"
        assert found["pid"] == container.init()
        assert found["systemd"]["activeState"] == "active"
        assert found["systemd"]["controlGroup"].endswith(container.unit)
        config = found["config"]
        assert config["hostname"] == "there" and "SECRET=s" in config["process"]["env"]
        assert config["root"]["path"] == str(rootfs)
        assert "/scratch" in [mount["destination"] for mount in config["mounts"]]


def test_inspect_shows_what_systemd_enforces(start, rootfs, controllers):
    asked = {
        "memory": (("--memory", "64m"), {"MemoryMax": 64 << 20}),
        "pids": (("--pids-limit", "50"), {"TasksMax": 50}),
        "cpu": (("--cpus", "1.5", "--cpu-weight", "200"),
                {"CPUQuotaPerSecUSec": 1_500_000, "CPUWeight": 200}),
        "io": (("--io-weight", "50"), {"IOWeight": 50}),
    }
    offered = [asked[name] for name in asked if name in controllers]
    flags = [word for words, _ in offered for word in words]
    with start(*flags) as container:
        (found,) = json.loads(sctr("inspect", container.name).ok())
        limits = found["systemd"]["limits"]
        expected = {name: value for _, values in offered for name, value in values.items()}
        assert {name: limits.get(name) for name in expected} == expected
        for name, value in limits.items():
            assert unit_property(container.name, name)[name] != "[not set]", value
    with start() as container:
        (found,) = json.loads(sctr("inspect", container.name).ok())
        assert found["systemd"]["limits"]["MemoryMax"] == "infinity"
        assert "CPUWeight" not in found["systemd"]["limits"]


def test_inspect_of_several(start, run):
    name = unique_name()
    run("--name", name, "--rm=false", "true").ok()
    try:
        with start() as container:
            found = json.loads(sctr("inspect", container.name, name).ok())
            assert [row["status"] for row in found] == ["running", "stopped"]
            assert "systemd" not in found[1]
            sctr("inspect", container.name, "nobody").failed(125, "nobody")
    finally:
        sctr("rm", name).ok()


def test_rm(start, run):
    with start() as container:
        sctr("rm", container.name).failed(125, container.name, "running", "rm -f")
        assert sctr("rm", "-f", container.name).ok() == container.name
        assert container.wait() == 137
        assert not container.state.exists()
    name = unique_name()
    run("--name", name, "--rm=false", "true").ok()
    for verb in ("kill", "pause", "unpause", "exec"):
        words = ["true"] if verb == "exec" else []
        sctr(verb, name, *words).failed(125, name)
    assert sctr("stop", name).ok() == name
    assert sctr("rm", name).ok() == name
    sctr("rm", name).failed(125, name)


def test_doctor(controllers):
    result = sctr("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(result.stdout)}
    for name in ("systemd", "kernel", "cgroup v2", "D-Bus", "seccomp", "journald", "polkit"):
        assert checks[name]["state"] == "ok", checks[name]
    assert checks["systemd"]["text"].startswith("version 257")
    for controller in ("memory", "pids", "cpu", "cpuset", "io"):
        check = checks.get(f"controller {controller}")
        assert (check is None) == (controller in controllers)
        assert check is None or (check["state"] == "missing" and check["mend"])
    missing = [check for check in checks.values() if check["state"] == "missing"]
    assert result.status == (1 if missing else 0)
    assert all(check["mend"] for check in missing)


def test_doctor_for_people():
    lines = sctr("doctor").lines
    assert any(line.startswith("ok") and "systemd" in line for line in lines)


def test_dry_run_touches_nothing(run, tmp_path):
    cid = tmp_path / "cid"
    flags = ["--dry-run", "--name", "planned", "--cidfile", cid, "-v", "/etc:/etc2:ro"]
    plan = json.loads(run(*flags, "echo", "hello").ok())
    text = json.dumps(plan)
    for word in ("sctr-planned.scope", "sctr.slice", "/etc2", "Description", "pid", "mount"):
        assert word in text
    assert not cid.exists() and sctr("ps", "-a", "-q").ok() == ""


def test_log_level(run):
    assert run("--log-level", "debug", "true").stderr.startswith("sctr: debug: ")
    assert run("--log-level", "error", "true").stderr == ""
