# SPDX-License-Identifier: LGPL-2.1-or-later
"""Processes that die at the wrong moment: what is left, and what the next command makes of it."""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

import bundles
import leftovers
from harness import DEADLINE, STATE, WAIT, children, eventually, host, sctr, unique_name, unit_of

# How far a start has come, as seen from outside.
MOMENTS = {
    "at once": lambda name: True,
    "with a record": lambda name: (STATE / name).exists(),
    "with a state": lambda name: (STATE / name / "state.json").exists(),
    "with a scope": lambda name: os.path.exists(f"/sys/fs/cgroup/sctr.slice/{unit_of(name)}"),
}


@pytest.fixture
def launch(rootfs, background):
    def begin(name, *flags, command=("sh", "-c", WAIT), **options):
        return background(
            "sctr", "run", "--name", name, "--rootfs", rootfs, *flags, "--", *command,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )  # fmt: skip

    return begin


def end_of(name):
    """Ends what a killed supervisor has left running."""
    sctr("rm", "-f", name)
    assert not (STATE / name).exists()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_sctr_ends_during_the_start(launch, run, moment, number):
    name = unique_name()
    process = launch(name, command=("sh", "-c", WAIT.replace("TERM", "TERM INT HUP")))
    eventually(lambda: MOMENTS[moment](name) or process.poll() is not None)
    process.send_signal(number)
    expected = -number if number == signal.SIGKILL else 128 + number
    # The command may have run by then, and ends in order if it has set its traps.
    try:
        assert process.wait(5) in (expected, -number, 0), process.stderr.read()
    except subprocess.TimeoutExpired:
        # It had not: the kernel drops what a first process has no handler for.
        assert number != signal.SIGKILL
        sctr("kill", name).ok()
        assert process.wait(20) == 128 + signal.SIGKILL
    # The name is free at once, or whoever has it is known and can be removed.
    result = run("--name", name, "echo", "next")
    if result.status != 0:
        result.failed(125, "in use", name)
        end_of(name)
        assert run("--name", name, "echo", "next").ok() == "next"


def test_what_killed_starts_left_goes_with_the_next(launch, run):
    """systemd may move a process that has just died: such a scope does not end by itself."""
    names = [unique_name() for _ in range(40)]
    for number, name in enumerate(names):
        process = launch(name)
        moment = list(MOMENTS.values())[number % len(MOMENTS)]
        eventually(lambda: moment(name) or process.poll() is not None)
        process.kill()
        process.wait()

    def all_are_gone():
        run("true").ok()
        return not leftovers.records() and all(is_gone(name) for name in names)

    eventually(all_are_gone, what="the end of the scopes")


def is_gone(name):
    return not os.path.exists(f"/sys/fs/cgroup/sctr.slice/{unit_of(name)}")


def test_the_container_dies_with_its_killed_supervisor(launch, run):
    name = unique_name()
    process = launch(name, command=["sh", "-c", "sleep 1000 & echo ready; sleep 1000"])
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait()
    eventually(lambda: is_gone(name), what="the end of the scope")
    assert sctr("ps", "-q").ok() == ""
    sctr("exec", name, "true").failed(125, name)
    # Nobody was there to take the record away: the next start does.
    run("true").ok()
    assert not (STATE / name).exists()


def test_a_shared_pid_namespace_dies_with_its_killed_supervisor(launch):
    name = unique_name()
    command = ["sh", "-c", "sleep 1000 & echo ready; sleep 1000"]
    process = launch(name, "--pid", "host", command=command)
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait()
    end_of(name)
    eventually(lambda: is_gone(name), what="the end of the scope")


def test_a_name_is_free_after_everything_died(launch, run):
    name = unique_name()
    process = launch(name)
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait()
    eventually(lambda: run("--name", name, "echo", "again").status == 0)


def test_the_terminal_hangs_up_when_the_supervisor_is_killed(terminal):
    with terminal("sh", "-c", "echo ready; exec sleep 1000") as screen:
        screen.expect("ready")
        screen.signal(signal.SIGKILL)
        screen.process.wait(20)
        eventually(lambda: is_gone(screen.name), what="the end of the scope")


def test_a_scope_without_a_record_can_be_removed(background, run):
    """What a start leaves whose sctr and first process were killed while systemd worked."""
    name = unique_name()
    background("systemd-run", "--scope", "--slice", "sctr", "--unit", unit_of(name), "sleep", "1000")
    eventually(lambda: not is_gone(name))
    run("--name", name, "true").failed(125, "in use", "sctr rm -f")
    sctr("rm", "-f", name).ok()
    assert run("--name", name, "echo", "free").ok() == "free"


