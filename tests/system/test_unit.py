# SPDX-License-Identifier: LGPL-2.1-or-later
"""The container as systemd sees it: its scope, its limits, what systemctl and journalctl do."""

import json
import signal

import pytest

from harness import WAIT, eventually, host, sctr, unique_name, unit_of, unit_property

INFINITY = "infinity"


def test_the_scope(start, rootfs):
    with start() as container:
        shown = unit_property(
            container.name, "Id", "Slice", "Description", "ActiveState", "SubState", "Transient",
            "ControlGroup", "Delegate", "CollectMode", "Controller", "TasksCurrent",
        )  # fmt: skip
        assert shown["Id"] == f"sctr-{container.name}.scope"
        assert shown["Slice"] == "sctr.slice"
        assert shown["ControlGroup"] == f"/sctr.slice/sctr-{container.name}.scope"
        assert (shown["ActiveState"], shown["SubState"]) == ("active", "running")
        assert shown["Description"].startswith(f"{rootfs}: sh -c trap")
        assert (shown["Transient"], shown["Delegate"]) == ("yes", "yes")
        assert shown["CollectMode"] == "inactive-or-failed"
        processes = (container.cgroup() / "cgroup.procs").read_text().split()
        assert str(container.init()) in processes and str(container.process.pid) not in processes


def test_a_description_of_odd_words(start):
    odd = ["sh", "-c", "echo ready; exec sleep 1000", "a\nb", "%n %i", "ü🦊", b"\xff", "x" * 5000]
    with start(command=odd) as container:
        text = unit_property(container.name, "Description")["Description"]
        assert "%n %i" in text and "\n" not in text and len(text.encode()) <= 200


def test_status_and_cgtop_show_it(start):
    with start() as container:
        text = host("systemctl", "status", "--no-pager", container.unit)
        assert "active (running)" in text and "sh -c" in text
        assert f"sctr.slice/{container.unit}" in host("systemd-cgls", "-u", "sctr.slice") or (
            container.unit in host("systemd-cgls", "-u", "sctr.slice")
        )


def test_another_slice(start):
    for flag in ("sctr-test.slice", "sctr-test"):
        with start("--slice", flag) as container:
            assert unit_property(container.name, "Slice")["Slice"] == "sctr-test.slice"
            path = f"/sctr.slice/sctr-test.slice/{container.unit}"
            assert unit_property(container.name, "ControlGroup")["ControlGroup"] == path


@pytest.mark.parametrize("value", ["", "a/b", "-x", "a--b", "x.scope.slice/", "ü", "a b"])
def test_bad_slices(run, value):
    run("--slice", value, "true").failed(125, "--slice")
    run("--cgroup-parent", value, "true").failed(125, "--cgroup-parent")


# Flag, the controller that it needs, the property and its value in `systemctl show`.
LIMITS = [
    (["-m", "64m"], "memory", "MemoryMax", str(64 << 20)),
    (["--memory", "1g"], "memory", "MemorySwapMax", str(1 << 30)),
    (["-m", "64m", "--memory-swap", "64m"], "memory", "MemorySwapMax", "0"),
    (["-m", "64m", "--memory-swap", "100m"], "memory", "MemorySwapMax", str(36 << 20)),
    (["-m", "64m", "--memory-swap", "-1"], "memory", "MemorySwapMax", INFINITY),
    (["--memory-reservation", "32m"], "memory", "MemoryLow", str(32 << 20)),
    (["--cpus", "1.5"], "cpu", "CPUQuotaPerSecUSec", "1.5s"),
    (["--cpus", "0.01"], "cpu", "CPUQuotaPerSecUSec", "10ms"),
    (["--cpu-weight", "300"], "cpu", "CPUWeight", "300"),
    (["--cpu-shares", "1024"], "cpu", "CPUWeight", "100"),
    (["--cpu-shares", "2"], "cpu", "CPUWeight", "1"),
    (["--cpuset-cpus", "0"], "cpuset", "AllowedCPUs", "0"),
    (["--cpuset-mems", "0"], "cpuset", "AllowedMemoryNodes", "0"),
    (["--pids-limit", "20"], "pids", "TasksMax", "20"),
    (["--tasks-max", "30"], "pids", "TasksMax", "30"),
    (["--pids-limit", "-1"], "pids", "TasksMax", INFINITY),
    (["--io-weight", "50"], "io", "IOWeight", "50"),
    (["-p", "MemoryHigh=50M"], "memory", "MemoryHigh", str(50 << 20)),
    (["-p", "CPUQuota=20%"], "cpu", "CPUQuotaPerSecUSec", "200ms"),
    (["-p", "TasksMax=7"], "pids", "TasksMax", "7"),
]
UNLIMITED = [row for row in LIMITS if row[3] == INFINITY]
REAL = [row for row in LIMITS if row[3] != INFINITY]


