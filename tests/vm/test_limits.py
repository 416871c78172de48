# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits as the kernel enforces them. Under emulation everything is slow: few, telling runs."""

import os
import re
import time

import pytest

from harness import eventually, host, sctr, unit_of, unit_property

SLOW = 120

# Fills its memory until something stops it.
EAT_MEMORY = ["tail", "/dev/zero"]
SPIN = "echo ready; while :; do :; done"


@pytest.mark.controllers("memory")
def test_an_oom_kill_is_137_and_said(run):
    result = run("-m", "32m", "--memory-swap", "32m", *EAT_MEMORY, timeout=SLOW)
    assert result.status == 137
    assert result.stderr.startswith("sctr: ") and "memory" in result.stderr, result
    assert "32" in result.stderr or "MemoryMax" in result.stderr or "limit" in result.stderr


@pytest.mark.controllers("memory")
def test_an_oom_kill_is_in_the_record(run):
    run("--name", "eater", "--rm=false", "-m", "32m", *EAT_MEMORY, timeout=SLOW)
    try:
        assert "exited (137) oom" in sctr("ps", "-a").ok()
        assert '"oomKilled": true' in sctr("inspect", "eater").ok()
    finally:
        sctr("rm", "eater").ok()


@pytest.mark.controllers("memory")
def test_an_oom_kill_of_a_child_is_the_containers_affair(run):
    script = "tail /dev/zero; echo child ended with $?"
    result = run("-m", "32m", "sh", "-c", script, timeout=SLOW)
    assert (result.status, result.stdout) == (0, "child ended with 137\n")


@pytest.mark.controllers("memory")
def test_a_kill_is_no_oom_kill(start):
    with start("-m", "64m") as container:
        sctr("kill", container.name).ok()
        assert container.wait() == 137
        assert b"memory" not in container.process.stderr.read()


@pytest.mark.controllers("memory")
def test_a_name_is_free_after_an_oom_kill(run):
    for _ in range(3):
        assert run("--name", "again", "-m", "16m", *EAT_MEMORY, timeout=SLOW).status == 137
    assert run("--name", "again", "echo", "free").ok() == "free"


@pytest.mark.controllers("memory")
@pytest.mark.parametrize(
    "flags, files",
    [
        (["-m", "64m"], {"memory.max": 64 << 20, "memory.swap.max": 64 << 20}),
        (["-m", "64m", "--memory-swap", "64m"], {"memory.max": 64 << 20, "memory.swap.max": 0}),
        (["-m", "64m", "--memory-swap", "-1"], {"memory.swap.max": "max"}),
        (["--memory-reservation", "16m"], {"memory.low": 16 << 20, "memory.max": "max"}),
        (["-p", "MemoryHigh=40M"], {"memory.high": 40 << 20}),
    ],
)
def test_memory_files(start, flags, files):
    with start(*flags) as container:
        for name, value in files.items():
            file = container.cgroup() / name
            if name == "memory.swap.max" and not file.exists():
                pytest.skip("this kernel has no swap controller (CONFIG_SWAP or swapaccount=0)")
            assert file.read_text().strip() == str(value), name


@pytest.mark.controllers("pids")
def test_fork_fails_at_tasks_max(run):
    script = "for n in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; echo all"
    result = run("--pids-limit", "5", "sh", "-c", script)
    assert "fork" in result.stderr and "Resource temporarily unavailable" in result.stderr
    assert "all" not in result.stdout or result.status != 0


@pytest.mark.controllers("pids")
def test_tasks_max_is_counted_for_the_whole_container(start):
    with start("--pids-limit", "4") as container:
        assert (container.cgroup() / "pids.max").read_text() == "4\n"
        # Without the pipe to us, whose end we wait for.
        script = "for i in 1 2 3 4; do sleep 1000 >/dev/null 2>&1 & done"
        assert "fork" in container.exec("sh", "-c", script).stderr


def cpu_seconds(container):
    text = (container.cgroup() / "cpu.stat").read_text()
    return int(re.search(r"usage_usec (\d+)", text)[1]) / 1e6


@pytest.mark.controllers("cpu")
def test_a_cpu_quota_is_kept_within_a_tenth(start):
    quota = 0.2
    with start("--cpus", str(quota), command=["sh", "-c", SPIN]) as container:
        # Several periods must pass before a first burst no longer counts.
        assert (container.cgroup() / "cpu.max").read_text() == "20000 100000\n"
        begin, used = time.monotonic(), cpu_seconds(container)
        eventually(lambda: time.monotonic() - begin >= 6, deadline=30)
        share = (cpu_seconds(container) - used) / (time.monotonic() - begin)
    assert quota * 0.9 <= share <= quota * 1.1


@pytest.mark.controllers("cpu")
def test_a_cpu_quota_in_a_period(start):
    with start("--cpu-quota", "20000", "--cpu-period", "50000") as container:
        assert (container.cgroup() / "cpu.max").read_text() == "20000 50000\n"


@pytest.mark.controllers("cpu", "cpuset")
def test_cpu_weights_share_one_cpu(start):
    light = start("--cpu-weight", "100", "--cpuset-cpus", "0", command=["sh", "-c", SPIN])
    heavy = start("--cpu-weight", "300", "--cpuset-cpus", "0", command=["sh", "-c", SPIN])
    with light as one, heavy as three:
        begin = cpu_seconds(one), cpu_seconds(three)
        # Until both together have had enough for a judgement.
        eventually(
            lambda: cpu_seconds(one) + cpu_seconds(three) - sum(begin) >= 4, deadline=90
        )
        ratio = (cpu_seconds(three) - begin[1]) / (cpu_seconds(one) - begin[0])
    assert 2.4 <= ratio <= 3.6


