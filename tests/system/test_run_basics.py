# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a foreground container runs, with what, and how it ends."""

import os
import re
import signal
import socket
import subprocess

import pytest

from harness import WAIT, sctr, unique_name

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.mark.parametrize("status", [0, 1, 42, 124, 125, 126, 127, 128, 255])
def test_exit_status_is_the_commands_own(run, status):
    result = run("sh", "-c", f"exit {status}")
    assert (result.status, result.err) == (status, b"")


@pytest.mark.parametrize("name", ["HUP", "INT", "ABRT", "KILL", "SEGV", "PIPE", "TERM", "USR1"])
def test_death_by_a_signal_is_128_and_its_number(run, name):
    # The first process of a pid namespace cannot kill itself, one beside the host's can.
    result = run("--pid", "host", "sh", "-c", f"kill -{name} $$; exit 3")
    assert result.status == 128 + getattr(signal, "SIG" + name)


@pytest.mark.parametrize(
    "command, status, words",
    [
        (["no-such-command"], 127, ["no-such-command", "executable file not found in $PATH"]),
        (["/no/such/command"], 127, ["/no/such/command", "No such file or directory"]),
        (["/etc/passwd/x"], 127, ["/etc/passwd/x"]),
        (["badinterpreter"], 127, ["/bin/badinterpreter", "interpreter"]),
        (["/bin/notexec"], 126, ["/bin/notexec", "Permission denied"]),
        (["notexec"], 126, ["notexec", "Permission denied"]),
        (["/etc"], 126, ["/etc", "directory"]),
        (["/bin/foreign"], 126, ["/bin/foreign", "architecture"]),
        (["/bin/noshebang"], 126, ["/bin/noshebang"]),
        ([""], 127, ["empty"]),
    ],
)
def test_what_cannot_be_executed(run, command, status, words):
    run(*command).failed(status, *words)


def test_the_version(run):
    assert re.fullmatch(r"sctr version \d+\.\d+\.\d+", sctr("--version").ok())


@pytest.mark.parametrize("verb", [None, "run", "exec", "ps", "inspect", "kill", "stop", "pause",
                                  "unpause", "rm", "doctor"])  # fmt: skip
def test_help_has_examples(verb):
    text = sctr(*([verb] if verb else []), "--help").ok()
    assert "Usage: sctr" in text and "Examples:\n  sctr " in text


ODD_ARGUMENTS = [
    ["", "a b", "tab\there", "line\nbreak"],
    ["--", "-x", "--rootfs", "--help", "-it"],
    ["*", "$HOME", "`id`", '"quoted"', "'", "\\"],
    ["ümlaut", "日本語", "🦊"],
    [b"\xff\xfe not utf-8"],
    ["x" * 100_000],
    [str(n) for n in range(2000)],
    ["%s", "%u", "\x01\x1b[31m"],
]


@pytest.mark.parametrize("words", ODD_ARGUMENTS, ids=range(len(ODD_ARGUMENTS)))
def test_arguments_arrive_unchanged(run, probe, words):
    result = run("--", "probe", "args", *words)
    assert result.status == 0, result.stderr
    assert result.out.split(b"\0")[:-1] == [os.fsencode(word) for word in words]


def test_flags_after_the_command_are_the_commands(run):
    assert run("echo", "--rm", "-i", "--name", "x").ok() == "--rm -i --name x"


def variables(text):
    return dict(line.split("=", 1) for line in text.splitlines())


def test_the_default_environment(run):
    name = unique_name()
    result = run("--name", name, "env", env={**os.environ, "SECRET": "of the host"})
    assert variables(result.ok()) == {
        "PATH": DEFAULT_PATH,
        "HOSTNAME": name,
        "HOME": "/root",
        "container": "sctr",
    }


@pytest.mark.parametrize(
    "flags, expected",
    [
        (["-e", "A=1"], {"A": "1"}),
        (["--env", "A="], {"A": ""}),
        (["-e", "A=b=c"], {"A": "b=c"}),
        (["-e", "A=1", "-e", "A=2"], {"A": "2"}),
        (["-e", "FROM_CALLER"], {"FROM_CALLER": "yes"}),
        (["-e", "NOT_THERE"], {"NOT_THERE": None}),
        (["-e", "PATH=/bin"], {"PATH": "/bin"}),
        (["-e", "HOME=/elsewhere"], {"HOME": "/elsewhere"}),
        (["-e", "container=mine"], {"container": "mine"}),
        (["-e", "A=ü"], {"A": "ü"}),
        (["-u", "alice"], {"HOME": "/home/alice"}),
    ],
)
def test_environment_flags(run, flags, expected):
    found = variables(run(*flags, "env", env={**os.environ, "FROM_CALLER": "yes"}).ok())
    assert {name: found.get(name) for name in expected} == expected


