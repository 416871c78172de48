# SPDX-License-Identifier: LGPL-2.1-or-later
"""Health checks: what makes them good or bad, who is told, and what follows."""

import json
import time
from pathlib import Path

import pytest

from harness import STATE, WAIT, eventually, host, sctr, unique_name
from services import await_trap, init_of, row, service_of, show, status

# A check that is good while there is /data/good.
FILE = "cat /data/good"
FAST = ("--health-interval", "100ms", "--health-retries", "2")


@pytest.fixture
def data(tmp_path):
    (tmp_path / "good").write_text("fine\n")
    return tmp_path


@pytest.fixture
def checked(rootfs, data):
    """checked(FLAG..., command=...): a stored container with a quick health check; its name."""
    names = []

    def begin(*flags, command=("sh", "-c", WAIT), check=FILE, **options):
        name = unique_name("h")
        names.append(name)
        words = ["-v", f"{data}:/data", "--health-cmd", check, *FAST, *flags]
        sctr("run", "-d", "--name", name, *words, "--rootfs", rootfs, "--", *command, **options).ok()
        return name

    yield begin
    for name in names:
        sctr("rm", "-f", name)


def health(name):
    return json.loads(sctr("inspect", name).ok())[0]["health"]


def is_now(name, wanted):
    return lambda: (row(name) or {}).get("health") == wanted


def events_of(name):
    out = sctr("events", "--no-stream", "--json", "--filter", f"container={name}").ok()
    return [json.loads(line) for line in out.splitlines()]


def test_good_bad_and_good_again(checked, data):
    name = checked()
    assert sctr("wait", "--condition", "healthy", name).ok() == "healthy"
    assert "running (healthy)" in sctr("ps").ok()
    state = health(name)
    assert state["status"] == "healthy" and state["failingStreak"] == 0
    assert state["log"][-1]["exitCode"] == 0 and state["log"][-1]["output"] == "fine\n"
    (data / "good").unlink()
    assert sctr("wait", "--condition", "unhealthy", name).ok() == "unhealthy"
    assert "running (unhealthy)" in sctr("ps").ok()
    state = health(name)
    assert state["failingStreak"] >= 2 and "good" in state["log"][-1]["output"]
    assert len(state["log"]) <= 5
    (data / "good").write_text("again\n")
    sctr("wait", "--condition", "healthy", name).ok()
    assert status(name) == ("running", None)

    def told():
        return [each["health"] for each in events_of(name) if each["event"] == "health_status"]

    eventually(lambda: told() == ["healthy", "unhealthy", "healthy"], what="three events")
    assert not [each for each in events_of(name) if each["event"] == "exec"]
    only = sctr("events", "--no-stream", "--filter", "event=health_status").ok()
    assert f"health_status {name} (health=healthy, " in only


def test_in_the_foreground(start, data):
    flags = ["-v", f"{data}:/data", "--health-cmd", FILE, *FAST]
    with start(*flags) as container:
        eventually(is_now(container.name, "healthy"))
        (data / "good").unlink()
        eventually(is_now(container.name, "unhealthy"))
        container.send(15)
        assert container.wait() == 0


@pytest.mark.parametrize("action, code", [("kill", 137), ("stop", 7)])
def test_the_foreground_ends(start, data, action, code):
    script = 'trap "exit 7" TERM; echo ready; while sleep 1000 & wait $!; do :; done'
    flags = ["-v", f"{data}:/data", "--health-cmd", FILE, *FAST, "--health-on-failure", action]
    with start(*flags, command=["sh", "-c", script]) as container:
        (data / "good").unlink()
        assert container.wait() == code


@pytest.mark.parametrize("action, code", [("kill", 137), ("stop", 0)])
def test_a_service_has_failed(checked, data, action, code):
    name = checked("--health-on-failure", action)
    await_trap(init_of(name))
    sctr("wait", "--condition", "healthy", name).ok()
    (data / "good").unlink()
    assert sctr("wait", name).ok() == str(code)
    eventually(lambda: show(name, "ActiveState")["ActiveState"] == "failed")


