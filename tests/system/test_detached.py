# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers that are services of systemd: run -d, create, and the verbs for what is stored."""

import json
import os
import shutil
import signal
import socket
from pathlib import Path

import pytest

from harness import STATE, WAIT, eventually, host, sctr, unique_name, unit_of
from services import await_trap, init_of, row, service_of, show, status
from terminal import Terminal

STORED = Path("/var/lib/sctr/containers")
UNITS = Path("/etc/systemd/system")


def drop_in(name):
    return UNITS / f"{service_of(name)}.d" / "50-sctr.conf"


def journal_has(name, word):
    return lambda: word in host("journalctl", "-o", "cat", "--no-pager", "-u", unit_of(name))


@pytest.fixture
def detached(rootfs):
    """detached(FLAG..., command=...): a container that `run -d` started; returns its name."""
    names = []

    def begin(*flags, command=("sh", "-c", WAIT), verb=("run", "-d"), **options):
        name = unique_name("d")
        names.append(name)
        words = [*verb, "--name", name, "--rootfs", rootfs, *flags, "--", *command]
        assert sctr(*words, **options).ok() == name
        return name

    yield begin
    for name in names:
        sctr("rm", "-f", name)


def test_run_returns_when_the_command_runs(detached):
    name = detached()
    assert status(name) == ("running", None)
    assert show(name, "ActiveState", "SubState", "Type") == {
        "ActiveState": "active", "SubState": "running", "Type": "notify",
    }  # fmt: skip
    assert row(name)["unit"] == unit_of(name)
    assert sctr("exec", name, "echo", "here").ok() == "here"
    eventually(journal_has(name, "ready"), what="its output in the journal of its scope")
    assert host("systemctl", "show", unit_of(name), "-P", "Slice").strip() == "sctr.slice"
    assert not drop_in(name).exists()


def test_a_random_name_is_printed(rootfs):
    name = sctr("run", "-d", "--rootfs", rootfs, "true").ok()
    try:
        eventually(lambda: status(name) == ("stopped", 0))
    finally:
        sctr("rm", name).ok()


@pytest.mark.parametrize(
    "command, code", [("no-such-program", 127), ("/bin/notexec", 126), ("/bin/badinterpreter", 127)]
)
@pytest.mark.parametrize("flags", [[], ["--rm"], ["--restart", "always"]])
def test_a_command_that_cannot_be_executed(rootfs, command, code, flags):
    in_foreground = sctr("run", "--rootfs", rootfs, command).failed(code)
    name = unique_name()
    done = sctr("run", "-d", "--name", name, *flags, "--rootfs", rootfs, command)
    assert done.failed(code) == in_foreground
    assert row(name) is None
    assert not (STORED / name).exists() and not drop_in(name).exists()


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--restart", "sometimes"], ["--restart", "sometimes", "on-failure"]),
        (["--restart", "on-failure:often"], ["--restart on-failure", "'often'"]),
        (["--restart", "always:3"], ["--restart", "'always:3'", "on-failure[:TIMES]"]),
        (["--rm", "--restart", "always"], ["--rm", "--restart"]),
        (["--preserve-fds", "1"], ["--preserve-fds", "-d"]),
        (["--log-driver", "k8s-file"], ["--log-driver", "sctr logs"]),
        (["-i"], ["-i", "-t"]),
        (["--after", "a b"], ["--after", "a b"]),
        (["--requires", ""], ["--requires"]),
        (["--sdnotify", "never"], ["--sdnotify", "container"]),
        (["--requires", "a\n[Service]"], ["--requires"]),
        (["--rootfs", "/no/such/directory"], ["/no/such/directory"]),
        (["-v", "/no/such/source:/x"], ["/no/such/source"]),
        (["-e", b"A=\xff"], ["UTF-8"]),
    ],
)
@pytest.mark.parametrize("verb", [["run", "-d"], ["create"]])
def test_flags_that_cannot_be(rootfs, verb, flags, words):
    name = unique_name()
    error = sctr(*verb, "--name", name, "--rootfs", rootfs, *flags, "true")
    assert error.status == 125 and all(word in error.stderr for word in words), error
    assert row(name) is None and not (STORED / name).exists()


