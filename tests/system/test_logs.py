# SPDX-License-Identifier: LGPL-2.1-or-later
"""sctr logs, and what of a container's output is in the journal."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest

from bundles import Bundle
from harness import DEADLINE, WAIT, eventually, host, sctr, unique_name, unit_of

SETTINGS = Path("/etc/systemd/journald.conf.d/zz-sctr-test.conf")


def logged(run, *command, name=None, status=0):
    """Runs a command with its output in the journal; returns the container's name."""
    name = name or unique_name("log")
    result = run("--name", name, "--log", "journal", *command)
    assert (result.status, result.out, result.err) == (status, b"", b"")
    host("journalctl", "--sync")
    return name


def entries(name, *fields):
    """What the journal has of a container's output, each entry as a tuple of these fields."""
    text = host("journalctl", "--no-pager", "--all", "-o", "json", f"CONTAINER_NAME={name}")
    found = [entry for entry in map(json.loads, text.splitlines()) if "CONTAINER_STREAM" in entry]
    return [tuple(entry.get(field) for field in fields) for entry in found]


def test_each_stream_is_where_it_was(run):
    name = logged(run, "sh", "-c", "echo to out; echo to err >&2; echo more")
    result = sctr("logs", name)
    assert (result.status, result.out, result.err) == (0, b"to out\nmore\n", b"to err\n")


def test_the_entries_are_of_the_containers_own_unit(run):
    name = logged(run, "sh", "-c", "echo plain; echo '<4>warned'; echo bad >&2")
    fields = ("_SYSTEMD_UNIT", "_SYSTEMD_SLICE", "CONTAINER_ID", "SYSLOG_IDENTIFIER",
              "CONTAINER_STREAM", "PRIORITY", "MESSAGE")  # fmt: skip
    own = (unit_of(name), "sctr.slice", name, name)
    assert sorted(entries(name, *fields)) == sorted([
        (*own, "stdout", "6", "plain"),
        (*own, "stdout", "4", "warned"),
        (*own, "stderr", "3", "bad"),
    ])  # fmt: skip
    shown = host("journalctl", "--no-pager", "-o", "cat", "-u", unit_of(name)).splitlines()
    assert {"plain", "warned", "bad"} <= set(shown)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no newline",
        b"\n",
        b"\n\n\n",
        b"  blanks \t \n\r\n",
        b"<3>prefix\n<9>none\n",
        b"\0\xff\xfe\n\x1b[31m\n",
        b"x" * (1 << 20) + b"\nafter\n",
        b"y" * (3 << 20),
    ],
    ids=["nothing", "partial", "newline", "newlines", "blanks", "prefix", "binary", "long", "huge"],
)
def test_every_byte_comes_back(run, own_rootfs, text):
    (own_rootfs / "text").write_bytes(text)
    name = unique_name("bytes")
    result = sctr("run", "--name", name, "--log", "journal", "--rootfs", own_rootfs, "cat", "/text")
    assert (result.status, result.err) == (0, b"")
    host("journalctl", "--sync")
    shown = sctr("logs", name)
    assert (shown.status, shown.err) == (0, b"")
    assert shown.out == text
    if len(text) > 1 << 20 and b"\n" in text:
        assert len(entries(name, "MESSAGE")) == 2  # a line of 1 MiB is one entry


def test_binary_output(own_rootfs):
    data = os.urandom(1 << 20)
    (own_rootfs / "random-bytes").write_bytes(data)
    name = unique_name("binary")
    sctr("run", "--name", name, "--log", "journal", "--rootfs", own_rootfs, "cat", "/random-bytes").ok()
    host("journalctl", "--sync")
    assert hashlib.sha256(sctr("logs", name).out).digest() == hashlib.sha256(data).digest()


