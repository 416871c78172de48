# SPDX-License-Identifier: LGPL-2.1-or-later
"""What config.json says of the process: scheduling, limits, ids, labels; and its network devices."""

import os

import pytest

from harness import host, unique_name

STAT = "cut -d' ' -f19,40,41 /proc/self/stat"  # nice, real-time priority, policy


def failed(result, *words):
    assert result.status != 0, result
    for word in words:
        assert word in result.stderr, f"no {word!r} in {result}"


@pytest.mark.parametrize(
    ("scheduler", "stat"),
    [
        ({"policy": "SCHED_OTHER", "nice": 5}, "5 0 0"),
        ({"policy": "SCHED_BATCH", "nice": -5}, "-5 0 3"),
        ({"policy": "SCHED_IDLE"}, "0 0 5"),
        ({"policy": "SCHED_FIFO", "priority": 7}, "0 7 1"),
        ({"policy": "SCHED_RR", "priority": 3}, "0 3 2"),
    ],
)
def test_scheduler(bundle, scheduler, stat):
    bundle.process["scheduler"] = scheduler
    assert bundle.run("sh", "-c", STAT).ok() == stat
    del bundle.process["scheduler"]
    with bundle.started():
        assert bundle.exec("sh", "-c", STAT, scheduler=scheduler).ok() == stat


def test_scheduler_deadline(bundle):
    if os.cpu_count() != len(os.sched_getaffinity(0)):
        pytest.skip("SCHED_DEADLINE needs every CPU of the host")
    bundle.process["scheduler"] = {
        "policy": "SCHED_DEADLINE",
        "runtime": 42000,
        "deadline": 1000000,
        "period": 1000000,
    }
    assert bundle.run("cut", "-d", " ", "-f41", "/proc/self/stat").ok() == "6"


def test_scheduler_that_no_kernel_has(bundle):
    bundle.process["scheduler"] = {"policy": "SCHED_ISO"}
    failed(bundle.run("true"), "/process/scheduler/policy")


def test_a_user_namespace_takes_real_time_away(bundle):
    bundle.map_users()
    bundle.process["scheduler"] = {"policy": "SCHED_FIFO", "priority": 7}
    failed(bundle.run("true"), "/process/scheduler", "CAP_SYS_NICE")


@pytest.mark.parametrize(
    ("class_", "priority", "shown"),
    [
        ("IOPRIO_CLASS_RT", 3, "realtime: prio 3"),
        ("IOPRIO_CLASS_BE", 6, "best-effort: prio 6"),
        ("IOPRIO_CLASS_IDLE", 0, "idle"),
    ],
)
def test_io_priority(bundle, class_, priority, shown):
    bundle.process["ioPriority"] = {"class": class_, "priority": priority}
    assert bundle.run("ionice").ok() == shown


def test_personality_is_of_the_container(bundle):
    bundle.linux["personality"] = {"domain": "LINUX32"}
    with bundle.started():
        machine = bundle.exec("uname", "-m").ok()
    assert machine != os.uname().machine


@pytest.mark.parametrize(
    ("policy", "shown"),
    [
        ({"mode": "MPOL_BIND", "nodes": "0"}, "bind:0"),
        ({"mode": "MPOL_INTERLEAVE", "nodes": "0"}, "interleave:0"),
        (
            {"mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
            "prefer=static:0",
        ),
        ({"mode": "MPOL_DEFAULT"}, "default"),
    ],
)
def test_memory_policy(bundle, policy, shown):
    if not os.path.exists("/proc/self/numa_maps"):
        pytest.skip("this kernel has no NUMA")
    bundle.linux["memoryPolicy"] = policy
    assert bundle.run("head", "-1", "/proc/self/numa_maps").ok().split()[1] == shown


def test_memory_policy_of_nodes_that_are_not_there(bundle):
    bundle.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "1000"}
    failed(bundle.run("true"), "/linux/memoryPolicy")


def test_limits(bundle):
    names = {
        "RLIMIT_AS": "address space",
        "RLIMIT_CORE": "core file size",
        "RLIMIT_DATA": "data size",
        "RLIMIT_FSIZE": "file size",
        "RLIMIT_LOCKS": "file locks",
        "RLIMIT_NOFILE": "open files",
        "RLIMIT_RTTIME": "realtime timeout",
    }
    limit = 1 << 30
    bundle.process["rlimits"] = [
        {"type": name, "soft": limit - 1, "hard": limit} for name in names if "NOFILE" not in name
    ] + [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]
    shown = bundle.run("cat", "/proc/self/limits").ok().splitlines()
    for name, words in names.items():
        soft, hard = ("100", "200") if "NOFILE" in name else (str(limit - 1), str(limit))
        line = next(line for line in shown if line.startswith(f"Max {words} "))
        assert line[26:].split()[:2] == [soft, hard]


def test_domain_name(bundle):
    bundle.config["domainname"] = "example.org"
    assert bundle.run("cat", "/proc/sys/kernel/domainname").ok() == "example.org"


@pytest.mark.parametrize(("keep", "expected"), [(None, {5, 7}), ("0", {5, 7}), ("1", {3, 4})])
def test_groups(bundle, keep, expected):
    bundle.process["user"]["additionalGids"] = [5, 7]
    if keep:
        bundle.config["annotations"] = {"run.oci.keep_original_groups": keep}
    result = bundle.run("grep", "^Groups:", "/proc/self/status", extra_groups=[3, 4])
    assert set(map(int, result.ok().split()[1:])) == expected