def test_a_deaf_one_is_killed(checked, data):
    script = 'trap "" TERM; while sleep 0.1; do :; done'
    name = checked(
        "--health-on-failure", "stop", "--stop-timeout", "1", command=["sh", "-c", script]
    )
    (data / "good").unlink()
    assert sctr("wait", name).ok() == "137"


@pytest.mark.parametrize(
    "flags", [["--restart", "on-failure", "--health-on-failure", "stop"], ["--health-on-failure", "restart"]]
)
def test_started_again(checked, data, flags):
    name = checked(*flags)
    before = init_of(name)
    (data / "good").unlink()

    def another():
        shown = row(name)
        return shown["status"] == "running" and shown["pid"] != before

    eventually(another)
    (data / "good").write_text("")
    eventually(is_now(name, "healthy"))


def test_a_check_that_takes_too_long(checked, data):
    check = "echo begun; sleep 4321"
    name = checked("--health-timeout", "200ms", check=check)
    eventually(is_now(name, "unhealthy"))
    # A busy machine may need as long for its first word.
    begun = lambda: [each for each in health(name)["log"] if "begun" in each["output"]]  # noqa: E731
    last = eventually(begun, what="one that had begun")[-1]
    assert last["exitCode"] == 137 and "200 ms" in last["output"]
    # What it started has ended with it, but for the one that is under way.
    eventually(lambda: host("pgrep", "-f", "-c", "^sleep 4321", check=False).strip() in ("0", "1"))
    assert sctr("exec", name, "echo", "goes on").ok() == "goes on"


def test_stopped_while_a_check_is_under_way(checked, data):
    name = checked(check="touch /data/begun; sleep 4322")
    eventually((data / "begun").exists)
    await_trap(init_of(name))
    began = time.monotonic()
    sctr("stop", name).ok()
    assert time.monotonic() - began < 10
    assert status(name) == ("stopped", 0)
    assert host("pgrep", "-f", "^sleep 4322", check=False) == ""


def test_a_check_that_cannot_be_executed(checked):
    name = checked(check='["/no/such/program"]')
    eventually(is_now(name, "unhealthy"))
    last = health(name)["log"][-1]
    assert last["exitCode"] == 127 and "/no/such/program" in last["output"]


def test_much_output(checked):
    name = checked(check="head -c 300000 /dev/zero | tr '\\0' x; exit 0")
    eventually(is_now(name, "healthy"))
    assert health(name)["log"][-1]["output"] == "x" * 4096


def test_as_the_containers_user_and_in_its_environment(checked):
    check = 'test "$(id -u)" = 1234 && test "$A" = b && test "$(pwd)" = /tmp && echo yes'
    name = checked("-u", "1234", "-e", "A=b", "-w", "/tmp", check=check)
    eventually(is_now(name, "healthy"))


def test_with_a_terminal(checked):
    name = checked("-t")
    eventually(is_now(name, "healthy"))


def test_in_the_start_period_failures_do_not_count(checked, data):
    (data / "good").unlink()
    name = checked("--health-start-period", "1h", "--health-start-interval", "50ms")
    eventually(lambda: len(health(name)["log"]) >= 4)
    assert health(name)["status"] == "starting" and health(name)["failingStreak"] == 0
    (data / "good").write_text("")
    eventually(is_now(name, "healthy"))
    (data / "good").unlink()
    eventually(is_now(name, "unhealthy"))


def test_by_hand(checked, data):
    name = checked("--health-interval", "disable")
    assert health(name)["status"] == "starting" and health(name)["log"] == []
    assert sctr("healthcheck", name).ok() == "fine"
    assert row(name)["health"] == "healthy"
    (data / "good").unlink()
    for _ in range(2):
        assert sctr("healthcheck", name).status == 1
    assert row(name)["health"] == "unhealthy" and health(name)["failingStreak"] == 2
    sctr("stop", name).ok()
    assert sctr("healthcheck", name).status == 125


