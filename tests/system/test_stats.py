# SPDX-License-Identifier: LGPL-2.1-or-later
"""sctr stats and sctr top."""

import json
import re
import subprocess

import pytest

from harness import eventually, host, sctr
from terminal import Terminal

SPIN = 'trap "exit 0" TERM; echo ready; while :; do :; done'


def stats(*words):
    return json.loads(sctr("stats", "--no-stream", "--json", *words).ok())


def test_nothing_runs():
    assert sctr("stats", "--no-stream").ok().startswith("NAME")
    assert stats() == []
    assert sctr("stats", "--format", "openmetrics").ok() == "# EOF"


def test_numbers_of_one_that_is_busy(start, controllers):
    with start(command=["sh", "-c", SPIN]) as busy, start() as idle:
        first = {row["name"]: row for row in stats()}
        assert set(first) == {busy.name, idle.name}
        assert first[busy.name]["unit"] == busy.unit
        assert first[busy.name]["cpu"]["percent"] > first[idle.name]["cpu"]["percent"]
        second = stats(busy.name)[0]
        assert second["cpu"]["usageUsec"] > first[busy.name]["cpu"]["usageUsec"]
        for controller, key in {"memory": "memory", "pids": "tasks", "io": "io"}.items():
            assert (key in second) == (controller in controllers), second
        assert second["pressure"]["cpu"]["some"]["totalUsec"] >= 0


@pytest.mark.parametrize("verb", ["stats", "top"])
def test_names_that_are_wrong(verb):
    sctr(verb, "nobody").failed(125, "nobody", "sctr ps -a")
    sctr(verb, "../etc").failed(125, "invalid container name")


def test_words_that_are_wrong():
    sctr("stats", "--format", "xml").failed(125, "--format", "openmetrics")
    sctr("stats", "-i", "0").failed(125, "-i: out of range")
    sctr("top").failed(125, "no container named")


def test_a_live_table(start):
    with start() as container, Terminal("sctr", "stats", "-i", "1", columns=120) as screen:
        for _ in range(2):
            screen.expect("\x1b\\[H")
            screen.expect("CPU-PSI")
            screen.expect(container.name)
        screen.send("\x03")
        assert screen.wait() == -2
        assert screen.is_restored()


def test_a_stream_of_json_ends_with_what_it_names(start):
    with start() as container:
        words = ["sctr", "stats", "--json", container.name]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as stream:
            for _ in range(2):
                assert json.loads(stream.stdout.readline())[0]["name"] == container.name
            sctr("stop", container.name).ok()
            stream.stdout.read()
            assert stream.wait() == 0


NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(
    rf'({NAME})\{{((?:{NAME}="(?:[^"\\\n]|\\[\\"n])*",?)*)\}} ([0-9]+(?:\.[0-9]+)?)'
)


def check_openmetrics(text):
    """Follows the grammar of OpenMetrics 1.0; returns families by name with their samples."""
    assert text.endswith("# EOF\n")
    families, seen = {}, set()
    for line in text.splitlines()[:-1]:
        if line.startswith("# "):
            _, word, name, rest = line.split(" ", 3)
            family = families.setdefault(name, {"samples": []})
            assert word in ("TYPE", "UNIT", "HELP") and word not in family, line
            assert not family["samples"], "a family is in one piece"
            family[word] = rest
            if word == "UNIT":
                assert name.endswith("_" + rest), line
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        name = match[1]
        family = families[name.removesuffix("_total")]
        assert family is list(families.values())[-1], f"{line} is not beside its family"
        assert (family["TYPE"] == "counter") == name.endswith("_total"), line
        assert (name, match[2]) not in seen, f"twice: {line}"
        seen.add((name, match[2]))
        family["samples"].append((match[2], float(match[3])))
    assert all(family["samples"] and family["HELP"] for family in families.values())
    return families


def traffic_of(name):
    """What stats says of its network, in JSON; nothing when it does not count it."""
    return stats(name)[0].get("network")


@pytest.mark.parametrize("flag", ["--ip-accounting", "--property=IPAccounting=yes"])
def test_traffic_that_the_unit_counts(start, flag):
    """Also of a container with the host's network, whose devices are everybody's."""
    command = ["sh", "-c", "echo ready; while :; do wget -q -T 1 http://127.0.0.1:9/ 2>/dev/null; sleep 0.1; done"]
    with start("--network", "host", flag, command=command) as container:
        found = eventually(lambda: (lambda at: at["receivedBytes"] and at)(traffic_of(container.name)))
        assert found["countedBy"] == "unit"
        counted = host("systemctl", "show", container.unit, "-P", "IPIngressBytes")
        assert int(counted) >= found["receivedBytes"] > 0 and found["sentPackets"] > 0
        metrics = sctr("stats", "--format", "openmetrics", container.name).ok()
        assert f'sctr_container_network_sent_bytes_total{{name="{container.name}"}} ' in metrics


def test_traffic_without_accounting(start):
    with start("--network", "host") as container:
        assert traffic_of(container.name) is None
    with start() as container:
        assert host("systemctl", "show", container.unit, "-P", "IPAccounting").strip() == "no"
        assert traffic_of(container.name)["countedBy"] == "devices"


def test_openmetrics(start, controllers):
    with start() as one, start() as other:
        families = check_openmetrics(sctr("stats", "--format", "openmetrics").out.decode())
        cpu = dict(families["sctr_container_cpu_seconds"]["samples"])
        for container in (one, other):
            for mode in ("user", "system"):
                assert cpu[f'name="{container.name}",mode="{mode}"'] >= 0
        assert ("sctr_container_memory_bytes" in families) == ("memory" in controllers)
        waiting = dict(families["sctr_container_pressure_waiting_seconds"]["samples"])
        assert f'name="{one.name}",resource="cpu"' in waiting
        alone = sctr("stats", "--format", "openmetrics", other.name).ok()
        assert one.name not in alone and other.name in alone


def test_top(start):
    with start() as container:
        lines = sctr("top", container.name).lines
        assert lines[0].split()[:2] == ["UID", "PID"]
        assert str(container.init()) == lines[1].split()[1]
        eventually(lambda: len(sctr("top", container.name).lines) == 3, what="its child")
        pids = sctr("top", container.name, "-o", "pid,comm").lines
        assert pids[0].split() == ["PID", "COMMAND"] and len(pids) == 3
        wide = sctr("top", container.name, "aux").lines
        assert any("sleep 1000" in line for line in wide)
        sctr("top", container.name, "-o", "comm").failed(125, "no column PID")


def test_top_sees_those_that_moved_to_a_cgroup_below(start):
    """As an init system in the container does."""
    with start() as container:
        below = container.cgroup() / "below"
        below.mkdir()
        file = container.cgroup() / "cgroup.procs"
        eventually(lambda: len(file.read_text().split()) == 2, what="its child")
        pids = sorted(file.read_text().split(), key=int)
        for pid in pids:
            (below / "cgroup.procs").write_text(pid)
        assert eventually(lambda: host("cat", f"/proc/{container.init()}/cgroup")).endswith("below\n")
        rows = [line.split()[1] for line in sctr("top", container.name).lines[1:]]
        assert sorted(rows, key=int) == pids
        assert stats(container.name)[0]["unit"] == container.unit
