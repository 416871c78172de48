# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory flags that only systemd offers, and statistics, with controllers that count."""

import json

import pytest

from harness import eventually, sctr

SLOW = 120


def events(container):
    text = (container.cgroup() / "memory.events").read_text()
    return {name: int(count) for name, count in map(str.split, text.splitlines())}


@pytest.mark.controllers("memory")
def test_memory_high_slows_down_and_does_not_kill(start):
    eat = 'echo ready; head -c 64m /dev/zero | tail -c 64m > /dev/null; echo "got $?"; sleep 1000'
    with start("--memory-high", "16m", command=["sh", "-c", eat]) as container:
        eventually(lambda: events(container)["high"] > 0, deadline=SLOW)
        assert events(container)["oom_kill"] == 0
        assert container.process.poll() is None


@pytest.mark.controllers("memory")
@pytest.mark.parametrize("policy, out", [("continue", "child 137\n"), ("kill", "")])
def test_oom_policy(run, policy, out):
    script = 'tail /dev/zero; echo "child $?"'
    result = run("-m", "32m", "--oom-policy", policy, "sh", "-c", script, timeout=SLOW)
    assert (result.status, result.stdout) == (0 if out else 137, out), result


@pytest.mark.controllers("memory")
def test_oom_policy_stop_asks_it_to_end(start):
    script = 'trap "echo asked; exit 5" TERM; echo ready; tail /dev/zero; while :; do sleep 1; done'
    with start("-m", "32m", "--oom-policy", "stop", command=["sh", "-c", script]) as container:
        container.expect("asked\n", deadline=SLOW)
        assert container.wait(SLOW) == 5


@pytest.mark.controllers("memory")
def test_memory_zswap_max(start):
    with start("--memory-zswap-max", "0") as container:
        file = container.cgroup() / "memory.zswap.max"
        if not file.exists():
            pytest.skip("this kernel has no zswap")
        assert file.read_text() == "0\n"


@pytest.mark.controllers("memory", "pids", "io")
def test_statistics(start):
    with start("-m", "64m", "--pids-limit", "20") as container:
        eventually(lambda: (container.cgroup() / "pids.current").read_text() == "2\n", what="its child")
        row = json.loads(sctr("stats", "--no-stream", "--json", container.name).ok())[0]
        assert row["memory"]["limit"] == 64 << 20 and 0 < row["memory"]["usage"] < 64 << 20
        assert row["tasks"] == {"current": 2, "limit": 20}
        assert isinstance(row["io"], list)
        line = sctr("stats", "--no-stream", container.name).lines[1]
        assert "/ 64.0M" in line and "2 / 20" in line
        metrics = sctr("stats", "--format", "openmetrics").lines
        assert f'sctr_container_memory_limit_bytes{{name="{container.name}"}} {64 << 20}' in metrics
        assert f'sctr_container_tasks{{name="{container.name}"}} 2' in metrics
