# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images in user namespaces of root's containers: the files keep their ids on disk, and look like the container's."""

import json
import os
import stat
import struct
import subprocess
import tarfile

import pytest

from harness import eventually, host, sctr, unique_name
from made_images import BUSYBOX, Image, Layer, base_layer
from store import STORE, load, nothing_stays_in_the_store, pulled  # noqa: F401 (fixtures)

MAPS = ("--uidmap", "0:200000:65536", "--gidmap", "0:300000:65536")
SHOW = 'for f in "$@"; do stat -c "%n %F %a %u:%g %h %s" $f; done'
# vfs_cap_data, revision 2: cap_net_bind_service, effective.
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)


@pytest.fixture
def image(load):
    low = Layer().file("gone", "g").dir("d", 0o750, uid=1000, gid=1001).file("d/old", "o").file("f", "x", uid=7, gid=8)
    high = Layer().add(".wh.gone").dir("d", 0o750, uid=1000, gid=1001).add("d/.wh..wh..opq").file("d/new", "n", uid=9)
    high.file("set", "s", uid=3, gid=4, mode=0o6755).hardlink("link", "set", uid=3, gid=4, mode=0o6755)
    high.symlink("soft", "set").device("null", 1, 3, mode=0o666)
    return load(Image(base_layer(), low, high))


@pytest.fixture
def container(image):
    """A stored one, which has changed its files as it likes."""
    name = unique_name("m")
    script = (
        "touch /made; busybox chown 5:6 /made; rm -r /d; busybox mkdir /d; busybox chown 11:12 /etc/group;"
        "rm /f; busybox ln /set /more; sleep 1000"
    )
    sctr("run", "-d", "--name", name, *MAPS, image, "sh", "-c", script).ok()
    eventually((upper(name) / "more").exists)
    yield name
    sctr("rm", "-f", name).ok()


def upper(name):
    return STORE / "roots" / name / "upper"


def test_the_same_tree_is_seen(image):
    files = ["/", "/d", "/d/new", "/d/old", "/gone", "/f", "/set", "/link", "/soft", "/null", "/home/alice", "/etc/passwd"]
    plain = sctr("run", image, "sh", "-c", SHOW, "x", *files)
    mapped = sctr("run", *MAPS, image, "sh", "-c", SHOW, "x", *files)
    assert mapped.stdout == plain.stdout and len(mapped.lines) == len(files) - 2
    assert sctr("run", *MAPS, image, "id", "-u").ok() == "0"
    assert sctr("run", *MAPS, "-u", "alice", image, "id").ok() == "uid=1234(alice) gid=50(staff) groups=50(staff),99(wheel)"


def test_ids_that_are_not_mapped_are_nobodys(image):
    assert sctr("run", "--uidmap", "0:200000:1000", image, "stat", "-c", "%u:%g", "/d", "/f").lines == ["65534:65534", "7:8"]


def test_written_files_have_the_containers_ids_on_disk(container):
    found = {path.name: path.lstat() for path in upper(container).iterdir()}
    ids = {name: (info.st_uid, info.st_gid) for name, info in found.items()}
    assert ids["made"] == (5, 6) and ids["more"] == (3, 4) and ids["d"] == (0, 0)
    assert stat.S_ISCHR(found["f"].st_mode) and found["f"].st_rdev == 0
    group = (upper(container) / "etc/group").stat()
    assert (group.st_uid, group.st_gid) == (11, 12)
    # And outside the container's root is nobody.
    pid = json.loads(sctr("inspect", container).ok())[0]["pid"]
    assert os.stat(f"/proc/{pid}/root/made").st_uid == 200005


def test_it_keeps_them_over_a_restart_with_other_ids(image):
    name = unique_name("m")
    sctr("run", "-d", "--name", name, *MAPS, image, "sh", "-c", "test -e /n || touch /n; sleep 1000").ok()
    eventually(lambda: sctr("exec", name, "ls", "/n").status == 0, what="the file")
    sctr("stop", "-t", "0", name).ok()
    sctr("start", name).ok()
    assert sctr("exec", name, "stat", "-c", "%u:%g", "/n", "/d").lines == ["0:0", "1000:1001"]
    sctr("stop", "-t", "0", name).ok()
    definition = STORE / "containers" / name / "definition.json"
    definition.write_text(definition.read_text().replace("0:200000:65536", "0:400000:65536"))
    sctr("start", name).ok()
    assert sctr("exec", name, "stat", "-c", "%u:%g", "/n", "/d").lines == ["0:0", "1000:1001"]
    assert sctr("exec", name, "cat", "/proc/self/uid_map").ok().split() == ["0", "400000", "65536"]
    sctr("rm", "-f", name).ok()


