# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is mounted in a container, how, and what of the host cannot be seen."""

import os
import subprocess

import pytest

from harness import host, sctr, started


def mount_table(text):
    """mountinfo as {mount point: (type, options, super options)}; the last on a place counts."""
    table = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, tail = left.split(), right.split()
        table[fields[4]] = (tail[0], set(fields[5].split(",")), set(tail[2].split(",")), fields[6:])
    return table


def mounts(run, *flags):
    return mount_table(run(*flags, "cat", "/proc/self/mountinfo").ok())


SAFE = {"nosuid", "nodev", "noexec"}

STANDARD = [
    ("/proc", "proc", {"rw", "relatime"} | SAFE, set()),
    ("/dev", "tmpfs", {"rw", "nosuid"}, {"mode=755", "size=65536k"}),
    ("/dev/pts", "devpts", {"rw", "relatime", "nosuid", "noexec"},
     {"gid=5", "mode=620", "ptmxmode=666"}),
    ("/dev/shm", "tmpfs", {"rw", "relatime"} | SAFE, {"size=65536k"}),
    ("/dev/mqueue", "mqueue", {"rw", "relatime"} | SAFE, set()),
    ("/sys", "sysfs", {"ro", "relatime"} | SAFE, set()),
    ("/sys/fs/cgroup", "cgroup2", {"ro", "relatime"} | SAFE, set()),
]  # fmt: skip


@pytest.mark.parametrize("target, kind, options, data", STANDARD, ids=[row[0] for row in STANDARD])
def test_standard_mounts(run, target, kind, options, data):
    found_kind, found_options, found_data, _ = mounts(run)[target]
    assert found_kind == kind
    assert found_options == options
    assert data <= found_data