def test_without_the_unit_of_sctr(rootfs, tmp_path):
    template = Path(host("systemctl", "show", "-P", "FragmentPath", service_of("x")).strip())
    aside = tmp_path / template.name
    aside.write_bytes(template.read_bytes())
    template.unlink()
    host("systemctl", "daemon-reload")
    try:
        name = unique_name()
        done = sctr("run", "-d", "--name", name, "--rootfs", rootfs, "true")
        done.failed(125, service_of(name), "not installed", "daemon-reload")
        assert row(name) is None and not (STORED / name).exists()
    finally:
        template.write_bytes(aside.read_bytes())
        host("systemctl", "daemon-reload")


@pytest.mark.parametrize("flag", ["--restart=always", "--after=db", "--requires=db"])
def test_a_container_in_the_foreground_is_no_service(run, flag):
    run(flag, "true").failed(125, flag.partition("=")[0], "-d")


@pytest.mark.parametrize("code", [0, 5])
def test_its_exit_status_is_the_services(detached, code):
    name = detached(command=["sh", "-c", f"exit {code}"])
    assert sctr("wait", name).ok() == str(code)
    eventually(lambda: show(name, "ActiveState")["ActiveState"] in ("inactive", "failed"))
    assert status(name) == ("stopped", code)
    assert f"exited ({code})" in sctr("ps", "-a").ok()
    assert name not in sctr("ps").ok()
    assert show(name, "ExecMainStatus", "Result") == {
        "ExecMainStatus": str(code), "Result": "exit-code" if code else "success",
    }  # fmt: skip


def test_stop_and_start(detached):
    name = detached()
    for stop, start in (
        (lambda: sctr("stop", name).ok(), lambda: sctr("start", name).ok()),
        (lambda: host("systemctl", "stop", service_of(name)),
         lambda: host("systemctl", "start", service_of(name))),
    ):  # fmt: skip
        await_trap(init_of(name))
        stop()
        assert status(name) == ("stopped", 0)
        assert show(name, "ActiveState")["ActiveState"] == "inactive"
        start()
        assert status(name) == ("running", None)
    before = init_of(name)
    sctr("restart", name).ok()
    assert init_of(name) != before and status(name) == ("running", None)
    sctr("start", name).ok()  # it runs already
    sctr("stop", name).ok()
    sctr("stop", name).ok()  # it is stopped already


def test_its_own_stop_signal(detached):
    script = 'trap "exit 9" INT; trap "" TERM; echo ready; while sleep 0.1; do :; done'
    name = detached("--stop-signal", "INT", command=["sh", "-c", script])
    eventually(journal_has(name, "ready"))
    host("systemctl", "stop", service_of(name))
    assert status(name) == ("stopped", 9)


def test_dying_of_the_stop_signal_is_no_failure(detached):
    name = detached("--pid", "host", command=["sleep", "1000"])
    sctr("stop", name).ok()
    assert status(name) == ("stopped", 143)
    assert show(name, "ActiveState")["ActiveState"] == "inactive"


DEAF = 'trap "" TERM; echo ready; while sleep 0.1; do :; done'


@pytest.mark.parametrize(
    "flags, stop",
    [
        (["--stop-timeout", "0"], lambda name: sctr("stop", name).ok()),
        (["--stop-timeout", "0"], lambda name: host("systemctl", "stop", service_of(name))),
        (["--stop-timeout", "3600"], lambda name: sctr("stop", "-t", "0", name).ok()),
        (["--stop-timeout", "3600"], lambda name: sctr("rm", "-f", name).ok()),
    ],
)
def test_what_does_not_stop_is_killed(detached, flags, stop):
    name = detached(*flags, command=["sh", "-c", DEAF])
    eventually(journal_has(name, "ready"))
    stop(name)
    assert status(name) in (("stopped", 137), None)
    assert not (STATE / name).exists()


def test_a_paused_one_is_stopped(detached):
    name = detached("--stop-timeout", "3600")
    eventually(journal_has(name, "ready"))
    sctr("pause", name).ok()
    sctr("stop", name).ok()
    assert status(name) == ("stopped", 0)


def test_the_scope_is_stopped(detached):
    name = detached("--stop-timeout", "3600")
    eventually(journal_has(name, "ready"))
    host("systemctl", "stop", unit_of(name))
    eventually(lambda: status(name) == ("stopped", 0))