@pytest.mark.controllers("cpu")
@pytest.mark.parametrize(
    "flags, weight", [(["--cpu-shares", "1024"], 100), (["--cpu-shares", "2"], 1), ([], 100)]
)
def test_cpu_weight_files(start, flags, weight):
    with start(*flags) as container:
        assert (container.cgroup() / "cpu.weight").read_text() == f"{weight}\n"


@pytest.mark.controllers("cpuset")
def test_cpuset_cpus(run):
    last = os.cpu_count() - 1
    script = "grep Cpus_allowed_list /proc/self/status"
    text = run("--cpuset-cpus", str(last), "--cpuset-mems", "0", "sh", "-c", script).ok()
    assert text.split() == ["Cpus_allowed_list:", str(last)]


@pytest.mark.controllers("cpuset")
def test_a_cpu_that_is_not_there(run):
    # systemd takes it; the kernel then gives what there is.
    assert run("--cpuset-cpus", "0,4000", "nproc").status in (0, 125)


def root_disk():
    """The disk below /, as /dev/NAME."""
    device = os.stat("/").st_dev
    path = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"
    if not os.path.exists(path):
        pytest.skip("the root file system is on no block device")
    return "/dev/" + os.path.basename(os.readlink(path))


@pytest.mark.controllers("io")
def test_io_limits_reach_the_kernel(start):
    disk = root_disk()
    device = os.stat(disk).st_rdev
    flags = ["--device-read-bps", f"{disk}:1m", "--device-write-bps", f"{disk}:2m",
             "--device-read-iops", f"{disk}:30", "--device-write-iops", f"{disk}:40"]  # fmt: skip
    with start(*flags) as container:
        text = (container.cgroup() / "io.max").read_text()
        assert f"{os.major(device)}:{os.minor(device)} " in text
        assert "rbps=1048576 wbps=2097152 riops=30 wiops=40" in text


@pytest.mark.controllers("io")
def test_a_write_limit_slows_writing(run, tmp_path):
    disk = root_disk()
    if os.stat(tmp_path).st_dev != os.stat("/").st_dev:
        tmp_path = "/var/tmp"
    flags = ["--device-write-bps", f"{disk}:1m", "-v", f"{tmp_path}:/data"]
    script = "dd if=/dev/zero of=/data/written bs=64k count=48 oflag=direct 2>/dev/null; rm /data/written"
    begin = time.monotonic()
    run(*flags, "sh", "-c", script, timeout=SLOW).ok()
    assert time.monotonic() - begin >= 1.8  # 3 MiB at 1 MiB a second, the first burst apart


@pytest.mark.controllers("io")
def test_io_weight(start):
    with start("--io-weight", "50") as container:
        assert unit_property(container.name, "IOWeight")["IOWeight"] == "50"
        file = container.cgroup() / "io.weight"
        if not file.exists():
            pytest.skip("this kernel has no io.weight (CONFIG_BLK_CGROUP_IOCOST)")
        assert "50" in file.read_text()


def test_the_device_filter(own_rootfs):
    """A node alone gives nothing: the scope's filter decides."""
    os.mknod(own_rootfs / "mem", 0o20666, os.makedev(1, 1))
    words = ["run", "--rootfs", own_rootfs, "--cap-add", "MKNOD,SYS_RAWIO"]
    script = "head -c 1 /mem >/dev/null; mknod /made c 1 5 && head -c 1 /made | wc -c; mknod /kmsg c 1 11 && cat /kmsg"
    result = sctr(*words, "sh", "-c", script)
    if "/mem: Operation not permitted" not in result.stderr:
        if not os.path.exists("/sys/kernel/btf/vmlinux") and os.environ.get("SCTR_HOST_KIND") == "box":
            pytest.skip("this kernel attaches no device filters to cgroups")
    assert "/mem: Operation not permitted" in result.stderr
    assert result.stdout == "1\n"
    assert "'/kmsg': Operation not permitted" in result.stderr


def test_a_device_flag_opens_the_filter(run):
    node = next((disk for disk in ("/dev/vda", "/dev/sda") if os.path.exists(disk)), None)
    if node is None:
        pytest.skip("this host has no disk")
    assert run("--device", f"{node}:r", "sh", "-c", f"exec 3<{node} && echo open").ok() == "open"
    assert run("--device", f"{node}:w", "sh", "-c", f"exec 3<{node} && echo open").status != 0


@pytest.mark.controllers("memory", "cpu", "pids")
def test_limits_are_there_before_the_command_runs(run):
    flags = ["-m", "64m", "--cpus", "0.5", "--pids-limit", "20"]
    files = ["memory.max", "cpu.max", "pids.max"]
    text = run(*flags, "cat", *[f"/sys/fs/cgroup/{name}" for name in files]).ok()
    assert text.split() == [str(64 << 20), "50000", "100000", "20"]


@pytest.mark.controllers("memory")
def test_systemctl_status_shows_the_limit(start):
    with start("-m", "64m", "--pids-limit", "20") as container:
        text = host("systemctl", "status", "--no-pager", unit_of(container.name))
        assert "max: 64M" in text and "limit: 20" in text


@pytest.mark.controllers("memory")
def test_cgtop_shows_it(start):
    with start() as container:
        text = host("systemd-cgtop", "--batch", "--iterations=1", "--depth=3", timeout=SLOW)
        assert container.unit in text