def test_changes_have_the_containers_ids(container, pulled, tmp_path):
    assert {"A /made", "D /f", "C /etc/group", "C /d"} <= set(sctr("diff", container).lines)
    sctr("cp", f"{container}:/made", tmp_path / "running").ok()
    sctr("stop", "-t", "0", container).ok()
    pulled.append(f"localhost/{container}:1")
    sctr("commit", container, pulled[-1]).ok()
    command = ("stat", "-c", "%n %u:%g %a", "/made", "/more", "/etc/group", "/d", "/set")
    expected = ["/made 5:6 644", "/more 3:4 6755", "/etc/group 11:12 644", "/d 0:0 755", "/set 3:4 6755"]
    assert sctr("run", pulled[-1], *command).lines == expected
    assert sctr("run", *MAPS, pulled[-1], *command).lines == expected
    assert sctr("run", pulled[-1], "ls", "/d", "/f").status == 1
    sctr("export", "-o", tmp_path / "all.tar", container).ok()
    with tarfile.open(tmp_path / "all.tar") as archive:
        members = {member.name.removeprefix("./"): member for member in archive.getmembers()}
    assert (members["made"].uid, members["made"].gid) == (5, 6)
    assert (members["home/alice"].uid, members["home/alice"].gid) == (1234, 50)
    sctr("cp", "-a", f"{container}:/made", tmp_path / "stopped").ok()
    assert (tmp_path / "stopped").stat().st_uid == 5
    (tmp_path / "in").write_text("in")
    sctr("cp", tmp_path / "in", f"{container}:/in").ok()
    sctr("start", container).ok()
    assert sctr("exec", container, "stat", "-c", "%u:%g", "/in").ok() == "0:0"


def test_file_capabilities_count(load, pulled):
    """Those of the image, and those that a commit has taken along."""
    capable = {"SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")}
    with open(BUSYBOX, "rb") as program:
        layer = Layer().file("capable/busybox", program.read(), mode=0o755, pax_headers=capable)
    name = load(Image(base_layer(), layer))
    words = ("-u", "alice", name, "/capable/busybox", "grep", "CapEff", "/proc/self/status")
    assert int(sctr("run", *MAPS, *words).ok().split()[1], 16) == 1 << 10
    container = unique_name("m")
    sctr("run", "-d", "--name", container, *MAPS, name, "sh", "-c", "busybox mkdir /moved && busybox mv /capable/busybox /moved").ok()
    sctr("wait", container).ok()
    pulled.append(f"localhost/{container}:1")
    sctr("commit", container, pulled[-1]).ok()
    sctr("rm", container).ok()
    words = ("-u", "alice", pulled[-1], "/moved/busybox", "grep", "CapEff", "/proc/self/status")
    for flags in ((), MAPS):
        assert int(sctr("run", *flags, *words).ok().split()[1], 16) == 1 << 10, flags


def test_more_than_a_hundred_layers(load):
    name = load(Image(base_layer(), *(Layer().file(f"f{i}", str(i), uid=i) for i in range(128))))
    assert sctr("run", *MAPS, name, "cat", "/f0", "/f100", "/f127").ok() == "0100127"
    assert sctr("run", *MAPS, name, "stat", "-c", "%u", "/f0", "/f127").lines == ["0", "127"]


def test_overlay_on_a_directory(rootfs):
    found = sctr("run", "--rootfs", f"{rootfs}:O", *MAPS, "sh", "-c", "touch /new; stat -c %u:%g /new /etc")
    assert found.lines == ["0:0", "0:0"] and not (rootfs / "new").exists()


def test_a_directory_with_mounts_below(own_rootfs):
    """In a user namespace the kernel keeps together what the host has mounted."""
    (own_rootfs / "mnt").mkdir(exist_ok=True)
    host("mount", "-t", "tmpfs", "tmpfs", own_rootfs / "mnt")
    try:
        assert sctr("run", "--rootfs", f"{own_rootfs}:O", *MAPS, "stat", "-c", "%u", "/mnt").ok() == "0"
    finally:
        host("umount", own_rootfs / "mnt")


def test_read_only(image):
    result = sctr("run", "--read-only", *MAPS, image, "touch", "/new")
    assert result.status == 1 and "Read-only" in result.stderr


def test_a_joined_user_namespace(container, image):
    found = sctr("run", "--userns", f"container:{container}", image, "sh", "-c", "cat /proc/self/uid_map; stat -c %u /f")
    assert found.ok().split() == ["0", "200000", "65536", "7"]