@pytest.fixture
def counter(tmp_path):
    """A directory for a container that counts its starts, and the count."""
    script = "echo x >>/count/file; test $(wc -l </count/file) -ge 3 || exit 1; " + WAIT
    file = tmp_path / "file"
    return (
        ["-v", f"{tmp_path}:/count"],
        ["sh", "-c", script],
        lambda: len(file.read_text().splitlines()) if file.exists() else 0,
    )


def test_on_failure(detached, counter):
    flags, command, count = counter
    name = detached("--restart", "on-failure", *flags, command=command)
    eventually(lambda: count() == 3 and status(name) == ("running", None))
    assert show(name, "NRestarts")["NRestarts"] == "2"
    await_trap(init_of(name))
    sctr("stop", name).ok()
    assert count() == 3 and status(name) == ("stopped", 0)
    assert show(name, "ActiveState")["ActiveState"] == "inactive"


def test_on_failure_so_often(detached, counter):
    flags, _, count = counter
    command = ["sh", "-c", "echo >> /count/file; exit 3"]
    name = detached("--restart", "on-failure:2", *flags, command=command)

    def gave_up(after):
        eventually(lambda: show(name, "ActiveState")["ActiveState"] == "failed")
        assert count() == after and status(name) == ("stopped", 3)

    gave_up(3)
    policy = "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}"
    assert sctr("inspect", "--format", policy, name).ok() == "on-failure 2"
    sctr("start", name)  # by hand: the count begins anew
    gave_up(6)
    sctr("restart", name)
    gave_up(9)


def test_no_restart(detached, counter):
    flags, command, count = counter
    name = detached(*flags, command=command)
    eventually(lambda: show(name, "ActiveState")["ActiveState"] == "failed")
    assert count() == 1 and status(name) == ("stopped", 1)


@pytest.mark.parametrize("restart", ["no", "always"])
@pytest.mark.parametrize("flags", [[], ["--pid", "host"]])
def test_a_killed_supervisor(detached, restart, flags):
    script = "sleep 54321 & " + WAIT
    name = detached("--restart", restart, *flags, command=["sh", "-c", script])
    eventually(journal_has(name, "ready"))
    before = init_of(name)
    processes = (Path("/sys/fs/cgroup/sctr.slice") / unit_of(name) / "cgroup.procs").read_text()
    os.kill(int(show(name, "MainPID")["MainPID"]), signal.SIGKILL)
    if restart == "always":
        eventually(lambda: status(name) == ("running", None) and init_of(name) != before)
    else:
        eventually(lambda: status(name) == ("stopped", 137))
        eventually(lambda: show(name, "ActiveState")["ActiveState"] == "failed")
    for pid in processes.split():
        eventually(lambda pid=pid: not Path(f"/proc/{pid}/exe").exists(), what=f"the end of {pid}")


def test_rm(detached):
    name = detached("--restart", "always")
    assert "Restart=always" in drop_in(name).read_text()
    sctr("rm", name).failed(125, name, "active", "rm -f")
    assert status(name) == ("running", None)
    sctr("stop", name).ok()
    sctr("rm", name).ok()
    assert row(name) is None
    assert not drop_in(name).parent.exists() and not (STORED / name).exists()
    sctr("start", name).failed(125, name, "does not exist")


def test_forgotten_when_it_ends(detached):
    name = detached("--rm", command=["sh", "-c", "exit 3"])
    eventually(lambda: row(name) is None and not (STORED / name).exists())
    assert not drop_in(name).parent.exists()
    eventually(
        lambda: service_of(name) not in host("systemctl", "list-units", "--all", "sctr@*"),
        what="the unit to go",
    )


def test_create(detached):
    name = detached(verb=["create"])
    assert status(name) == ("created", None)
    assert name not in sctr("ps").ok() and " created " in sctr("ps", "-a").ok()
    sctr("exec", name, "true").failed(125, name)
    for verb in ("kill", "pause", "unpause", "attach"):
        sctr(verb, name).failed(125, name)
    sctr("wait", name).failed(125, name, "never run")
    sctr("start", name).ok()
    assert status(name) == ("running", None)


