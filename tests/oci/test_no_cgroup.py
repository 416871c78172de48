# SPDX-License-Identifier: LGPL-2.1-or-later
"""--cgroup-manager disabled: a container without a scope, in the cgroup of whoever starts it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import engine
from engine import oci, refused
from harness import WAIT, eventually, host, unique_name


class Container(engine.Container):
    def create(self, *flags):
        pid_file = self.bundle / "pid"
        with open(self.output, "ab") as output:
            subprocess.run(
                ["sctr-oci", "--cgroup-manager", "disabled", "create", "--bundle", self.bundle,
                 "--pid-file", pid_file, *flags, self.id],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=20, check=True,
            )  # fmt: skip
        self.pid = int(pid_file.read_text())
        return self


@pytest.fixture
def loose(bundle):
    """loose(ARGS, ...): a created container without a scope."""
    made = []

    def create(*args, **options):
        made.append(Container(bundle(*args, **options)).create())
        return made[-1]

    yield create
    for each in made:
        oci("delete", "--force", each.id).ok()
        each.reap()


def cgroup_of(pid):
    return Path(f"/proc/{pid}/cgroup").read_text()


def gone(pid):
    return not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text()


def test_it_stays_in_the_cgroup_of_its_caller(loose):
    one = loose("sh", "-c", WAIT)
    assert cgroup_of(one.pid) == cgroup_of("self")
    one.start().expect("ready")
    assert cgroup_of(one.pid) == cgroup_of("self")
    assert one.id not in host("systemctl", "list-units", "--all", "--plain", "--no-legend", "*.scope")
    assert one.status() == "running"
    oci("kill", one.id, "TERM").ok()
    one.stopped()
    oci("delete", one.id).ok()


def test_ps_and_kill_all_know_what_belongs_to_it(loose):
    one = loose("sh", "-c", "sleep 1000 & (sleep 1000 & wait) & echo ready; wait").start().expect("ready")
    added = subprocess.Popen(["sctr-oci", "exec", one.id, "sleep", "1000"], stdin=subprocess.DEVNULL)
    pids = eventually(lambda: (found := json.loads(oci("ps", "-f", "json", one.id).ok())) and len(found) == 5 and found)
    assert pids[0] == one.pid and os.getpid() not in pids
    assert one.exec("cat", "/proc/self/cgroup").status == 0
    oci("kill", "--all", one.id, "KILL").ok()
    added.wait(20)
    one.stopped()
    assert all(gone(pid) for pid in pids)


def test_without_a_pid_namespace_its_descendants_belong_to_it(loose):
    kinds = [{"type": kind} for kind in ("mount", "uts", "ipc", "network")]
    one = loose("sh", "-c", "sleep 1000 & echo ready; wait", linux={"namespaces": kinds}).start().expect("ready")
    pids = json.loads(oci("ps", "-f", "json", one.id).ok())
    assert len(pids) == 2
    oci("delete", "--force", one.id).ok()
    eventually(lambda: all(gone(pid) for pid in pids))


@pytest.mark.parametrize(
    "verb, words",
    [
        (["pause"], "pause"),
        (["resume"], "unpause"),
        (["update", "--pids-limit", "5"], "limits"),
        (["events", "--stats"], "statistics"),
    ],
)
def test_what_needs_a_cgroup_says_so(loose, verb, words):
    one = loose("sh", "-c", WAIT).start().expect("ready")
    result = oci(*verb, one.id)
    refused(result, "cannot", one.id)
    assert "cgroup" in result.stderr or verb == ["resume"], result
    assert one.status() == "running"


def test_run_in_the_foreground(bundle):
    result = oci("--cgroup-manager", "disabled", "run", "--bundle", bundle("sh", "-c", "cat /proc/self/cgroup; exit 3"), unique_name())
    assert result.status == 3 and "0::/" in result.lines


def test_a_failed_start_leaves_nothing(bundle):
    name = unique_name()
    refused(oci("--cgroup-manager", "disabled", "create", "--bundle", bundle("no-such"), name), "no-such")
    refused(oci("state", name), "does not exist")