@pytest.fixture
def volume():
    name = unique_name("v")
    yield name
    sctr("volume", "rm", name)


def test_volumes_have_the_containers_ids(image, volume):
    """Whatever ids of the host a container has, and whether it has any."""
    command = ("stat", "-c", "%u:%g %a", "/d", "/d/new")
    assert sctr("run", *MAPS, "-v", f"{volume}:/d", image, *command).lines == ["1000:1001 750", "9:0 644"]
    assert sctr("run", "-v", f"{volume}:/d", image, *command).lines == ["1000:1001 750", "9:0 644"]
    auto = ("--userns", "auto", "-v", f"{volume}:/d")
    assert sctr("run", *auto, image, *command).lines == ["1000:1001 750", "9:0 644"]
    sctr("run", *auto, image, "touch", "/d/made").ok()
    assert (STORE / "volumes" / volume / "data/made").stat().st_uid == 0
    sctr("run", *MAPS, "-u", "alice", "-v", f"{volume}:/d:U", image, "touch", "/d/his").ok()
    assert (STORE / "volumes" / volume / "data/his").stat().st_uid == 1234
    assert sctr("run", *MAPS, "-v", "/d", image, *command).lines == ["1000:1001 750", "9:0 644"]


def test_volumes_from_one_with_other_ids(image, volume):
    name = unique_name("m")
    sctr("run", "-d", "--name", name, *MAPS, "-v", f"{volume}:/d", image, "sleep", "1000").ok()
    for flags in ([], ["--userns", "auto"]):
        found = sctr("run", *flags, "--volumes-from", name, image, "stat", "-c", "%u:%g", "/d/new")
        assert found.lines == ["9:0"], flags
    sctr("rm", "-f", name).ok()


def locks():
    return set(os.listdir("/run/systemd/nspawn-uid")) if os.path.isdir("/run/systemd/nspawn-uid") else set()


def test_reserved_ids(image):
    """Each container its own; what nspawn or an account has is passed over; they are free again afterwards."""
    before = locks()
    names = [unique_name("auto") for _ in range(3)]
    starts = []
    for name in names:
        sctr("run", "-d", "--name", name, "--userns", "auto:size=2000", image, "sleep", "1000").ok()
        inside, outside, size = map(int, sctr("exec", name, "cat", "/proc/self/uid_map").ok().split())
        assert inside == 0 and size == 2000 and outside % 65536 == 0 and 0x80000 <= outside <= 0x6FFF0000
        assert sctr("exec", name, "stat", "-c", "%u:%g", "/d", "/home/alice").lines == ["1000:1001", "1234:50"]
        starts.append(outside)
    assert len(set(starts)) == 3
    assert {str(start) for start in starts} <= locks()
    sctr("rm", "-f", *names).ok()
    assert locks() == before


def test_reserved_ids_pass_over_what_others_have(image):
    name = unique_name("auto")
    command = ("run", "--name", name, "--userns", "auto", image, "cat", "/proc/self/uid_map")
    first = int(sctr(*command).ok().split()[1])
    with open("/etc/subuid") as file:
        before = file.read()
    try:
        with open("/etc/subuid", "a") as file:
            file.write(f"root:{first + 65535}:1\n")
        second = int(sctr(*command).ok().split()[1])
        assert second != first
    finally:
        with open("/etc/subuid", "w") as file:
            file.write(before)
    lock = f"/run/systemd/nspawn-uid/{first}"
    hold = f"import fcntl, struct, sys; f = open('{lock}', 'w'); fcntl.fcntl(f, 37, struct.pack('hhqqi4x', 1, 0, 0, 0, 0)); print(flush=True); sys.stdin.read()"
    holder = subprocess.Popen(["python3", "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        assert int(sctr(*command).ok().split()[1]) == second
    finally:
        holder.communicate()
        os.unlink(lock)
    assert int(sctr(*command).ok().split()[1]) == first


def test_a_store_that_cannot_be_mapped(rootfs, tmp_path):
    """An overlay as the lower directory: the kernel maps no ids there."""
    for name in ("upper", "work", "root"):
        (tmp_path / name).mkdir()
    layers = f"lowerdir={rootfs},upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    host("mount", "-t", "overlay", "overlay", "-o", layers, tmp_path / "root")
    try:
        result = sctr("run", "--rootfs", f"{tmp_path}/root:O", *MAPS, "true")
        result.failed(125, "map the ids", str(tmp_path / "root"), "file system")
    finally:
        host("umount", tmp_path / "root")
