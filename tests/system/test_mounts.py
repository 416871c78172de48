# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mounts that need the host's hands: what a user namespace cannot reach, mapped ids, propagation."""

import os
import stat
import subprocess

import pytest

from harness import DEADLINE, host, make_directories_in_directories, sctr, started
from test_filesystem import mount_table

MAPS = ["--uidmap", "0:200000:65536", "--gidmap", "0:300000:65536"]


@pytest.fixture
def closed(own_rootfs, tmp_path):
    """A directory that only the host's root may enter, with a root file system and a source."""
    path = tmp_path / "closed"
    path.mkdir()
    own_rootfs.rename(path / "rootfs")
    os.chown(path / "rootfs", 200000, 300000)  # for mount points to be made
    (path / "source/inner").mkdir(parents=True)
    (path / "source/file").write_text("of the host\n")
    os.chown(path / "source/file", 1000, 1001)
    host("mount", "-t", "tmpfs", "inner", path / "source/inner")
    (path / "source/inner/below").write_text("below\n")
    path.chmod(0o700)
    yield path
    host("umount", path / "source/inner")


def run_in(closed, *words):
    return sctr("run", "--rootfs", closed / "rootfs", *words)


@pytest.mark.parametrize("flags", [[], ["--no-pivot"]], ids=["pivot_root", "no-pivot"])
def test_a_rootfs_that_mapped_root_cannot_reach(closed, flags):
    names = sorted(os.listdir(closed / "rootfs"))
    assert run_in(closed, *MAPS, *flags, "ls", "-A", "/").ok().split() == names
    assert run_in(closed, *MAPS, *flags, "ls", "-A", "/..").ok().split() == names


def test_a_rootfs_in_a_user_namespace_that_is_joined(closed):
    with started(closed / "rootfs", *MAPS) as other:
        flags = ["--userns", f"container:{other.name}"]
        result = run_in(closed, *flags, "-v", f"{closed}/source:/v", "cat", "/v/inner/below")
        assert result.ok() == "below"


def test_volumes_that_mapped_root_cannot_reach(closed):
    flags = [*MAPS, "-v", f"{closed}/source:/v", "-v", f"{closed}/source/file:/f:ro"]
    assert run_in(closed, *flags, "cat", "/v/file", "/v/inner/below", "/f").ok() == (
        "of the host\nbelow\nof the host"
    )
    assert run_in(closed, *flags, "sh", "-c", "echo x > /f").status != 0
    table = mount_table(run_in(closed, *flags, "cat", "/proc/self/mountinfo").ok())
    assert "ro" in table["/f"][1] and "rw" in table["/v"][1]
    assert not [tag for tag in table["/v"][3] if tag.startswith(("shared", "master"))]


def test_what_mounts_cover_stays_covered_in_a_user_namespace(closed):
    error = run_in(closed, *MAPS, "-v", f"{closed}/source:/v:bind", "true").failed(125, "/v")
    assert "rbind" in error


# The kernel locks what the host's mount forbids: the container's root must not lift it.
def test_flags_of_the_hosts_mount_are_locked(closed):
    inner = closed / "source/inner"
    host("mount", "-o", "remount,ro,nosuid,nodev,noexec", inner)
    flags = [*MAPS, "-v", f"{inner}:/v", "--cap-add", "all", "--security-opt", "seccomp=unconfined"]
    script = "mount -o remount,bind,rw /v; touch /v/x; grep ' /v ' /proc/self/mountinfo"
    result = run_in(closed, *flags, "sh", "-c", script)
    assert {"ro", "nosuid", "nodev", "noexec"} <= mount_table(result.stdout)["/v"][1]
    error = run_in(closed, *MAPS, "-v", f"{inner}:/v:exec", "true").failed(125, "/v")
    assert "forbids" in error
    # Without a user namespace it is the administrator's to say.
    run_in(closed, "-v", f"{inner}:/v:exec", "true").ok()


