# SPDX-License-Identifier: LGPL-2.1-or-later
"""create, start, state, kill, delete, run, list, ps, pause, resume: runtime.md and runc's habits."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import engine
from engine import oci, refused
from harness import CGROUP, WAIT, eventually, host, unique_name


def test_the_life_of_a_container(container):
    one = container("sh", "-c", WAIT)
    state = one.state()
    assert state["id"] == one.id and state["status"] == "created" and state["pid"] == one.pid
    assert state["bundle"] == str(one.bundle) and state["ociVersion"] == "1.3.0"
    assert state["owner"] == "root" and "created" in state
    assert one.text() == ""
    one.start().expect("ready")
    assert one.status() == "running"
    oci("kill", one.id, "TERM").ok()
    one.stopped()
    assert one.state()["pid"] == 0
    oci("delete", one.id).ok()
    refused(oci("state", one.id), "does not exist", one.id)


def test_the_command_runs_at_start_and_not_before(container):
    one = container("sh", "-c", "echo it ran")
    assert one.text() == ""
    one.start().expect("it ran")
    one.stopped()


@pytest.mark.parametrize(
    "args, words",
    [
        (["no-such-command"], ['exec: "no-such-command": executable file not found in $PATH']),
        (["/no/such/command"], ["/no/such/command", "No such file or directory"]),
        (["/etc"], ["/etc", "it is a directory", "Permission denied"]),
        (["/etc/passwd"], ["/etc/passwd", "Permission denied"]),
    ],
)
def test_create_fails_for_a_command_that_cannot_run(bundle, args, words):
    name = unique_name()
    refused(oci("create", "--bundle", bundle(*args), name), *words)
    refused(oci("state", name), "does not exist")


def test_an_exec_that_fails_is_the_error_of_start(bundle, own_rootfs, container):
    (own_rootfs / "script").write_text("#!/no/such/interpreter\n")
    (own_rootfs / "script").chmod(0o755)
    one = container("/script", root={"path": str(own_rootfs)})
    refused(oci("start", one.id), "/script", "interpreter")
    one.stopped()


def test_start_wants_a_created_container(container):
    one = container("sh", "-c", WAIT).start().expect("ready")
    refused(oci("start", one.id), "cannot start", "running")
    oci("kill", one.id, "KILL").ok()
    one.stopped()
    refused(oci("start", one.id), "cannot start", "stopped")


def test_delete_wants_a_stopped_container(container):
    one = container("sh", "-c", WAIT)
    refused(oci("delete", one.id), "created and not stopped")
    one.start().expect("ready")
    refused(oci("delete", one.id), "running and not stopped")
    oci("delete", "--force", one.id).ok()
    refused(oci("state", one.id), "does not exist")


def test_delete_force_of_nothing_is_fine():
    oci("delete", "--force", unique_name()).ok()
    refused(oci("delete", unique_name()), "does not exist")


def test_a_created_container_can_be_killed(container):
    one = container("sh", "-c", WAIT)
    oci("kill", one.id, "KILL").ok()
    one.stopped()
    oci("delete", one.id).ok()


@pytest.mark.parametrize("name", ["KILL", "SIGKILL", "9", "kill"])
def test_signals_by_name_and_number(container, name):
    one = container("sleep", "1000").start()
    oci("kill", one.id, name).ok()
    one.stopped()


def test_kill_says_when_it_is_too_late(container):
    one = container("true").start().stopped()
    refused(oci("kill", one.id, "9"), "container not running")
    oci("kill", "--all", one.id, "9").ok()
    refused(oci("kill", one.id, "NONSENSE"), "NONSENSE")
    refused(oci("kill", unique_name(), "9"), "does not exist")


def test_kill_all_reaches_every_process(container):
    one = container("sh", "-c", "trap : TERM; sh -c 'trap \"echo child; exit\" TERM; echo ready; while :; do sleep 0.1; done' & wait; wait")
    one.start().expect("ready")
    oci("kill", "--all", one.id, "TERM").ok()
    one.expect("child")


def test_kill_all_without_a_pid_namespace(container):
    kinds = [{"type": kind} for kind in ("mount", "uts", "ipc", "network", "cgroup")]
    one = container("sh", "-c", "sleep 1000 & echo ready; exec sleep 1000", linux={"namespaces": kinds})
    one.start().expect("ready")
    pids = json.loads(oci("ps", "--format", "json", one.id).ok())
    assert len(pids) == 2
    oci("kill", one.id, "KILL").ok()
    one.stopped()
    oci("delete", one.id).ok()
    eventually(lambda: not any(Path(f"/proc/{pid}/root").exists() for pid in pids))


def test_names_are_taken_until_delete(container, bundle):
    one = container("true").start().stopped()
    refused(oci("create", "--bundle", one.bundle, one.id), "in use", one.id)


@pytest.mark.parametrize("name", ["", "a/b", "..", ".", "-a", "a b", "a\nb", "x" * 129])
def test_bad_ids(bundle, name):
    result = oci("create", "--bundle", bundle("true"), "--", name)
    assert result.status == 1 and result.stderr.startswith("sctr-oci: "), result


@pytest.mark.parametrize("name", ["_a", "a+b", "A.b-c_d", "x" * 128])
def test_ids_that_engines_use(bundle, name):
    assert oci("run", "--bundle", bundle("echo", "hi"), name).ok() == "hi"


def test_pause_and_resume(container):
    one = container("sh", "-c", "echo ready; while :; do date +%N; sleep 0.01; done").start().expect("ready")
    oci("pause", one.id).ok()
    assert one.status() == "paused"
    size = len(one.text())
    time.sleep(0.1)
    assert len(one.text()) == size
    refused(oci("pause", one.id), "paused")
    refused(one.exec("true"), "paused", "--ignore-paused", status=255)
    oci("resume", one.id).ok()
    eventually(lambda: len(one.text()) > size)
    refused(oci("resume", one.id), "running")


def test_exec_in_a_paused_container(container):
    """As with runc, the command waits in the container until that goes on."""
    one = container("sleep", "1000").start()
    oci("pause", one.id).ok()
    command = ["sctr-oci", "exec", "--ignore-paused", one.id, "echo", "went on"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as waits:
        eventually(lambda: len(json.loads(oci("ps", "-f", "json", one.id).ok())) == 2, what="the command's process")
        oci("resume", one.id).ok()
        assert waits.communicate(timeout=20)[0] == "went on\n"
    assert waits.returncode == 0


def test_a_paused_container_can_be_killed_and_deleted(container):
    one = container("sleep", "1000").start()
    oci("pause", one.id).ok()
    oci("delete", "--force", one.id).ok()
    refused(oci("state", one.id), "does not exist")


def test_list(container):
    one = container("sleep", "1000").start()
    two = container("true").start().stopped()
    header, *lines = oci("list").ok().splitlines()
    assert header.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    shown = {line.split()[0]: line.split()[1:3] for line in lines}
    assert shown[one.id] == [str(one.pid), "running"] and shown[two.id] == ["0", "stopped"]
    assert {one.id, two.id} <= set(oci("list", "-q").lines)
    by_id = {each["id"]: each for each in json.loads(oci("list", "--format", "json").ok())}
    assert by_id[one.id] == one.state()
    refused(oci("list", "--format", "yaml"), "yaml", "table or json")


def test_list_of_nothing(tmp_path):
    assert oci("--root", tmp_path / "none", "list").lines[1:] == []
    assert json.loads(oci("--root", tmp_path / "none", "list", "-f", "json").ok()) == []


def test_ps(container):
    one = container("sh", "-c", "sleep 1000 & echo ready; wait").start().expect("ready")
    pids = json.loads(oci("ps", "--format", "json", one.id).ok())
    assert pids[0] == one.pid and len(pids) == 2
    header, *lines = oci("ps", one.id).ok().splitlines()
    assert "PID" in header.split() and len(lines) == 2
    header, *lines = oci("ps", one.id, "-o", "pid,comm").ok().splitlines()
    assert header.split() == ["PID", "COMMAND"] and {line.split()[1] for line in lines} <= {"sh", "sleep", "busybox"}
    refused(oci("ps", unique_name()), "does not exist")


def test_run_in_the_foreground(bundle):
    name = unique_name()
    path = bundle("sh", "-c", "echo out; echo err >&2; read line; echo $line; exit 3")
    result = oci("run", "--bundle", path, name, input=b"in\n")
    assert (result.status, result.stdout, result.stderr) == (3, "out\nin\n", "err\n")
    refused(oci("state", name), "does not exist")


def test_run_passes_signals_on(bundle):
    name = unique_name()
    command = ["sctr-oci", "run", "--bundle", bundle("sh", "-c", WAIT), name]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.stdout.close()


def test_run_detached(bundle, tmp_path):
    name = unique_name()
    pid_file = tmp_path / "pid"
    with open(os.devnull, "wb") as null:
        done = subprocess.run(
            ["sctr-oci", "run", "-d", "--pid-file", pid_file, "--bundle", bundle("sleep", "1000"), name],
            stdin=null, stdout=null, stderr=null, timeout=20,
        )  # fmt: skip
    assert done.returncode == 0
    state = json.loads(oci("state", name).ok())
    assert state["status"] == "running" and pid_file.read_text() == str(state["pid"])
    oci("delete", "--force", name).ok()


def test_run_keeps_the_state_if_asked(bundle):
    name = unique_name()
    oci("run", "--keep", "--bundle", bundle("true"), name).ok()
    assert json.loads(oci("state", name).ok())["status"] == "stopped"
    oci("delete", name).ok()


def test_another_state_root(bundle, tmp_path):
    name = unique_name()
    root = tmp_path / "state"
    with open(os.devnull, "wb") as null:
        subprocess.run(
            ["sctr-oci", "--root", root, "create", "--bundle", bundle("true"), name],
            stdin=null, stdout=null, stderr=null, check=True, timeout=20,
        )  # fmt: skip
    assert (root / name).is_dir()
    refused(oci("state", name), "does not exist")
    oci("--root", root, "delete", "--force", name).ok()


@pytest.mark.parametrize(
    "path, slice_, unit",
    [
        ("", "sctr.slice", "sctr-{}.scope"),
        ("machine.slice:libpod:{}", "machine.slice", "libpod-{}.scope"),
        ("a-b.slice:cri:{}", "a.slice/a-b.slice", "cri-{}.scope"),
        ("/some/{}", "sctr.slice", "{}.scope"),
    ],
)
def test_the_scope_is_where_cgroups_path_says(bundle, path, slice_, unit):
    made = engine.Container(bundle("sleep", "1000"))
    config = json.loads((made.bundle / "config.json").read_text())
    config["linux"]["cgroupsPath"] = path.format(made.id)
    (made.bundle / "config.json").write_text(json.dumps(config))
    made.create()
    try:
        assert str(made.pid) in (CGROUP / slice_ / unit.format(made.id) / "cgroup.procs").read_text().split()
    finally:
        oci("delete", "--force", made.id).ok()


def test_properties_by_annotation(container):
    annotations = {
        "org.systemd.property.TimeoutStopUSec": "uint64 7000000",
        "org.systemd.property.KillSignal": "10",
        "org.systemd.property.After": "['local-fs.target']",
        "org.systemd.property.CollectMode": "'inactive'",
        "org.systemd.property.RuntimeMaxSec": "5000",
    }
    one = container("sleep", "1000", annotations=annotations)
    names = "TimeoutStopUSec,KillSignal,After,CollectMode,RuntimeMaxUSec"
    shown = host("systemctl", "show", f"sctr-{one.id}.scope", "-p", names)
    for line in ("TimeoutStopUSec=7s", "KillSignal=10", "CollectMode=inactive", "RuntimeMaxUSec=1h 23min 20s"):
        assert line in shown.splitlines(), shown
    assert "local-fs.target" in shown
    assert one.state()["annotations"] == annotations


def test_a_bad_annotation_is_an_error_before_anything_is_made(bundle):
    path = bundle("true", annotations={"org.systemd.property.TasksMax": "uint64 many"})
    refused(oci("run", "--bundle", path, unique_name()), "org.systemd.property.TasksMax", "many")


def test_messages_in_the_log_as_engines_read_them(tmp_path):
    log = tmp_path / "log"
    name = unique_name()
    refused(oci("--log", log, "--log-format", "json", "state", name), "does not exist")
    entry = json.loads(log.read_text())
    assert entry["level"] == "error" and "does not exist" in entry["msg"]
    assert entry["time"].endswith("Z") and "T" in entry["time"]
    log.unlink()
    refused(oci("--log", log, "state", name), "does not exist")
    assert "level=error msg=" in log.read_text()


@pytest.mark.parametrize(
    "words, expected",
    [
        (["--cgroup-manager", "cgroupfs", "list"], ["cgroupfs", "never makes them"]),
        (["--cgroup-manager", "nonsense", "list"], ["nonsense", "systemd or disabled"]),
        (["--log-format", "xml", "list"], ["xml", "text or json"]),
        (["nonsense"], ["unknown command 'nonsense'"]),
        (["create", "--nonsense", "x"], ["unknown flag '--nonsense'"]),
        (["create"], ["create takes one container id"]),
        (["start", "a", "b"], ["start takes one container id", "'b'"]),
        (["create", "--bundle", "/no/such/bundle", "x"], ["/no/such/bundle", "No such file"]),
    ],
)
def test_bad_words(words, expected):
    refused(oci(*words), *expected)


def test_version_and_help():
    text = oci("--version").ok()
    assert text.startswith("sctr-oci version ") and "\nspec: 1." in text
    assert "create" in oci("--help").ok()
    for verb in ("create", "start", "run", "exec", "kill", "delete", "pause", "resume", "state",
                 "list", "ps", "update", "features", "spec"):  # fmt: skip
        assert verb in oci(verb, "--help").ok()


def test_features():
    features = json.loads(oci("features").ok())
    assert features["ociVersionMax"].startswith("1.3") and features["linux"]["cgroup"]["systemd"]
    assert "ro" in features["mountOptions"] and "rro" in features["mountOptions"]


def test_spec_does_not_overwrite(tmp_path):
    oci("spec", "--bundle", tmp_path).ok()
    refused(oci("spec", "--bundle", tmp_path), "config.json", "File exists")
    (tmp_path / "config.json").unlink()
    oci("spec", "--rootless", cwd=tmp_path).ok()
    config = json.loads((tmp_path / "config.json").read_text())
    assert {"type": "user"} in config["linux"]["namespaces"]


@pytest.mark.parametrize("how", ["limits", "json"])
def test_update(container, how):
    one = container("sleep", "1000").start()
    if how == "json":
        resources = {"pids": {"limit": 33}, "cpu": {"shares": 512}}
        oci("update", "--resources", "-", one.id, input=json.dumps(resources).encode()).ok()
    else:
        oci("update", "--pids-limit", "33", "--cpu-share", "512", one.id).ok()
    shown = host("systemctl", "show", f"sctr-{one.id}.scope", "-p", "TasksMax,CPUWeight")
    assert set(shown.split()) == {"TasksMax=33", "CPUWeight=59"}
    host("systemctl", "daemon-reload")
    assert set(host("systemctl", "show", f"sctr-{one.id}.scope", "-p", "TasksMax,CPUWeight").split()) == set(shown.split())


def test_bad_updates(container):
    one = container("sleep", "1000").start()
    refused(oci("update", "--pids-limit", "many", one.id), "--pids-limit", "many")
    refused(oci("update", "--resources", "-", one.id, input=b"{"), "invalid resources", "line 1")
    refused(oci("update", "--resources", "/no/such/file", one.id), "/no/such/file")
    refused(oci("update", "--pids-limit", "5", unique_name()), "does not exist")


def test_a_daemon_reload_takes_no_limit_away(container):
    one = container("sleep", "1000", linux={"resources": {"memory": {"limit": 64 << 20, "swap": 64 << 20}}})
    names = "MemoryMax,MemorySwapMax"
    before = host("systemctl", "show", f"sctr-{one.id}.scope", "-p", names)
    assert set(before.split()) == {f"MemoryMax={64 << 20}", "MemorySwapMax=0"}
    host("systemctl", "daemon-reload")
    assert host("systemctl", "show", f"sctr-{one.id}.scope", "-p", names) == before