def test_inspect_of_one_that_does_not_run(detached):
    name = detached("-e", "A=b", command=["sh", "-c", "exit 3"], verb=["create"])
    (shown,) = json.loads(sctr("inspect", name).ok())
    assert shown["id"] == name and shown["status"] == "created" and "pid" not in shown
    assert shown["definition"]["command"] == ["sh", "-c", "exit 3"]
    flags = shown["definition"]["flags"]
    assert "A=b" in flags and [flag.split("=")[0] for flag in flags].count("--name") == 1
    for restart in ("always", "on-failure", "no"):
        sctr("update", "--restart", restart, name).ok()
    (shown,) = json.loads(sctr("inspect", name).ok())
    assert shown["definition"]["flags"] == [*flags, "--restart", "no"], "each update would make them longer"
    sctr("start", name).ok()
    sctr("wait", name).ok()
    eventually(lambda: status(name) == ("stopped", 3))
    (shown,) = json.loads(sctr("inspect", name).ok())
    assert shown["status"] == "stopped" and shown["exitStatus"] == 3
    assert shown["started"] <= shown["finished"]


def test_enable(detached):
    name = detached(verb=["create"])
    state = lambda: show(name, "UnitFileState")["UnitFileState"]  # noqa: E731
    sctr("enable", name).ok()
    assert state() == "enabled" and status(name) == ("created", None)
    assert (UNITS / "multi-user.target.wants" / service_of(name)).is_symlink()
    sctr("disable", name).ok()
    assert state() == "disabled"
    sctr("enable", "--now", name).ok()
    assert status(name) == ("running", None)
    host("systemctl", "disable", service_of(name))
    assert state() == "disabled"
    sctr("enable", name).ok()
    sctr("rm", "-f", name).ok()
    assert not (UNITS / "multi-user.target.wants" / service_of(name)).is_symlink()


def test_rename(detached):
    name = detached("--restart", "on-failure", command=["sh", "-c", "exit 4"], verb=["create"])
    slow = Path("/run/systemd/system") / f"{service_of(name)}.d" / "60-slow.conf"
    slow.parent.mkdir(parents=True)
    slow.write_text("[Service]\nRestartSec=1000\nRestartSteps=0\n")
    host("systemctl", "daemon-reload")
    sctr("start", name).ok()
    eventually(lambda: show(name, "SubState")["SubState"] == "auto-restart", what="the wait for its next start")
    sctr("rename", name, unique_name("new")).failed(125, name)
    shutil.rmtree(slow.parent)
    sctr("stop", name).ok()
    sctr("enable", name).ok()
    new = unique_name("new")
    try:
        sctr("rename", name, new).ok()
        assert row(name) is None and status(new) == ("stopped", 4)
        assert drop_in(new).exists() and not drop_in(name).parent.exists()
        assert show(new, "UnitFileState", "Restart") == {
            "UnitFileState": "enabled", "Restart": "on-failure",
        }  # fmt: skip
        sctr("rename", new, new).failed(125, new, "in use")
        sctr("rename", new, "../x").failed(125, "invalid container name")
        assert status(new) == ("stopped", 4)
        (renamed,) = json.loads(sctr("inspect", new).ok())
        sctr("rename", new, new + "b").ok()
        sctr("rename", new + "b", new).ok()
        assert json.loads(sctr("inspect", new).ok())[0]["definition"] == renamed["definition"], "it grows"
    finally:
        sctr("rm", "-f", new).ok()


def test_a_name_is_one_containers(detached, start, run):
    name = detached(verb=["create"])
    for words in (["--name", name], ["-d", "--name", name]):
        run(*words, "true").failed(125, name, "in use")
    with start() as container:
        run("-d", "--name", container.name, "true").failed(125, container.name, "in use")
    assert status(name) == ("created", None)


def test_what_it_takes_from_its_caller(detached, tmp_path, rootfs):
    (tmp_path / "data").mkdir()
    (tmp_path / "vars").write_text("FROM_FILE=f\nTAKEN_BY_FILE\n")
    script = 'echo "$FROM_FILE $TAKEN_BY_FILE $TAKEN $UNNAMED." >>/data/out'
    name = detached(
        "--env-file", "vars", "-e", "TAKEN", "-v", "./data:/data", "--pidfile", "pid",
        command=["sh", "-c", script + "; " + WAIT],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "TAKEN": "t", "TAKEN_BY_FILE": "b", "UNNAMED": "u"},
    )  # fmt: skip
    (tmp_path / "vars").unlink()
    out = tmp_path / "data" / "out"
    eventually(lambda: out.exists() and out.read_text() == "f b t .\n")
    assert (tmp_path / "pid").read_text() == str(init_of(name))
    sctr("restart", name, cwd="/").ok()
    eventually(lambda: out.read_text() == "f b t .\nf b t .\n")
    stored = STORED / name / "definition.json"
    assert stored.stat().st_mode & 0o077 == 0 and STORED.stat().st_mode & 0o077 == 0
    assert "UNNAMED" not in json.loads(stored.read_text())["environment"]