def test_devices_in_a_user_namespace(closed):
    script = "stat -c '%n %F %t:%T %a %u:%g' /dev/null /dev/other; echo x > /dev/other && echo written"
    flags = [*MAPS, "--device", "/dev/null:/dev/other"]
    assert run_in(closed, *flags, "sh", "-c", script).ok().splitlines() == [
        "/dev/null character special file 1:3 666 0:0",
        "/dev/other character special file 1:3 666 0:0",
        "written",
    ]
    table = mount_table(run_in(closed, *flags, "cat", "/proc/self/mountinfo").ok())
    assert {"nosuid", "noexec"} <= table["/dev/other"][1]


def test_a_device_where_a_volume_has_another_file(closed):
    for maps in ([], MAPS):
        flags = [*maps, "-v", f"{closed}/source/file:/dev/fuse", "--device", "/dev/fuse"]
        run_in(closed, *flags, "true").failed(125, "/dev/fuse", "another file is there")
        # One that every container has may be another on purpose.
        flags = [*maps, "-v", "/dev/zero:/dev/random", "stat", "-c", "%t:%T", "/dev/random"]
        assert run_in(closed, *flags).ok() == "1:5"


def owner(closed, *words):
    return run_in(closed, *words, "stat", "-c", "%u:%g", "/v/file").ok()


@pytest.fixture
def mappable(closed):
    """Skips the test where the file system has no id-mapped mounts."""
    result = run_in(closed, *MAPS, "-v", f"{closed}/source:/v:idmap", "true")
    if result.status != 0 and "this kernel does not do that" in result.stderr:
        pytest.skip(result.stderr)
    return closed


@pytest.mark.parametrize(
    "option, ids",
    [
        ("rw", "65534:65534"),
        ("idmap", "1000:1001"),
        ("ridmap", "1000:1001"),
        ("idmap=uids=1000-200007-1;gids=1001-300008-1", "7:8"),
        ("idmap=uids=@1000-7-1;gids=@1001-8-1", "7:8"),
        ("idmap=uids=@1000-7-1", "7:1001"),
    ],
)
def test_ids_of_a_volume(mappable, option, ids):
    assert owner(mappable, *MAPS, "-v", f"{mappable}/source:/v:{option}") == ids
    if "idmap" in option and "=" not in option:
        mount = f"type=bind,src={mappable}/source,dst=/v,{option}"
        assert owner(mappable, *MAPS, "--mount", mount) == ids


def test_ids_of_a_volume_without_a_user_namespace(mappable):
    flags = ["-v", f"{mappable}/source:/v:idmap=uids=1000-7-1;gids=1001-8-1"]
    assert owner(mappable, *flags) == "7:8"


def test_files_made_in_a_mapped_volume_belong_to_the_hosts_user(mappable):
    volume = f"{mappable}/source:/v:idmap=uids=@0-0-2000;gids=@0-0-2000"
    (mappable / "source").chmod(0o777)
    run_in(mappable, *MAPS, "-u", "5:6", "-v", volume, "touch", "/v/made").ok()
    info = (mappable / "source/made").stat()
    assert (info.st_uid, info.st_gid) == (5, 6)


def test_a_mapping_that_cannot_be(closed):
    flag = f"{closed}/source:/v:idmap"
    run_in(closed, "-v", flag, "true").failed(125, "needs mappings")
    run_in(closed, *MAPS, "-v", f"{flag}=uids=x", "true").failed(125, "uids")
    run_in(closed, *MAPS, "--tmpfs", "/v:idmap", "true").failed(125, "--tmpfs")
    # procfs has no id-mapped mounts.
    run_in(closed, *MAPS, "-v", "/proc:/v:idmap", "true").failed(125, "/v", "ids")