MASKED_DIRECTORIES = ["/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"]
MASKED_FILES = ["/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/timer_list"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def test_nothing_else_is_mounted(run):
    expected = {row[0] for row in STANDARD} | {"/", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname"}
    covers = set(MASKED_DIRECTORIES + MASKED_FILES + READ_ONLY)
    covers |= {"/proc/asound", "/proc/latency_stats", "/proc/sched_debug", "/proc/timer_stats",
               "/sys/fs/selinux"}  # fmt: skip
    found = {path for path in mounts(run, "--network", "bridge") if "thermal_throttle" not in path}
    assert found - covers == expected


@pytest.mark.parametrize("path", [p for p in MASKED_DIRECTORIES if os.path.isdir(p)])
def test_masked_directories_are_empty(run, path):
    assert run("sh", "-c", f"ls -A {path}; touch {path}/x").status != 0
    assert run("ls", "-A", path).ok() == ""


@pytest.mark.parametrize("path", [p for p in MASKED_FILES if os.path.isfile(p)])
def test_masked_files_are_empty(run, path):
    assert run("cat", path).ok() == ""


@pytest.mark.parametrize("path", [p for p in READ_ONLY if os.path.exists(p)])
def test_read_only_paths(run, path):
    assert "ro" in mounts(run)[path][1]


def test_mount_points_are_made_in_a_root_without_them(own_rootfs):
    """As images have none of the files of names."""
    for name in ("hostname", "hosts", "resolv.conf"):
        (own_rootfs / "etc" / name).unlink()
    words = ["-v", "/etc/passwd:/a/file", "-v", "/etc:/a/directory", "test", "-s", "/etc/hosts"]
    sctr("run", "--network", "bridge", "--rootfs", own_rootfs, *words).ok()
    for name in ("etc/hostname", "etc/hosts", "etc/resolv.conf", "a/file"):
        assert (own_rootfs / name).read_bytes() == b"", name
    assert list((own_rootfs / "a/directory").iterdir()) == []


def test_sysctls_cannot_be_written(run):
    result = run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    assert result.status != 0 and "Read-only" in result.stderr


def test_unmask_and_mask(run):
    table = mounts(run, "--security-opt", "unmask=ALL")
    assert not set(MASKED_FILES + READ_ONLY) & set(table)
    table = mounts(run, "--security-opt", "unmask=/proc/timer*:/proc/sys")
    assert "/proc/timer_list" not in table and "/proc/sys" not in table
    assert "/proc/interrupts" in table
    assert run("--security-opt", "mask=/etc/passwd:/home", "cat", "/etc/passwd").ok() == ""
    assert run("--security-opt", "mask=/etc/passwd:/home", "ls", "-A", "/home").ok() == ""


DEVICES = {
    "null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0",
}  # fmt: skip


def test_devices_are_exactly_these(run):
    text = run("sh", "-c", "cd /dev; stat -c '%n %F %t:%T %a %u:%g' *").ok()
    found = {line.split()[0]: line.split(maxsplit=1)[1] for line in text.splitlines()}
    assert set(found) == set(DEVICES) | {
        "fd", "stdin", "stdout", "stderr", "ptmx", "pts", "shm", "mqueue",
    }  # fmt: skip
    for name, numbers in DEVICES.items():
        assert found[name] == f"character special file {numbers} 666 0:0", name
    for name in ("fd", "stdin", "stdout", "stderr", "ptmx"):
        assert found[name].startswith("symbolic link"), name
    assert run("stat", "-c", "%a", "/dev/shm").ok() == "1777"
    assert run("sh", "-c", "echo x > /dev/stdout; echo y > /dev/stderr").stdout == "x\n"


def test_a_device_flag(run):
    assert run("--device", "/dev/fuse", "stat", "-c", "%t:%T", "/dev/fuse").ok() == "a:e5"
    result = run("--device", "/dev/null:/dev/other:r", "stat", "-c", "%t:%T", "/dev/other")
    assert result.ok() == "1:3"
    assert run("stat", "/dev/fuse").status != 0


@pytest.mark.parametrize(
    "value", ["/dev/no-such", "relative", "/dev/null:x", "/dev/null:/x:rwx", "/etc/passwd", ""]
)
def test_bad_device_flags(run, value):
    run("--device", value, "true").failed(125, "--device")


def test_shm_size(run):
    assert "size=1024k" in mounts(run, "--shm-size", "1m")["/dev/shm"][2]
    run("--shm-size", "0", "true").failed(125, "--shm-size")
    run("--shm-size", "much", "true").failed(125, "--shm-size")


def test_the_root_is_read_only_when_asked(run, own_rootfs):
    words = ["run", "--rootfs", own_rootfs]
    assert sctr(*words, "touch", "/made").status == 0
    assert (own_rootfs / "made").exists()
    result = sctr(*words, "--read-only", "touch", "/made2")
    assert result.status != 0 and "Read-only file system" in result.stderr
    script = "touch /dev/shm/x /scratch/y && echo writable"
    assert sctr(*words, "--read-only", "--tmpfs", "/scratch", "sh", "-c", script).ok() == "writable"
    assert mounts(run, "--read-only")["/"][1] >= {"ro"}


@pytest.fixture
def source(tmp_path):
    """A directory and a file to mount, with a mount inside."""
    path = tmp_path / "source"
    (path / "inner").mkdir(parents=True)
    (path / "file").write_text("of the host\n")
    host("mount", "-t", "tmpfs", "inner", path / "inner")
    (path / "inner/below").write_text("below\n")
    yield path
    host("umount", path / "inner")


WRITES = "(echo x > /v/new) 2>/dev/null && echo top; (echo x > /v/inner/new) 2>/dev/null && echo inner; true"


@pytest.mark.parametrize(
    "options, written",
    [
        ("", ["top", "inner"]),
        (":rw", ["top", "inner"]),
        (":ro", ["inner"]),
        (":rro", []),
        (":z", ["top", "inner"]),
        (":ro,Z", ["inner"]),
    ],
)
def test_volume_of_a_directory(run, source, options, written):
    assert run("-v", f"{source}:/v{options}", "sh", "-c", WRITES).ok().split() == written
    assert run("-v", f"{source}:/v{options}", "cat", "/v/inner/below").ok() == "below"


def test_a_volume_that_is_not_recursive(run, source):
    assert run("-v", f"{source}:/v:bind", "ls", "-A", "/v/inner").ok() == ""


@pytest.mark.parametrize("options, status", [("", 0), (":ro", 1), (":rro", 1)])
def test_volume_of_a_file(run, source, options, status):
    assert run("-v", f"{source}/file:/etc/motd{options}", "cat", "/etc/motd").ok() == "of the host"
    result = run("-v", f"{source}/file:/etc/motd{options}", "sh", "-c", "echo changed > /etc/motd")
    assert result.status == status
    assert ((source / "file").read_text() == "changed\n") == (status == 0)


def test_volume_options_reach_the_mount(run, source):
    table = mounts(run, "-v", f"{source}:/v:noexec,nosuid,nodev,noatime")
    assert table["/v"][1] >= {"noexec", "nosuid", "nodev", "noatime"}
    result = run("-v", "/bin:/v:noexec", "/v/true")
    result.failed(126, "/v/true", "Permission denied")


def test_a_relative_volume(run, source):
    assert run("-v", "./file:/x", "cat", "/x", cwd=source).ok() == "of the host"
    assert run("-v", "..:/above", "cat", "/above/source/file", cwd=source).ok() == "of the host"


@pytest.mark.parametrize(
    "value",
    ["tmp", "/no/such:/x", "na%me:/x", "/tmp:relative", "/tmp:/", "/tmp:/x:nonsense", ":/x",
     "/tmp:/x:ro:rw", "", "/tmp:/x:nocopy", "/tmp:/x:tmpcopyup"],
)  # fmt: skip
def test_bad_volumes(run, value):
    run("-v", value, "true").failed(125, ": -v")


MOUNT_FLAGS = [
    ("type=bind,src={source},dst=/v", "bind", {"rw"}),
    ("type=bind,source={source},target=/v,ro", "bind", {"ro"}),
    ("type=bind,source={source},destination=/v,readonly=true", "bind", {"ro"}),
    ("type=bind,src={source},dst=/v,ro=false", "bind", {"rw"}),
    ("type=tmpfs,dst=/v", "tmpfs", {"rw", "noexec", "nosuid", "nodev"}),
    ("type=tmpfs,dst=/v,tmpfs-size=1m,tmpfs-mode=0700,ro", "tmpfs", {"ro"}),
    ("type=tmpfs,dst=/v,exec,suid", "tmpfs", {"rw", "nodev"}),
    ("type=devpts,dst=/v", "devpts", {"nosuid", "noexec"}),
]


@pytest.mark.parametrize("value, kind, options", MOUNT_FLAGS)
def test_mount_flags(run, source, value, kind, options):
    table = mounts(run, "--mount", value.format(source=source))
    assert options <= table["/v"][1]
    assert kind in ("bind", table["/v"][0])
    if "size" in value:
        assert {"size=1024k", "mode=700"} <= table["/v"][2]


@pytest.mark.parametrize("value", [
    "", "type=bind", "type=bind,dst=/v", "type=bind,src=/no/such,dst=/v", "type=sideways,dst=/v",
    "type=tmpfs,dst=/v,src=/tmp", "type=tmpfs,dst=/v,size=x", "type=tmpfs,dst=/v,nonsense=1",
    "type=volume,src=a/b,dst=/v", "type=image,dst=/v", "type=tmpfs,dst=v", "type=bind,src=/tmp,dst=/v,tmpcopyup", "type=tmpfs,dst=/v,idmap",
])  # fmt: skip
def test_bad_mount_flags(run, value):
    run("--mount", value, "true").failed(125)


@pytest.mark.parametrize(
    "value, options, data",
    [
        ("/v", {"rw", "noexec", "nosuid", "nodev"}, set()),
        ("/v:size=2m,mode=1770,uid=7,gid=8", {"rw"}, {"size=2048k", "mode=1770", "uid=7", "gid=8"}),
        ("/v:exec,dev,suid,ro", {"ro"}, set()),
        ("/deep/er/place", {"rw"}, set()),
    ],
)
def test_tmpfs(own_rootfs, value, options, data):
    text = sctr("run", "--rootfs", own_rootfs, "--tmpfs", value, "cat", "/proc/self/mountinfo").ok()
    kind, found_options, found_data, _ = mount_table(text)[value.partition(":")[0]]
    assert kind == "tmpfs" and options <= found_options and data <= found_data
    if "exec" in value:
        assert not found_options & SAFE


@pytest.mark.parametrize("value", ["relative", "/", "/v:size=0", "/v:size=x", "/v:mode=9", "/v:what"])
def test_bad_tmpfs(run, value):
    run("--tmpfs", value, "true").failed(125, "--tmpfs")


def test_a_tmpfs_is_full_and_says_so(run):
    result = run("--tmpfs", "/v:size=64k", "sh", "-c", "dd if=/dev/zero of=/v/x bs=1k count=100")
    assert result.status != 0 and "No space left" in result.stderr


def test_mounts_below_mounts_in_any_order(own_rootfs):
    flags = ["--tmpfs", "/a/b/c", "--tmpfs", "/a", "--tmpfs", "/a/b"]
    script = "touch /a/b/c/x; cat /proc/self/mountinfo"
    table = mount_table(sctr("run", "--rootfs", own_rootfs, *flags, "sh", "-c", script).ok())
    assert [path for path in table if path.startswith("/a")] == ["/a", "/a/b", "/a/b/c"]


def test_one_place_takes_one_mount(run):
    run("--tmpfs", "/v", "-v", "/etc:/v", "true").failed(125, "/v", "two mounts")


def test_a_standard_mount_is_replaced(run):
    assert mounts(run, "--tmpfs", "/dev/shm:size=1m")["/dev/shm"][2] >= {"size=1024k"}


def test_mounts_are_private(run):
    for path, (_, _, _, tags) in mounts(run, "-v", "/etc:/v").items():
        assert not [tag for tag in tags if tag.startswith(("shared:", "master:"))], path


def test_mounts_of_the_host_arrive_in_a_slave_volume_only(start, source, own_rootfs):
    flags = ["-v", f"{source}:/slave:rslave", "-v", f"{source}:/private"]
    host("mount", "--make-rshared", source / "inner")
    host("mount", "--bind", source, source)
    host("mount", "--make-rshared", source)
    try:
        with started(own_rootfs, *flags) as container:
            (source / "late").mkdir()
            host("mount", "-t", "tmpfs", "late", source / "late")
            (source / "late/word").write_text("arrived")
            try:
                assert container.exec("cat", "/slave/late/word").ok() == "arrived"
                assert container.exec("cat", "/private/late/word").status != 0
            finally:
                host("umount", source / "late")
    finally:
        host("umount", source)


def test_mounts_of_the_container_stay_there(run):
    before = open("/proc/self/mountinfo").read()
    run("--privileged", "sh", "-c", "mkdir -p /tmp/m; mount -t tmpfs x /tmp/m && mount | grep -q /tmp/m").ok()
    assert open("/proc/self/mountinfo").read() == before


@pytest.mark.parametrize("flags", [[], ["--no-pivot"]], ids=["pivot_root", "no-pivot"])
def test_nothing_of_the_host_is_left_in_the_root(run, rootfs, flags):
    assert sorted(run(*flags, "ls", "-A", "/").ok().split()) == sorted(os.listdir(rootfs))
    assert run(*flags, "ls", "-A", "/..").ok() == run(*flags, "ls", "-A", "/").ok()
    table = mounts(run, *flags)
    assert not [path for path in table if path.startswith(("/var/cache", "/src", "/build", "/run"))]


def test_the_rootfs_may_be_a_mount_point_a_link_or_relative(rootfs, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(rootfs)
    assert sctr("run", "--rootfs", link, "echo", "x").ok() == "x"
    assert sctr("run", "--rootfs", "./link//.", "echo", "x", cwd=tmp_path).ok() == "x"
    place = tmp_path / "place"
    place.mkdir()
    host("mount", "--bind", rootfs, place)
    try:
        assert sctr("run", "--rootfs", place, "echo", "x").ok() == "x"
        host("mount", "-o", "remount,bind,ro", place)
        # Every mount point is there already: a read-only root needs no writing.
        assert sctr("run", "--rootfs", place, "echo", "x").ok() == "x"
    finally:
        host("umount", place)


def test_the_hosts_own_root_as_rootfs():
    assert sctr("run", "--rootfs", "/", "--read-only", "cat", "/etc/hostname").ok()


def test_a_fresh_root_gets_its_mount_points(tmp_path):
    root = tmp_path / "bare"
    (root / "bin").mkdir(parents=True)
    subprocess.run(["cp", "/bin/busybox", root / "bin/busybox"], check=True)
    assert sctr("run", "--network", "none", "--rootfs", root, "/bin/busybox", "echo", "x").ok() == "x"
    assert sorted(os.listdir(root)) == ["bin", "dev", "proc", "sys"]
    assert sctr("run", "--network", "bridge", "--rootfs", root, "/bin/busybox", "echo", "x").ok() == "x"
    assert sorted(os.listdir(root / "etc")) == ["hostname", "hosts", "resolv.conf"]