def test_labels_that_the_host_cannot_set(bundle):
    if not os.path.exists("/sys/module/apparmor/parameters/enabled"):
        bundle.process["apparmorProfile"] = "none"
        failed(bundle.run("true"), "/process/apparmorProfile", "not enabled")
        bundle.process["apparmorProfile"] = "unconfined"
        bundle.run("true").ok()
    if not os.path.exists("/sys/fs/selinux/enforce"):
        bundle.process["selinuxLabel"] = "none"
        failed(bundle.run("true"), "/process/selinuxLabel", "not enabled")


def test_rdt_on_a_host_without_it(bundle):
    if os.path.exists("/sys/fs/resctrl/schemata"):
        pytest.skip("this host has resctrl")
    bundle.linux["intelRdt"] = {"closID": "gold"}
    failed(bundle.run("true"), "/linux/intelRdt", "resctrl")


def test_exec_has_what_its_process_says(bundle):
    bundle.process["oomScoreAdj"] = 300
    with bundle.started():
        shown = bundle.exec(
            "sh",
            "-c",
            "cat /proc/self/oom_score_adj; ulimit -n; umask; pwd; "
            "grep -E '^(Uid|Groups|CapBnd|NoNewPrivs)' /proc/self/status",
            oomScoreAdj=310,
            rlimits=[{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}],
            user={"uid": 5, "gid": 6, "additionalGids": [8, 9], "umask": 0o77},
            capabilities={"bounding": ["CAP_CHOWN"]},
            noNewPrivileges=True,
            cwd="/etc",
        )
        assert [line.split() for line in shown.ok().splitlines()] == [
            ["310"],
            ["50"],
            ["0077"],
            ["/etc"],
            ["Uid:", "5", "5", "5", "5"],
            ["Groups:", "8", "9"],
            ["CapBnd:", "0000000000000001"],
            ["NoNewPrivs:", "1"],
        ]


def test_exec_inherits_what_its_process_leaves_out(bundle):
    bundle.process["oomScoreAdj"] = 300
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]
    bundle.process["ioPriority"] = {"class": "IOPRIO_CLASS_IDLE", "priority": 0}
    look = "cat /proc/self/oom_score_adj; ulimit -n; ionice; grep ^CapEff /proc/self/status"
    with bundle.started():
        lines = bundle.exec("sh", "-c", look).ok().splitlines()
    assert lines == ["300", "100", "idle", "CapEff:\t0000000000000021"]


@pytest.mark.parametrize(
    ("affinity", "shown"),
    [
        ({"final": "1"}, "1"),
        ({"initial": "0", "final": "1"}, "1"),
        ({"initial": "0"}, "0-1"),
        ({}, "0-1"),
    ],
)
def test_cpus_of_an_exec(bundle, affinity, shown):
    if os.sched_getaffinity(0) != {0, 1}:
        pytest.skip("written for a host of two CPUs")
    with bundle.started():
        look = ["sh", "-c", "grep ^Cpus_allowed_list /proc/self/status"]
        assert bundle.exec(*look, execCPUAffinity=affinity).ok().split()[1] == shown
        for kind in ("initial", "final"):
            result = bundle.exec("true", execCPUAffinity={kind: "5000"})
            failed(result, f"/process/execCPUAffinity/{kind}")


@pytest.fixture
def device():
    """A network device of the host, with addresses, that is gone after the test."""
    name = unique_name("d").replace("-", "x")[-15:]
    for kind in ("dummy", "ifb"):  # not every kernel has the first
        host("ip", "link", "add", name, "type", kind, check=False)
        if os.path.exists(f"/sys/class/net/{name}"):
            break
    host("ip", "link", "set", name, "up", "mtu", "1400")
    host("ip", "address", "add", "10.9.8.7/24", "brd", "10.9.8.255", "dev", name)
    host("ip", "address", "add", "169.254.3.3/16", "scope", "link", "dev", name)
    host("ip", "address", "add", "fd00:9::7/64", "nodad", "dev", name)
    yield name
    host("ip", "link", "delete", name, check=False)


@pytest.mark.parametrize("new_name", [None, "eth0"])
@pytest.mark.parametrize("mapped", [False, True])
def test_network_device(bundle, device, new_name, mapped):
    if mapped:
        bundle.map_users()
    bundle.linux["netDevices"] = {device: {"name": new_name} if new_name else {}}
    text = bundle.run("ip", "address", "show", "dev", new_name or device).ok()
    assert "inet 10.9.8.7/24 brd 10.9.8.255 scope global" in text
    assert "inet6 fd00:9::7/64 scope global" in text
    assert "169.254.3.3" not in text  # of link scope
    assert ",UP" in text and "mtu 1400" in text
    assert not os.path.exists(f"/sys/class/net/{device}")


def test_network_device_that_cannot_be_moved(bundle, device):
    for devices, words in [
        ({"none0": {}}, ["/linux/netDevices/none0", "no such"]),
        ({device: {"name": "lo"}}, [f"/linux/netDevices/{device}", "'lo'"]),
        ({"lo": {"name": "other"}}, ["/linux/netDevices/lo"]),
    ]:
        bundle.linux["netDevices"] = devices
        failed(bundle.run("true"), *words)
    assert os.path.exists(f"/sys/class/net/{device}")