@contextlib.contextmanager
def rate_limit():
    """journald with the limit that it has by default, only smaller."""
    SETTINGS.parent.mkdir(exist_ok=True)
    SETTINGS.write_text("[Journal]\nRateLimitIntervalSec=30s\nRateLimitBurst=100\n")
    host("systemctl", "restart", "systemd-journald")
    try:
        yield
    finally:
        SETTINGS.unlink()
        host("systemctl", "restart", "systemd-journald")


def test_a_burst_of_100000_lines_under_a_rate_limit(run):
    with rate_limit():
        name = unique_name("burst")
        run("--name", name, "--log", "journal", "seq", "1", "100000", timeout=90).ok()
        host("journalctl", "--sync")
        assert sctr("logs", name, timeout=60).out == b"".join(b"%d\n" % n for n in range(1, 100001))
        # The limit is there for others.
        host("systemd-run", "-q", "--wait", "-u", f"{name}-other", "seq", "1", "5000")
        other = host("journalctl", "--no-pager", "-q", "-o", "cat", f"_SYSTEMD_UNIT={name}-other.service")
        assert len(other.splitlines()) < 5000
    assert not list(Path("/run/systemd/units").glob("log-rate-limit-interval:sctr-*"))


def test_last_words(run):
    names = [unique_name("short") for _ in range(10)]
    for name in names:
        run("--name", name, "--log", "journal", "echo", f"last words of {name}").ok()
    host("journalctl", "--sync")
    for name in names:
        wanted = [(unit_of(name), f"last words of {name}")]
        assert entries(name, "_SYSTEMD_UNIT", "MESSAGE") == wanted


def test_words_before_a_kill(start):
    with start("--log", "journal", command=["seq", "1", "100000000"], ready="") as it:
        eventually(lambda: sctr("logs", "-n", "1", it.name).out)
        sctr("kill", it.name).ok()
        assert it.wait() == 137
        numbers = sctr("logs", it.name).out
    count = numbers.count(b"\n")
    assert numbers.startswith(b"".join(b"%d\n" % n for n in range(1, count + 1)))


def test_stdout_can_be_opened_again_by_any_user(run):
    name = logged(run, "-u", "1234:50", "sh", "-c", "echo out >/dev/stdout; echo err >/dev/stderr")
    result = sctr("logs", name)
    assert (result.out, result.err) == (b"out\n", b"err\n")


def test_a_user_namespace_of_its_own(run):
    ids = ["--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"]
    name = logged(run, *ids, "sh", "-c", "echo mapped; echo again > /dev/stdout")
    assert sctr("logs", name).out == b"mapped\nagain\n"
    assert set(entries(name, "_SYSTEMD_UNIT")) == {(unit_of(name),)}


def test_a_restart_of_journald_loses_nothing(start):
    script = "echo a; while [ ! -e /tmp/go ]; do echo .; sleep 0.01; done; echo b"
    with start("--log", "journal", "--tmpfs", "/tmp", command=["sh", "-c", script], ready="") as it:
        eventually(lambda: sctr("logs", it.name).out.startswith(b"a\n."))
        host("systemctl", "restart", "systemd-journald")
        it.exec("touch", "/tmp/go").ok()
        assert it.wait() == 0
        host("journalctl", "--sync")
        text = sctr("logs", it.name).out
        assert text.startswith(b"a\n.\n") and text.endswith(b".\nb\n")
        assert set(entries(it.name, "_SYSTEMD_UNIT")) == {(it.unit,)}