def ids(rows):
    return [" ".join(row[0]) for row in rows]


@pytest.mark.parametrize("flags, controller, name, value", LIMITS, ids=ids(LIMITS))
def test_limits(start, need_controller, flags, controller, name, value):
    need_controller(controller)
    with start(*flags) as container:
        assert unit_property(container.name, name)[name] == value


@pytest.mark.parametrize("flags, controller, name, value", REAL, ids=ids(REAL))
def test_a_limit_without_its_controller_is_refused(run, controllers, flags, controller, name, value):
    if controller in controllers:
        pytest.skip(f"this host has the {controller} controller, the limit is enforced")
    error = run(*flags, "true").failed(125, f"'{controller}'")
    assert flags[0] in error or "--" in error, f"which flag? {error}"


@pytest.mark.parametrize("flags, controller, name, value", UNLIMITED[1:], ids=ids(UNLIMITED[1:]))
def test_no_limit_needs_no_controller(run, flags, controller, name, value):
    assert run(*flags, "echo", "runs").ok() == "runs"


def test_several_limits_at_once(start, need_controller):
    for controller in ("memory", "cpu", "pids"):
        need_controller(controller)
    with start("-m", "64m", "--cpus", "0.5", "--pids-limit", "20") as container:
        shown = unit_property(container.name, "MemoryMax", "CPUQuotaPerSecUSec", "TasksMax")
        assert list(sorted(shown.values())) == ["20", "500ms", str(64 << 20)]


@pytest.mark.parametrize(
    "flags, words",
    [
        (["-m", "5m"], ["-m", "6m"]),
        (["-m", "much"], ["-m"]),
        (["-m", "-5"], ["-m"]),
        (["-m", "99999999999999999999"], ["-m"]),
        (["-m", "64m", "--memory-swap", "32m"], ["--memory-swap"]),
        (["--memory-swap", "64m"], ["--memory-swap", "--memory"]),
        (["-m", "64m", "--memory-reservation", "65m"], ["--memory-reservation"]),
        (["--cpus", "0"], ["--cpus", "0.01"]),
        (["--cpus", "-1"], ["--cpus"]),
        (["--cpus", "nan"], ["--cpus"]),
        (["--cpus", "inf"], ["--cpus"]),
        (["--cpu-weight", "0"], ["--cpu-weight", "1 to 10000"]),
        (["--cpu-weight", "10001"], ["--cpu-weight", "10000"]),
        (["--cpu-shares", "1"], ["--cpu-shares", "2 to 262144"]),
        (["--cpu-weight", "1", "--cpu-shares", "2"], ["--cpu-weight", "--cpu-shares"]),
        (["--cpuset-cpus", "x"], ["--cpuset-cpus"]),
        (["--cpuset-cpus", "3-1"], ["--cpuset-cpus"]),
        (["--cpuset-cpus", ""], ["--cpuset-cpus"]),
        (["--pids-limit", "-2"], ["--pids-limit"]),
        (["--pids-limit", "1.5"], ["--pids-limit"]),
        (["--io-weight", "0"], ["--io-weight", "10000"]),
        (["--device-read-bps", "/dev/null:1m"], ["--device-read-bps", "block device"]),
        (["--device-write-iops", "/dev/no-such:1"], ["--device-write-iops"]),
        (["--device-read-bps", "nonsense"], ["--device-read-bps"]),
        (["--stop-signal", "NONSENSE"], ["--stop-signal"]),
        (["--stop-signal", "0"], ["--stop-signal"]),
        (["--stop-timeout", "-1"], ["--stop-timeout"]),
        (["--log", "nowhere"], ["--log", "caller, journal or none"]),
        (["--log-level", "shout"], ["--log-level"]),
        (["-p", "NoSuchProperty=1"], ["NoSuchProperty"]),
        (["-p", "MemoryMax"], ["MemoryMax"]),
        (["-p", "=1"], []),
        (["-p", "CPUWeight=x"], ["CPUWeight"]),
        (["-p", "ExecStart=/bin/true"], ["ExecStart"]),
        (["--no-such-flag"], ["--no-such-flag"]),
        (["--memoryy", "1g"], ["--memoryy", "--memory"]),
        (["--name"], ["--name"]),
    ],
)
def test_bad_values(run, flags, words):
    command = [] if flags == ["--name"] else ["true"]
    run(*flags, *command).failed(125, *words)