@pytest.fixture
def image(own_rootfs):
    """A root file system with one of everything below /data."""
    data = own_rootfs / "data"
    (data / "sub/deeper").mkdir(parents=True)
    (data / "file").write_text("text")
    (data / "file").chmod(0o4751)
    os.chown(data / "sub", 7, 8)
    (data / "sub").chmod(0o2770)
    (data / "sub/deeper/file").write_text("deeper")
    (data / "link").symlink_to("/etc/hostname")
    (data / "dangling").symlink_to("../../../../no/such")
    os.mkfifo(data / "fifo", 0o640)
    os.mknod(data / "node", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    (data / "empty").touch()
    os.utime(data / "file", ns=(1_000_000_001, 2_000_000_002))
    os.setxattr(data / "file", "trusted.word", b"value")
    data.chmod(0o1731)
    os.chown(data, 5, 6)
    return own_rootfs


LIST = "cd /data; stat -c '%n %f %u:%g %s %Y %t:%T' . * sub/* sub/deeper/*; readlink link dangling; cat sub/deeper/file"


def test_a_tmpfs_with_what_was_below(image):
    plain = sctr("run", "--rootfs", image, "sh", "-c", LIST).ok()
    flags = ["--rootfs", image, "--tmpfs", "/data:tmpcopyup"]
    copied = sctr("run", *flags, "sh", "-c", LIST).ok()

    def comparable(text):
        # Directories have sizes of their own on each file system.
        lines = [line.split() for line in text.splitlines()]
        return [line[:3] + line[4:] if len(line) > 3 and line[1].startswith("4") else line for line in lines]

    assert comparable(copied) == comparable(plain)
    table = mount_table(sctr("run", *flags, "cat", "/proc/self/mountinfo").ok())
    assert table["/data"][0] == "tmpfs"
    sctr("run", *flags, "sh", "-c", "echo new > /data/file; rm -r /data/sub").ok()
    assert (image / "data/file").read_text() == "text"
    assert (image / "data/sub/deeper/file").exists()


@pytest.mark.parametrize(
    "options, mode, ids",
    [
        ("", "1731", "0:0"),
        (":mode=700", "700", "0:0"),
        (":tmpcopyup", "1731", "5:6"),
        (":tmpcopyup,mode=700", "700", "5:6"),
        (":tmpcopyup,uid=1,gid=2", "1731", "1:2"),
        (":tmpcopyup,ro", "1731", "5:6"),
    ],
)
def test_the_directory_of_a_tmpfs(image, options, mode, ids):
    flags = ["--rootfs", image, "--tmpfs", f"/data{options}"]
    assert sctr("run", *flags, "stat", "-c", "%a %u:%g", "/data").ok() == f"{mode} {ids}"
    assert (sctr("run", *flags, "touch", "/data/x").status == 0) == ("ro" not in options)


def test_a_read_only_dev_has_its_devices(run):
    flags = ["--mount", "type=tmpfs,dst=/dev,ro,dev"]
    result = run(*flags, "sh", "-c", "echo > /dev/null && touch /dev/x")
    assert result.stderr.count("Read-only") == 1


def test_mounts_below_a_read_only_tmpfs(own_rootfs):
    flags = ["--rootfs", own_rootfs, "--tmpfs", "/a:ro", "--tmpfs", "/a/b/c"]
    assert sctr("run", *flags, "touch", "/a/b/c/x").status == 0
    assert "Read-only" in sctr("run", *flags, "touch", "/a/x").stderr


def test_a_tmpfs_that_is_new(image):
    flags = ["--rootfs", image, "--tmpfs", "/fresh:tmpcopyup"]
    assert sctr("run", *flags, "stat", "-c", "%a", "/fresh").ok() == "1777"


def test_a_copy_that_does_not_fit(image):
    (image / "data/large").write_bytes(b"x" * 100_000)
    error = sctr("run", "--rootfs", image, "--tmpfs", "/data:tmpcopyup,size=16k", "true")
    error.failed(125, "/data/", "No space left")


def test_a_copy_of_directories_without_end(image):
    """A payload makes them, for the next start."""
    make_directories_in_directories(image / "data", 3000)
    script = 'ulimit -n "$(ulimit -Hn)"; exec sctr run --rootfs "$0" --tmpfs /data:tmpcopyup true'
    done = subprocess.run(["sh", "-c", script, image], capture_output=True, text=True, timeout=DEADLINE)
    host("rm", "-r", image / "data/d")
    assert done.returncode == 125 and len(done.stderr.splitlines()) == 1, done
    assert "without end" in done.stderr or "Too many open files" in done.stderr


# What is below is hostile: nothing outside the root is read through it.
def test_a_copy_follows_no_link(image, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "word").write_text("secret")
    (image / "data/out").symlink_to(secret)
    (image / "away").symlink_to(secret)
    script = "cat /data/out/word; ls -A /away; true"
    for target in ("/data", "/away"):
        flags = ["--rootfs", image, "--tmpfs", f"{target}:tmpcopyup"]
        result = sctr("run", *flags, "sh", "-c", script)
        assert result.status in (0, 125) and "secret\n" not in result.stdout


def test_tmpcopyup_in_a_user_namespace(image):
    for path in [image / "data", *(image / "data").rglob("*")]:
        os.chown(path, 200000 + path.lstat().st_uid, 300000 + path.lstat().st_gid, follow_symlinks=False)
    flags = ["--rootfs", image, *MAPS, "--tmpfs", "/data:tmpcopyup"]
    text = sctr("run", *flags, "sh", "-c", "stat -c '%u:%g' /data /data/sub; ls /data").ok()
    assert text.split() == ["5:6", "7:8", "dangling", "empty", "fifo", "file", "link", "sub"]


@pytest.fixture
def shared(tmp_path):
    """A directory of the host that is a shared mount."""
    path = tmp_path / "shared"
    (path / "place").mkdir(parents=True)
    host("mount", "--bind", path, path)
    host("mount", "--make-shared", path)
    yield path
    host("umount", "-R", path)


MOUNT_INSIDE = ["sh", "-c", "mount -t tmpfs mark /v/place && echo x > /v/place/word && cat /v/place/word"]


@pytest.mark.parametrize(
    "option, travels", [("shared", True), ("rshared", True), ("rslave", False), ("rprivate", False)]
)
def test_mounts_of_the_container_travel_when_asked(run, shared, option, travels):
    flags = ["--privileged", "-v", f"{shared}:/v:{option}"]
    assert run(*flags, *MOUNT_INSIDE).ok() == "x"
    assert os.path.ismount(shared / "place") == travels
    mount = f"type=bind,src={shared},dst=/v,bind-propagation={option}"
    if travels:
        host("umount", shared / "place")
    run("--privileged", "--mount", mount, *MOUNT_INSIDE).ok()
    assert os.path.ismount(shared / "place") == travels


def test_mounts_of_the_host_travel_into_a_shared_volume(start, shared):
    with start("-v", f"{shared}:/v:rshared") as container:
        host("mount", "-t", "tmpfs", "late", shared / "place")
        (shared / "place/word").write_text("arrived")
        assert container.exec("cat", "/v/place/word").ok() == "arrived"


def test_a_user_namespace_only_receives(own_rootfs, shared):
    os.chown(own_rootfs, 200000, 300000)
    with started(own_rootfs, *MAPS, "-v", f"{shared}:/v:rshared") as container:
        host("mount", "-t", "tmpfs", "late", shared / "place")
        (shared / "place/word").write_text("arrived")
        assert container.exec("cat", "/v/place/word").ok() == "arrived"


@pytest.mark.parametrize("maps", [[], MAPS], ids=["host", "mapped"])
def test_a_socket_a_fifo_and_a_device_as_volumes(closed, background, tmp_path, maps):
    os.mkfifo(tmp_path / "fifo")
    background("python3", "-c", f"import socket; s = socket.socket(socket.AF_UNIX); s.bind('{tmp_path}/s'); s.listen(); print(flush=True); s.accept()", stdout=-1).stdout.readline()  # fmt: skip
    flags = [*maps, "-v", f"{tmp_path}/fifo:/a", "-v", f"{tmp_path}/s:/b", "-v", "/dev/full:/c"]
    script = "for f in /a /b /c; do stat -c %F $f; done"
    assert run_in(closed, *flags, "sh", "-c", script).ok().splitlines() == [
        "fifo", "socket", "character special file",
    ]  # fmt: skip


def test_masks_and_read_only_paths_meet(run, own_rootfs):
    (own_rootfs / "data/sub").mkdir(parents=True)
    (own_rootfs / "data/sub/file").write_text("text")
    (own_rootfs / "data/link").symlink_to("sub/file")
    for maps in ([], MAPS):
        flags = ["--rootfs", own_rootfs, *maps, "--security-opt", "mask=/data/link:/data/sub:/no/such:/data/sub/file"]  # fmt: skip
        assert sctr("run", *flags, "sh", "-c", "ls -A /data/sub; ls -A /data").ok().split() == ["link", "sub"]
        assert sctr("run", "--read-only", *flags, "touch", "/data/sub/x").status != 0