def test_order(detached):
    db = detached(verb=["create"])
    web = detached("--requires", db, "--after", "local-fs.target", verb=["create"])
    assert service_of(db) in show(web, "Requires")["Requires"]
    assert {service_of(db), "local-fs.target"} <= set(show(web, "After")["After"].split())
    sctr("start", web).ok()
    assert status(db) == ("running", None)
    await_trap(init_of(web))
    sctr("stop", db).ok()
    assert status(web) == ("stopped", 0)
    # A host that shuts down stops what began first last.
    sctr("start", web).ok()
    assert service_of(web) in host("systemctl", "show", unit_of(web), "-P", "Before")


def test_what_it_requires_fails(detached, rootfs):
    broken = detached(verb=["create"], command=["no-such-program"])
    web = detached("--requires", broken, verb=["create"])
    sctr("start", web).failed(125, web, "requires")
    sctr("start", broken).failed(127, "no-such-program")
    assert status(broken) == ("stopped", 127)


def test_its_callers_session_ends(rootfs):
    name = unique_name()
    words = ["sctr", "run", "-d", "--name", name, "--rootfs", rootfs, "sleep", "1000"]
    host("systemd-run", "--quiet", "--wait", "--collect", "--property=KillMode=control-group", *words)
    try:
        assert status(name) == ("running", None)
    finally:
        sctr("rm", "-f", name).ok()


def test_after_another_boot(detached):
    name = detached(verb=["create"])
    run = STORED / name / "last.json"
    ended = {"bootId": "b", "startedUsec": 1, "finishedUsec": 2, "oomKilled": False, "error": ""}
    run.write_text(json.dumps({**ended, "exitStatus": 3}))
    assert status(name) == ("stopped", 3) and sctr("wait", name).ok() == "3"
    run.write_text(json.dumps({**ended, "finishedUsec": 0}))
    assert status(name) == ("stopped", None)
    sctr("wait", name).failed(125, name, "went down")
    run.write_text('{"bootId')  # a power cut: it has run, and nothing more is known
    assert status(name) == ("stopped", None)
    sctr("start", name).ok()
    assert status(name) == ("running", None)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 99}'])
def test_a_spoilt_definition(detached, text):
    name = detached(verb=["create"])
    (STORED / name / "definition.json").write_text(text)
    sctr("start", name).failed(125, "definition", name)
    assert row(name)["description"] == "(unreadable definition)"
    sctr("rm", "-f", name).ok()
    assert row(name) is None


def test_update(detached, start):
    name = detached(verb=["create"])
    sctr("update", "--restart", "always", name).ok()
    assert show(name, "Restart")["Restart"] == "always"
    sctr("update", "--restart", "no", "-p", "Description=other", name).ok()
    assert show(name, "Restart")["Restart"] == "no" and not drop_in(name).exists()
    sctr("start", name).ok()
    assert host("systemctl", "show", unit_of(name), "-P", "Description").strip() == "other"
    sctr("update", name).failed(125, "nothing to change")
    sctr("update", "--slice", "x.slice", name).failed(125, "--slice")
    sctr("update", "-m", "lots", name).failed(125, "-m", "lots")
    sctr("update", "-m", "64m", "nobody").failed(125)
    with start() as container:
        sctr("update", "--restart", "always", container.name).failed(125, "--restart")


def test_update_of_limits(detached, need_controller):
    need_controller("memory")
    name = detached("-m", "64m")
    limit = lambda: host("systemctl", "show", unit_of(name), "-P", "MemoryMax").strip()  # noqa: E731
    sctr("update", "-m", "96m", name).ok()
    assert limit() == str(96 << 20)
    sctr("restart", name).ok()
    assert limit() == str(96 << 20)
    sctr("update", "--runtime", "-m", "128m", name).ok()
    assert limit() == str(128 << 20)
    sctr("restart", name).ok()
    assert limit() == str(96 << 20)