def test_a_paused_one_is_not_asked(checked, data):
    name = checked("--health-timeout", "300ms", "--health-retries", "5")
    eventually(is_now(name, "healthy"))
    sctr("pause", name).ok()
    # One that was under way may yet end.
    eventually(lambda: not host("pgrep", "-f", "^cat /data/good", check=False))
    file = STATE / name / "health.json"
    before = json.loads(file.read_text())
    time.sleep(1)  # ten checks
    after = json.loads(file.read_text())
    assert after["health"] == "healthy"
    assert len({each["startUsec"] for each in after["log"]} - {each["startUsec"] for each in before["log"]}) <= 1
    sctr("unpause", name).ok()
    (data / "good").unlink()
    eventually(is_now(name, "unhealthy"))
    sctr("stop", name).ok()


def test_ready_when_healthy(rootfs, data, background):
    (data / "good").unlink()
    name = unique_name("h")
    words = ["-v", f"{data}:/data", "--health-cmd", FILE, "--health-interval", "100ms"]
    words += ["--health-retries", "1000", "--sdnotify", "healthy"]
    caller = background("sctr", "run", "-d", "--name", name, *words, "--rootfs", rootfs, "sh", "-c", WAIT)
    try:
        eventually(lambda: row(name) and row(name)["status"] == "running")
        eventually(lambda: json.loads(sctr("inspect", name).ok())[0].get("health", {}).get("log"))
        assert show(name, "ActiveState")["ActiveState"] == "activating" and caller.poll() is None
        (data / "good").write_text("")
        assert caller.wait(20) == 0
        assert show(name, "ActiveState")["ActiveState"] == "active"
    finally:
        sctr("rm", "-f", name)


def test_never_healthy(rootfs, data):
    name = unique_name("h")
    words = ["--health-cmd", "echo no database; exit 1", *FAST, "--sdnotify", "healthy"]
    done = sctr("run", "-d", "--name", name, *words, "--rootfs", rootfs, "sh", "-c", WAIT)
    done.failed(125, "unhealthy", "no database")
    assert row(name) is None


def test_none(checked, rootfs, start):
    with start() as container:
        sctr("healthcheck", container.name).failed(125, container.name, "--health-cmd")
        sctr("wait", "--condition", "healthy", container.name).failed(125, "--health-cmd")
        assert "health" not in row(container.name)
    sctr("wait", "--condition", "well", "x").failed(125, "--condition", "well", "healthy")
    sctr("healthcheck").failed(125, "no container")
    sctr("healthcheck", "nobody").failed(125, "nobody", "does not exist")


def test_it_ends_before_it_is_healthy(checked, data, background):
    (data / "good").unlink()
    name = checked("--health-retries", "1000")
    waits = background("sctr", "wait", "--condition", "healthy", name)
    eventually(lambda: health(name)["log"])
    sctr("stop", name).ok()
    assert waits.wait(20) == 125


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--health-interval", "1s"], ["--health-interval", "--health-cmd"]),
        (["--health-cmd", "x", "--health-interval", "often"], ["--health-interval", "often"]),
        (["--health-cmd", "x", "--health-retries", "0"], ["--health-retries"]),
        (["--health-cmd", "x", "--no-healthcheck"], ["--no-healthcheck"]),
        (["--health-cmd", "x", "--health-on-failure", "restart"], ["foreground", "-d"]),
        (["--health-cmd", "[x"], ["--health-cmd"]),
    ],
)
def test_flags_that_cannot_be(run, flags, words):
    run(*flags, "true").failed(125, *words)


def test_nothing_is_left(checked):
    name = checked()
    eventually(is_now(name, "healthy"))
    supervisor = int(show(name, "MainPID")["MainPID"])
    sctr("rm", "-f", name).ok()
    assert not (STATE / name).exists() and not Path(f"/proc/{supervisor}").exists()
    assert show(name, "ActiveState")["ActiveState"] == "inactive"
    assert service_of(name) not in host("systemctl", "list-units", "--failed")