def test_init_is_killed(start):
    with start() as container:
        os.kill(container.init(), signal.SIGKILL)
        assert container.wait() == 137
        assert not container.state.exists()


def test_every_process_of_the_scope_is_killed(start):
    with start() as container:
        host("systemctl", "kill", "-s", "KILL", container.unit)
        assert container.wait() == 137


def test_init_is_killed_during_the_set_up(launch):
    """A name is reused at once, whatever step the first process had come to."""
    for _ in range(20):
        name = unique_name()
        process = launch(name)
        # Its first child is not always sctr-init (see linux/cgroup_lock.hpp).
        eventually(lambda: kill_children(process.pid) or process.poll() is not None)
        status = process.wait(20)
        error = process.stderr.read().decode()
        assert status in (125, 137), error
        assert status == 137 or error.startswith("sctr: "), error
        assert error.count("\n") <= 1, error


def kill_children(pid):
    for child in children(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_a_failed_unit_of_the_name_does_not_block(run):
    name = unique_name()
    unit = unit_of(name)
    # Without CollectMode a scope that ran out of time stays loaded as failed.
    host("systemd-run", "--scope", "--unit", unit, "-p", "RuntimeMaxSec=100ms", "sleep", "1000", check=False)
    eventually(lambda: host("systemctl", "is-failed", unit, check=False).strip() == "failed")
    assert run("--name", name, "echo", "free").ok() == "free"


def test_a_name_is_reused_at_once(run):
    for number in range(20):
        assert run("--name", "again", "echo", number).ok() == str(number)


def test_a_name_is_reused_after_failures(run):
    for _ in range(10):
        run("--name", "again", "no-such-command").failed(127)
        assert run("--name", "again", "true").status == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id": 1}', "\0" * 100])
def test_a_damaged_record(run, content):
    name = unique_name()
    (STATE / name).mkdir(parents=True)
    (STATE / name / "state.json").write_text(content)
    assert sctr("ps", "-a", "-q").ok() == ""
    sctr("kill", name).failed(125, name)
    assert run("--name", name, "echo", "free").ok() == "free"


def test_a_record_of_another_boot(run):
    name = unique_name()
    run("--name", name, "--rm=false", "true").ok()
    file = STATE / name / "state.json"
    record = json.loads(file.read_text())
    record.update(bootId="of another boot", pid=1, startTime=0)
    del record["exitStatus"]
    file.write_text(json.dumps(record))
    assert sctr("ps", "-q").ok() == ""
    sctr("kill", name).failed(125, name)
    assert run("--name", name, "echo", "free").ok() == "free"


def started_after(ticks, process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return process if int(fields[19]) > ticks else None  # the 22nd of all; proc_pid_stat(5)


def test_what_has_ended_is_stopped_whoever_has_its_pid(run, background):
    name = unique_name()
    run("--name", name, "--rm=false", "true").ok()
    file = STATE / name / "state.json"
    record = json.loads(file.read_text())
    bystander = background("sleep", "1000")
    record.update(pid=bystander.pid, startTime=int(Path(f"/proc/{bystander.pid}/stat").read_text().split()[21]))
    file.write_text(json.dumps(record))
    assert sctr("ps", "-q").ok() == ""
    sctr("rm", name).ok()
    assert bystander.poll() is None


def test_a_record_whose_pid_is_somebody_elses(run, background):
    name = unique_name()
    run("--name", name, "--rm=false", "true").ok()
    file = STATE / name / "state.json"
    record = json.loads(file.read_text())
    del record["exitStatus"]
    # Times of processes are in ticks of 10 ms; a pid comes again later than that.
    bystander = eventually(lambda: started_after(record["startTime"], background("sleep", "1000")))
    record.update(pid=bystander.pid)
    file.write_text(json.dumps(record))
    assert sctr("ps", "-q").ok() == ""
    sctr("kill", name).failed(125, name)
    assert not (STATE / name).exists(), "it is swept as what was killed"
    assert bystander.poll() is None


def test_two_starts_of_one_name(launch):
    name = unique_name()
    processes = [launch(name, command=["sh", "-c", WAIT]) for _ in range(5)]
    try:
        eventually(lambda: [p.poll() for p in processes].count(None) == 1)
        for process in processes:
            if process.poll() is not None:
                assert process.returncode == 125
                assert "in use" in process.stderr.read().decode()
            else:
                assert process.stdout.readline() == b"ready\n"
        assert sctr("ps", "-q").lines == [name]
    finally:
        eventually(lambda: sctr("kill", name).status == 0 or not leftovers.records())
        for process in processes:
            process.wait(20)
        for process in processes:
            process.wait(20)  # killed earlier, the last one could not remove the record


def test_systemctl_stop_during_the_start(launch):
    """Whoever wins, nothing hangs and nothing stays."""
    for _ in range(5):
        name = unique_name()
        # A signal that comes before the trap is lost on the first process of a pid namespace.
        process = launch(name, "--stop-timeout", "1")
        eventually(lambda: MOMENTS["with a scope"](name) or process.poll() is not None)
        host("systemctl", "stop", unit_of(name), check=False)
        status = process.wait(20)
        error = process.stderr.read().decode()
        assert status in (0, 125, 137, 143), (status, error)
        assert error.count("\n") <= 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_while_another_job_holds_the_scope_back(launch, number):
    """As it is for a service that is told to stop while it starts: the scope's job waits for its end."""
    name, slow = unique_name(), unique_name("slow") + ".service"
    host("systemd-run", "--no-block", "--unit", slow, "-p", "Type=oneshot", "sleep", "1000")
    try:
        process = launch(name, "-p", f"After={slow}")
        eventually(lambda: unit_of(name) in host("systemctl", "list-jobs", "--no-legend"))
        process.send_signal(number)
        assert process.wait(DEADLINE) == 128 + number
        assert process.stderr.read() == b""
        assert unit_of(name) not in host("systemctl", "list-jobs", "--no-legend")
        assert not (STATE / name).exists()
    finally:
        host("systemctl", "stop", slow)


@pytest.mark.parametrize("hook", ["prestart", "createRuntime", "createContainer", "startContainer"])
def test_init_is_killed_while_a_hook_runs(bundle, tmp_path, background, hook):
    """Before the cgroup is entered, after it, and right before the command."""
    seen = tmp_path / "seen"
    seen.mkdir()
    where = "/seen" if hook == "startContainer" else seen
    shell = "/bin/sh"
    script = f"touch {where}/now; until test -e {where}/on; do sleep 0.02; done"
    bundle.config["hooks"] = {hook: [{"path": shell, "args": ["sh", "-c", script]}]}
    bundle.config["mounts"].append(
        {"destination": "/seen", "type": "bind", "source": str(seen), "options": ["bind", "rw"]}
    )
    bundle.write("true")
    words = ["sctr-oci", "run", "--bundle", bundle.path, bundle.name]
    process = background(*words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    eventually((seen / "now").exists)
    state = Path("/run/sctr-oci") / bundle.name / "state.json"
    os.kill(json.loads(state.read_text())["pid"], signal.SIGKILL)
    (seen / "on").touch()
    status = process.wait(20)
    error = process.stderr.read().decode()
    # As if it had been the command; or the step that needed it says so.
    assert (status, bool(error)) in ((137, False), (1, True)), error
    assert error.count("\n") <= 1, error
    eventually(lambda: not state.parent.exists())
    eventually(lambda: is_gone(bundle.name))
    bundle.config["hooks"] = {}
    assert bundle.run("echo", "free").ok() == "free"


def test_a_created_container_whose_init_is_killed(bundle):
    bundle.create("true").ok()
    state = Path("/run/sctr-oci") / bundle.name / "state.json"
    os.kill(json.loads(state.read_text())["pid"], signal.SIGKILL)

    def status():
        return json.loads(bundles.sctr_oci("state", bundle.name).ok())["status"]

    eventually(lambda: status() == "stopped")
    refused = bundles.sctr_oci("start", bundle.name)
    assert refused.status == 1 and "stopped" in refused.stderr
    bundles.sctr_oci("delete", bundle.name).ok()
    assert bundle.run("echo", "free").ok() == "free"


@pytest.mark.parametrize("lost", ["config.json", "start"])
def test_an_engines_container_of_which_a_file_is_lost(bundle, lost):
    """sctr-oci may be killed between two of them."""
    bundle.create().ok()
    (Path("/run/sctr-oci") / bundle.name / lost).unlink()
    refused = bundles.sctr_oci("start", bundle.name)
    assert refused.status == 1 and bundle.name in refused.stderr
    bundles.sctr_oci("kill", bundle.name, "KILL").ok()
    bundles.sctr_oci("delete", "--force", bundle.name).ok()
    assert bundles.sctr_oci("state", bundle.name).status == 1