def test_environment_that_is_not_utf8(run):
    assert b"\nA=\xff\n" in b"\n" + run("-e", b"A=\xff", "env").out


def test_env_file(run, tmp_path):
    file = tmp_path / "env"
    file.write_bytes(b"# comment\n\nA=1\n  B=two words \nC=\"quoted\"\nFROM_CALLER\nGONE\nD=x\r\n")
    caller = {**os.environ, "FROM_CALLER": "yes"}
    found = variables(run("--env-file", file, "-e", "A=flag wins", "env", env=caller).ok())
    wanted = {"A": "flag wins", "B": "two words ", "C": '"quoted"', "FROM_CALLER": "yes", "D": "x"}
    assert {name: found[name] for name in wanted} == wanted
    assert "GONE" not in found


def test_the_workdir(run, own_rootfs):
    def here(*flags):
        return sctr("run", "--rootfs", own_rootfs, *flags, "sh", "-c", "pwd; stat -c %u .").ok()

    assert here() == "/\n0"
    assert here("-w", "/tmp/../etc") == "/etc\n0"
    assert here("-w", "/made/for/it", "-u", "alice") == "/made/for/it\n1234"
    # Root may not be asked first what only the user may enter.
    assert here("-w", "/home/alice", "-u", "alice", "--cap-drop", "ALL") == "/home/alice\n1234"


@pytest.mark.parametrize(
    "workdir, words",
    [("relative", ["-w: not absolute"]), ("/etc/passwd", ["/etc/passwd", "directory"])],
)
def test_bad_workdir(run, workdir, words):
    run("-w", workdir, "true").failed(125, *words)


@pytest.mark.parametrize(
    "user, uid, gid, groups",
    [
        ("0", 0, 0, [0]),
        ("root", 0, 0, [0]),
        ("alice", 1234, 50, [50, 99]),
        ("1234", 1234, 50, [50, 99]),
        ("bob", 1235, 60, [50, 60, 99]),
        ("bob:staff", 1235, 50, [50]),
        ("bob:77", 1235, 77, [77]),
        ("1235:0", 1235, 0, [0]),
        ("4321", 77, 78, [78]),
        ("9999", 9999, 0, [0]),
        ("4294967294:4294967294", 4294967294, 4294967294, [4294967294]),
    ],
)
def test_user_lookup(run, user, uid, gid, groups):
    text = run("-u", user, "sh", "-c", "id -u; id -g; id -G").ok().splitlines()
    assert text[:2] == [str(uid), str(gid)]
    assert sorted(map(int, text[2].split())) == groups


@pytest.mark.parametrize(
    "user", ["mallory", "alice:mallory", ":", "alice:", ":staff", "-1", "4294967295", "1:2:3", "99999999999", "1234x", " 0"]
)  # fmt: skip
def test_bad_user(run, user):
    run("-u", user, "true").failed(125, "-u")


def test_a_user_of_the_host_is_not_found(run):
    run("-u", "guest", "true").failed(125, "guest", "/etc/passwd")


def test_entrypoint(run):
    assert run("--entrypoint", "/bin/echo", "a", "b").ok() == "a b"
    assert run("--entrypoint", "script", "a", "b").ok() == "script a b"
    assert run("--entrypoint", "", "echo", "a").ok() == "a"
    assert run("--entrypoint", "pwd").ok() == "/"


def test_no_command(run):
    run().failed(125, "no command")


def test_hostname(run):
    assert run("--hostname", "box.example", "hostname").ok() == "box.example"
    name = unique_name("n" * 80)
    assert run("--name", name, "hostname").ok() == name[:64]
    assert socket.gethostname() != "box.example"


@pytest.mark.parametrize("name", ["", "-x", "a/b", "../up", ".", "a b", "x" * 129, "ü", "a\n", "%n"])
def test_bad_names(run, name):
    run("--name", name, "true").failed(125, "invalid container name")


@pytest.mark.parametrize("name", ["a", "A.b_c-d", "0", "x" * 128, "a..b", "a-"])
def test_good_names(run, name):
    assert run("--name", name, "echo", "fine").ok() == "fine"


def test_stdin_is_passed_on_with_i_only(run):
    assert run("-i", "cat", input="to the end").stdout == "to the end"
    assert run("cat", input="not for it").stdout == ""
    assert run("readlink", "/proc/self/fd/0", input="x").ok().startswith("/dev/null")


def test_a_pipeline_of_one_gibibyte_arrives_whole(rootfs):
    text = f"yes 'a line of text' | head -c {1 << 30}"
    pipeline = f"{text} | sctr run -i --rootfs {rootfs} cat | cmp - <({text}); echo ${{PIPESTATUS[*]}}"
    done = subprocess.run(["bash", "-c", pipeline], capture_output=True, text=True, timeout=120)
    # `yes` alone may die of its pipe.
    assert done.stdout.split()[1:] == ["0", "0", "0"] and not done.stderr, done