def test_what_waits_for_journald_is_bounded(start, tmp_path):
    """Not in lines alone, which may have 1 MiB each: the rest stays in the pipe, and the command waits."""
    script = "busybox head -c 1048000 /dev/zero >/d/line; echo >>/d/line; n=0; while :; do cat /d/line; n=$((n+1)); echo $n >/d/n; done"
    journald = int(host("systemctl", "show", "-P", "MainPID", "systemd-journald"))
    seen = {"": time.monotonic()}

    def stands_still():
        written = (tmp_path / "n").read_text() if (tmp_path / "n").exists() else ""
        return written and time.monotonic() - seen.setdefault(written, time.monotonic()) > 1

    os.kill(journald, signal.SIGSTOP)
    try:
        with start("--log", "journal", "-v", f"{tmp_path}:/d", command=["sh", "-c", script], ready="") as it:
            eventually(stands_still, what="a command that waits")
            peak = Path(f"/proc/{it.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
            os.kill(journald, signal.SIGCONT)
            assert int(peak) < 64 * 1024
    finally:
        os.kill(journald, signal.SIGCONT)


LINES = ["sh", "-c", "for n in 1 2 3 4 5; do echo $n; done; printf 6"]


@pytest.mark.parametrize(
    "flags, shown",
    [
        ([], "1\n2\n3\n4\n5\n6"),
        (["-n", "2"], "5\n6"),
        (["--tail", "0"], ""),
        (["--tail=all"], "1\n2\n3\n4\n5\n6"),
        (["-n", "99"], "1\n2\n3\n4\n5\n6"),
        (["--since", "1h"], "1\n2\n3\n4\n5\n6"),
        (["--since", "1h", "-n", "1"], "6"),
        (["--since", "+1h"], ""),
        (["--until", "1h"], ""),
        (["--until", "1h", "-n", "3"], ""),
        (["--until", "+1h", "-n", "1"], "6"),
    ],
)
def test_what_is_shown(run, flags, shown):
    name = logged(run, *LINES)
    assert sctr("logs", *flags, name).ok() + ("\n" if shown.endswith("\n") else "") == shown


def test_since_and_until_cut_by_time(run):
    name = logged(run, "sh", "-c", "echo early; sleep 0.3; echo late")
    times = [line.split()[0] for line in sctr("logs", "-t", name).lines]
    assert sctr("logs", "--since", times[1], name).out == b"late\n"
    assert sctr("logs", "--until", times[0], name).out == b"early\n"
    assert sctr("logs", "--until", times[0], "-n", "5", name).out == b"early\n"
    assert sctr("logs", "--since", times[1], "-n", "5", name).out == b"late\n"


def test_timestamps(run):
    name = logged(run, "sh", "-c", "echo a; echo; printf b")
    lines = sctr("logs", "--timestamps", name).stdout.split("\n")
    times, texts = zip(*(line.split(" ", 1) for line in lines))
    assert texts == ("a", "", "b")
    for time in times:
        assert abs(datetime.now().timestamp() - datetime.fromisoformat(time).timestamp()) < 60
    assert list(times) == sorted(times)


def test_json(run):
    name = logged(run, "sh", "-c", r"echo '<4>a'; printf '\377' >&2")
    rows = [json.loads(line) for line in sctr("logs", "--json", name).lines]
    shown = {(row["name"], row["stream"], row["priority"], str(row["message"])) for row in rows}
    assert shown == {(name, "stdout", 4, "a"), (name, "stderr", 3, "[255]")}
    assert {row.get("partial", False) for row in rows if row["stream"] == "stderr"} == {True}


def test_a_name_used_twice(run):
    name = logged(run, "echo", "first")
    logged(run, "echo", "second", name=name)
    assert sctr("logs", name).out == b"second\n"
    assert "--all" in sctr("logs", "--log-level", "info", name).stderr
    assert sctr("logs", "--all", name).out == b"first\nsecond\n"
    # One that is silent is the newest all the same.
    logged(run, "true", name=name)
    assert sctr("logs", name).out == b""


def follow(name, *flags):
    return subprocess.Popen(["sctr", "logs", "-f", *flags, name], stdout=subprocess.PIPE)


def test_follow_ends_with_the_container(start):
    script = "echo one; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo two"
    with start("--log", "journal", "--tmpfs", "/tmp", command=["sh", "-c", script], ready="") as it:
        eventually(lambda: sctr("logs", it.name).out == b"one\n")
        with follow(it.name) as reader:
            assert reader.stdout.readline() == b"one\n"
            it.exec("touch", "/tmp/go").ok()
            assert reader.stdout.read() == b"two\n"
            assert reader.wait(DEADLINE) == 0
        assert it.wait() == 0
    with follow(it.name, "-n", "1") as reader:
        assert reader.stdout.read() == b"two\n"
    with follow(it.name, "-n", "0") as reader:
        assert reader.stdout.read() == b""


def test_follow_ends_when_the_supervisor_is_killed(start):
    with start("--log", "journal", ready="") as it:
        eventually(lambda: sctr("logs", it.name).out == b"ready\n")
        with follow(it.name) as reader:
            assert reader.stdout.readline() == b"ready\n"
            it.send(signal.SIGKILL)
            it.wait()
            assert reader.wait(DEADLINE) == 0


def test_follow_ends_with_its_reader(start):
    with start("--log", "journal", ready="") as it:
        eventually(lambda: sctr("logs", it.name).out == b"ready\n")
        with follow(it.name) as reader:
            assert reader.stdout.readline() == b"ready\n"
            reader.stdout.close()
            assert reader.wait(DEADLINE) == 0


@pytest.mark.parametrize(
    "words, told",
    [
        ([], ["no container named", "sctr logs --help"]),
        (["a", "b"], ["more than one"]),
        (["no-such-container"], ["no such container", "no-such-container"]),
        (["../etc"], ["../etc"]),
        (["--since", "soon", "x"], ["--since", "soon", "not a time"]),
        (["--until", "2026-02-30", "x"], ["--until", "2026-02-30"]),
        (["-n", "-1", "x"], ["-n", "-1"]),
    ],
)
def test_errors(words, told):
    sctr("logs", *words).failed(125, *told)


def test_output_that_went_elsewhere(run):
    name = unique_name()
    run("--name", name, "true").ok()
    host("journalctl", "--sync")
    sctr("logs", name).failed(125, name, "--log journal")


def test_others_cannot_put_words_into_a_containers_mouth(run):
    name = logged(run, "echo", "mine")
    forged = f"MESSAGE=forged\nCONTAINER_NAME={name}\nCONTAINER_STREAM=stdout\nSCTR_RUN=9\n"
    script = (
        "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM);"
        f"s.sendto({forged.encode()!r}, '/run/systemd/journal/socket')"
    )
    host("setpriv", "--reuid", "guest", "--clear-groups", "python3", "-c", script)
    host("journalctl", "--sync")
    assert "forged" in host("journalctl", "-o", "cat", "--no-pager", f"CONTAINER_NAME={name}")
    assert sctr("logs", "--all", name).out == b"mine\n"


def test_who_may_not_read_the_journal_is_told_so():
    command = ["setpriv", "--reuid", "guest", "--regid", "guest", "--clear-groups", "sctr", "logs"]
    done = subprocess.run([*command, "web"], capture_output=True, text=True)
    assert done.returncode == 125
    assert "cannot read the journal" in done.stderr and "systemd-journal" in done.stderr


def test_an_engine_s_container_of_the_same_name(rootfs, tmp_path):
    """It has no limit of its own to bring back, and another's stays lifted."""
    name = unique_name("same")
    sctr("run", "-d", "--name", name, "--log", "journal", "--rootfs", rootfs, "sh", "-c", WAIT).ok()
    try:
        link = Path(f"/run/systemd/units/log-rate-limit-interval:sctr-{name}.scope")
        assert link.is_symlink()
        bundle = Bundle(tmp_path / "bundle", rootfs)
        bundle.name = name
        bundle.config["linux"]["cgroupsPath"] = f"sctr.slice:engine:{name}"
        bundle.run("true").ok()
        assert link.is_symlink()
    finally:
        sctr("rm", "-f", name)


def test_a_failed_start_leaves_nothing(run):
    run("--log", "journal", "/no/such/command").failed(127)
    assert not list(Path("/run/systemd/units").glob("log-rate-limit-interval:sctr-*"))