@pytest.mark.parametrize(
    "text, name, value",
    [
        ("RuntimeMaxSec=1h", "RuntimeMaxUSec", "1h"),
        ("Documentation=https://example.org/", "Documentation", "https://example.org/"),
        ("OOMPolicy=stop", "OOMPolicy", "stop"),
        ("KillMode=mixed", "KillMode", "mixed"),
        ("TimeoutStopSec=77", "TimeoutStopUSec", "1min 17s"),
        ("Description=my own", "Description", "my own"),
        ("ManagedOOMPreference=avoid", "ManagedOOMPreference", "avoid"),
        ("IPAddressDeny=any", "IPAddressDeny", "0.0.0.0/0 ::/0"),
        ("After=multi-user.target", "After", None),
        ("DevicePolicy=closed", "DevicePolicy", "closed"),
    ],
)
def test_properties(start, text, name, value):
    with start("-p", text) as container:
        shown = unit_property(container.name, name)[name]
        if value is None:
            assert text.partition("=")[2] in shown.split()
        else:
            assert sorted(shown.split()) == sorted(value.split())


def test_the_stop_properties(start):
    with start("--stop-signal", "USR1", "--stop-timeout", "33") as container:
        shown = unit_property(container.name, "KillSignal", "TimeoutStopUSec")
        assert shown == {"KillSignal": str(int(signal.SIGUSR1)), "TimeoutStopUSec": "33s"}


def test_systemctl_stop_ends_it_in_order(start):
    script = 'trap "echo stopping; exit 21" TERM; ' + WAIT.partition(";")[2]
    with start(command=["sh", "-c", script]) as container:
        host("systemctl", "stop", container.unit)
        assert container.wait() == 21
        container.expect("stopping\n")


def test_systemctl_stop_sends_the_stop_signal_to_the_first_process_alone(start):
    child = 'trap "echo child" USR1; while :; do sleep 1000 & wait $!; done'
    script = f"sh -c '{child}' & trap 'echo first; exit 22' USR1; " + WAIT.partition(";")[2]
    with start("--stop-signal", "USR1", command=["sh", "-c", script]) as container:
        host("systemctl", "stop", container.unit)
        assert container.wait() == 22
        rest = container.seen + container.process.stdout.read()
        assert b"first\n" in rest and b"child" not in rest


def test_systemctl_stop_kills_after_the_timeout(start):
    script = 'trap "echo no" TERM; echo ready; while :; do sleep 1000 & wait $!; done'
    with start("--stop-timeout", "1", command=["sh", "-c", script]) as container:
        host("systemctl", "stop", container.unit)
        assert container.wait() == 137
        container.expect("no\n")


def test_systemctl_stop_while_stopping_with_sctr(start):
    with start() as container:
        host("systemctl", "stop", "--no-block", container.unit)
        sctr("stop", container.name)
        assert container.wait() == 0


@pytest.mark.parametrize("name, status", [("TERM", 0), ("KILL", 137)])
def test_systemctl_kill(start, name, status):
    with start() as container:
        host("systemctl", "kill", "-s", name, container.unit)
        assert container.wait() == status