ECHO = 'echo ready; while read -r line; do test "$line" = end && exit 6; echo "got $line"; done'


def test_attach(detached):
    name = detached("-it", command=["sh", "-c", ECHO])
    with Terminal("sctr", "attach", name, rows=33, columns=99) as screen:
        screen.send("one\n")
        screen.expect("got one")
        assert "33 99" in sctr("exec", name, "sh", "-c", "stty size </proc/1/fd/0").ok()
        screen.send("\x10\x11")
        assert screen.wait() == 0
    assert status(name) == ("running", None)
    with Terminal("sctr", "attach", "--detach-keys", "ctrl-x,q", name) as screen:
        with Terminal("sctr", "attach", "--no-stdin", name) as other:
            screen.send("\x18two\n")  # half of the keys
            screen.expect("got .*two")

            def sees_three():
                screen.send("three\n")
                return b"got three" in other.drain()

            eventually(sees_three, what="what somebody else typed")
            screen.send("end\n")
            assert screen.wait() == 6 and other.wait() == 6
    assert sctr("wait", name).ok() == "6"
    assert "got one" in host("journalctl", "-o", "cat", "--no-pager", "-u", unit_of(name))


def test_logs_of_a_terminal(detached):
    name = detached("-t", command=["sh", "-c", "echo one; printf 'two\nlast'; sleep 0.1"])
    sctr("wait", name).ok()
    logs = sctr("logs", name)
    assert logs.ok() == "one\ntwo\nlast" and logs.out == b"one\ntwo\nlast"
    assert "one" in host("journalctl", "-o", "cat", "--no-pager", "-u", unit_of(name))


def test_attach_to_none(detached, start):
    name = detached()
    sctr("attach", name).failed(125, name, "without a terminal")
    sctr("attach", "--detach-keys", "ctrl-", name).failed(125, "--detach-keys", "ctrl-")
    sctr("attach", name, name).failed(125, "one container")
    with start() as container:
        sctr("attach", container.name).failed(125, container.name, "foreground")


def test_nobody_reads_its_terminal(detached):
    script = "head -c 3000000 /dev/zero | tr '\\0' x; echo; exit 2"
    name = detached("-t", command=["sh", "-c", script])
    assert sctr("wait", name).ok() == "2"


VERBS = ["start", "restart", "enable", "disable", "wait", "attach"]


@pytest.mark.parametrize("verb", VERBS)
def test_names(verb):
    sctr(verb, "nobody").failed(125, "nobody", "does not exist")
    sctr(verb, "../../etc").failed(125, "invalid container name")
    sctr(verb).failed(125)
    sctr(verb, "--forced", "x").failed(125, "--forced")


def test_the_unit_is_sound(detached):
    name = detached("--restart", "always", "--after", "db", verb=["create"])
    done = host("systemd-analyze", "verify", service_of(name), check=False)
    assert done == ""
    host("systemctl", "start", "sctr@nobody.service", check=False)
    text = host("systemctl", "status", "sctr@nobody.service", check=False)
    assert "Assertion failed" in text and "inactive (dead)" in text


def test_the_command_says_itself_when_it_is_ready(rootfs, background):
    name = unique_name()
    script = 'test -S "$NOTIFY_SOCKET" && echo there; ' + WAIT
    words = ["sctr", "run", "-d", "--name", name, "--sdnotify", "container", "--rootfs", rootfs]
    caller = background(*words, "sh", "-c", script)
    try:
        eventually(journal_has(name, "there"))
        assert show(name, "ActiveState")["ActiveState"] == "activating"
        assert caller.poll() is None
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(STATE / name / "notify" / "notify.sock"))
            main = show(name, "MainPID")
            sender.send(b"STATUS=warm\nMAINPID=1")
            eventually(lambda: show(name, "StatusText")["StatusText"] == "warm")
            sender.send(b"READY=1")
        assert caller.wait(20) == 0
        assert show(name, "ActiveState")["ActiveState"] == "active"
        assert show(name, "MainPID") == main
    finally:
        sctr("rm", "-f", name)


def test_the_command_ends_before_it_is_ready(rootfs):
    name = unique_name()
    words = ["--sdnotify", "container", "--rootfs", rootfs, "sh", "-c", "exit 3"]
    sctr("run", "-d", "--name", name, *words).failed(125, name)
    assert row(name) is None