def test_a_reader_that_leaves_ends_the_writer(rootfs):
    pipeline = f"sctr run --rootfs {rootfs} yes | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", pipeline], capture_output=True, text=True, timeout=20)
    word, status = done.stdout.split()
    assert word == "y" and status != "0"


def test_a_writer_that_leaves_ends_the_reader(start):
    reading, writing = os.pipe()
    with start("-i", command=["sh", "-c", "echo ready; cat; exit 7"], stdin=reading) as container:
        os.close(reading)
        os.write(writing, b"last words\n")
        container.expect("last words\n")
        os.close(writing)
        assert container.wait() == 7


def test_stdout_and_stderr_are_apart(run):
    result = run("sh", "-c", "echo out; echo err >&2")
    assert (result.out, result.err) == (b"out\n", b"err\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams(rootfs, closed):
    command = f"sctr run -i --rootfs {rootfs} sh -c 'exit 9' {closed}"
    assert subprocess.run(["bash", "-c", command], timeout=20).returncode == 9


def test_cidfile(run, tmp_path):
    file = tmp_path / "cid"
    name = unique_name()
    run("--name", name, "--cidfile", file, "true").ok()
    assert file.read_text() == name
    run("--cidfile", file, "true").failed(125, "--cidfile", "there already")
    assert file.read_text() == name


def test_files_of_a_start_that_failed_are_gone(run, tmp_path):
    cid, pid = tmp_path / "cid", tmp_path / "pid"
    run("--cidfile", cid, "--pidfile", pid, "no-such-command").failed(127)
    assert not cid.exists() and not pid.exists()


def test_pidfile(start, tmp_path):
    file = tmp_path / "pid"
    with start("--pidfile", file) as container:
        assert int(file.read_text()) == container.init()
        comm = open(f"/proc/{int(file.read_text())}/comm").read()
        assert comm == "sh\n"


@pytest.mark.parametrize("flag", ["--cidfile", "--pidfile"])
def test_files_that_cannot_be_written(run, tmp_path, flag):
    run(flag, tmp_path / "no/such/dir", "true").failed(125, str(tmp_path / "no/such/dir"))


def test_a_kept_container(run):
    name = unique_name()
    assert run("--name", name, "--rm=false", "sh", "-c", "exit 5").status == 5
    try:
        assert [name, "-", "-", "exited", "(5)"] in [line.split()[:5] for line in sctr("ps", "-a").lines]
        assert name not in sctr("ps").ok()
        run("--name", name, "true").failed(125, name, "in use", f"sctr rm {name}")
    finally:
        assert sctr("rm", name).ok() == name


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "CONT", "WINCH"])
def test_signals_are_forwarded(start, name):
    script = f'trap "echo got {name}; exit 44" {name};' + WAIT.partition(";")[2]
    with start(command=["sh", "-c", script]) as container:
        container.send(getattr(signal, "SIG" + name))
        container.expect(f"got {name}\n")
        assert container.wait() == 44


def test_the_command_starts_with_clean_signals(rootfs):
    # A caller that ignores and blocks signals must not pass that on.
    command = [
        "bash", "-c", 'trap "" INT TERM PIPE; exec "$@"', "-",
        "sctr", "run", "--rootfs", str(rootfs), "grep", "Sig[BIC]", "/proc/self/status",
    ]  # fmt: skip
    text = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    assert text.split()[1::2] == ["0" * 16] * 3, text


def test_the_umask_is_not_the_callers(rootfs):
    command = f"umask 077; sctr run --rootfs {rootfs} sh -c umask"
    assert subprocess.check_output(["bash", "-c", command], text=True).strip() == "0022"


@pytest.mark.parametrize("spelling", ["USR1", "SIGUSR1", "usr1", "10"])
def test_stop_signal(start, spelling):
    script = 'trap "exit 45" USR1; ' + WAIT
    with start("--stop-signal", spelling, command=["sh", "-c", script]) as container:
        assert sctr("stop", container.name).ok() == container.name
        assert container.wait() == 45


def test_stop_kills_what_does_not_end(start):
    script = 'trap "" TERM; echo ready; while :; do sleep 1000 & wait $!; done'
    with start("--stop-timeout", "0", command=["sh", "-c", script]) as container:
        sctr("stop", container.name).ok()
        assert container.wait() == 137


def test_children_that_are_left_die_with_the_first_process(run):
    assert run("sh", "-c", "sleep 1000 & sleep 1000 & exit 3").status == 3


def test_without_a_pid_namespace_children_die_too(run):
    assert run("--pid", "host", "sh", "-c", "sleep 4567 & exit 3").status == 3
    assert "sleep 4567" not in os.popen("ps -e -o args").read()