def test_systemctl_freeze_and_thaw(start):
    with start() as container:
        host("systemctl", "freeze", container.unit)
        assert sctr("ps").ok().splitlines()[1].split()[3] == "paused"
        host("systemctl", "thaw", container.unit)
        assert sctr("ps").ok().splitlines()[1].split()[3] == "running"


def test_a_stop_of_the_whole_slice(start):
    with start() as one, start() as other:
        host("systemctl", "stop", "sctr.slice")
        assert (one.wait(), other.wait()) == (0, 0)


def test_set_property_at_run_time(start, need_controller):
    need_controller("memory")
    with start("-m", "64m") as container:
        host("systemctl", "set-property", "--runtime", container.unit, "MemoryMax=32M")
        assert (container.cgroup() / "memory.max").read_text().strip() == str(32 << 20)


def journal(name):
    fields = ["_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER", "PRIORITY", "MESSAGE"]
    lines = host("journalctl", "--no-pager", "-o", "json", "-u", unit_of(name)).splitlines()
    return [tuple(json.loads(line).get(field) for field in fields) for line in lines]


def test_the_journal_has_the_output_under_the_containers_unit(run):
    name = unique_name()
    result = run("--name", name, "--log", "journal", "sh", "-c", "echo to out; echo to err >&2")
    assert (result.status, result.out, result.err) == (0, b"", b"")
    unit = unit_of(name)
    wanted = [(unit, name, "6", "to out"), (unit, name, "3", "to err")]
    eventually(lambda: set(wanted) <= set(journal(name)), what=f"the lines of {name}")


def test_the_journal_has_the_last_words_of_short_lives(run):
    names = [unique_name("short") for _ in range(10)]
    for name in names:
        run("--name", name, "--log", "journal", "echo", f"last words of {name}").ok()
    for name in names:
        line = (unit_of(name), name, "6", f"last words of {name}")
        eventually(lambda: line in journal(name), what=f"the line of {name}")


def test_the_journal_takes_much(run):
    name = unique_name()
    run("--name", name, "--log", "journal", "seq", "1", "3000").ok()
    eventually(lambda: len([row for row in journal(name) if row[1] == name]) == 3000)


def test_the_journal_needs_no_terminal(run):
    run("-t", "--log", "journal", "true").failed(125, "--log journal", "-t")


def test_in_the_foreground_the_journal_has_nothing_of_the_output(run):
    name = unique_name()
    assert run("--name", name, "echo", "for the caller").ok() == "for the caller"
    assert host("journalctl", "-q", "--no-pager", f"_SYSTEMD_UNIT={unit_of(name)}") == ""


def test_the_device_policy(start):
    with start("--device", "/dev/fuse:rw") as container:
        shown = host("systemctl", "show", container.unit, "-p", "DeviceAllow,DevicePolicy")
        assert "DevicePolicy=strict" in shown
        for device in ("/dev/char/1:3 rwm", "/dev/char/1:5 rwm", "char-136 rwm"):
            assert device in shown or device.replace("char-136", "char-pts") in shown, shown
        assert "/dev/char/10:229 rw\n" in shown or "/dev/fuse rw\n" in shown, shown


def test_privileged_has_no_device_policy(start):
    with start("--privileged") as container:
        assert unit_property(container.name, "DevicePolicy")["DevicePolicy"] == "auto"


def test_a_daemon_reload_changes_nothing(start):
    with start("-p", "RuntimeMaxSec=1h") as container:
        before = host("systemctl", "show", container.unit)
        host("systemctl", "daemon-reload")
        after = host("systemctl", "show", container.unit)

        def stable(text):
            changing = ("CPUUsage", "MemoryCurrent", "MemoryPeak", "IO", "Tasks", "NeedDaemonReload",
                        "Memory", "EffectiveMemory", "IP")  # fmt: skip
            return {line for line in text.splitlines() if not line.startswith(changing)}

        assert stable(after) == stable(before)
        host("systemctl", "stop", container.unit)
        assert container.wait() == 0


def test_a_daemon_reexec_does_not_end_it(start):
    with start() as container:
        host("systemctl", "daemon-reexec")
        assert container.exec("echo", "alive").ok() == "alive"
        host("systemctl", "stop", container.unit)
        assert container.wait() == 0
