# SPDX-License-Identifier: LGPL-2.1-or-later
"""sctr cp: which name becomes what, and nothing that a container has laid out leads out of it."""

import contextlib
import io
import os
import re
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

import harness
from harness import eventually, sctr, unique_name
from made_images import Image, Layer, base_layer
from store import STORE, load, nothing_stays_in_the_store  # noqa: F401 (fixtures)


@pytest.fixture
def image(load):
    layer = base_layer().dir("d").file("d/one", "1", uid=7).dir("d/sub").file("d/sub/two", "2").file("plain", "p", uid=9)
    layer.symlink("link", "plain").symlink("dlink", "/d").symlink("dangling", "made").symlink("out", "/var/tmp/sctr-out")
    layer.symlink("up", "../../../../../../var/tmp").add("fifo", kind=tarfile.FIFOTYPE, mode=0o600).dir("var/tmp")
    return load(Image(layer, Cmd=["sh", "-c", harness.WAIT]))


@pytest.fixture(params=["running", "stored"])
def container(request, image):
    name = unique_name("c")
    if request.param == "running":
        process = subprocess.Popen(["sctr", "run", "--name", name, image], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        yield name
        sctr("kill", name).ok()
        process.wait(20)
        process.stdout.close()
    else:
        sctr("create", "--name", name, image).ok()
        yield name
        sctr("rm", name).ok()


@pytest.fixture
def source(tmp_path):
    top = tmp_path / "source"
    (top / "sub").mkdir(parents=True)
    (top / "file").write_text("f")
    (top / "file").chmod(0o640)
    os.chown(top / "file", 5, 6)
    (top / "sub/deep").write_text("d")
    os.symlink("/etc/passwd", top / "abs")
    return top


def cat(container, path):
    """Bytes and owner of a file in a container, by way of an archive."""
    with tarfile.open(fileobj=io.BytesIO(sctr("cp", f"{container}:{path}", "-").out)) as archive:
        (member,) = archive.getmembers()
        return archive.extractfile(member).read(), member.uid, oct(member.mode)


def test_files_in(container, source):
    sctr("cp", source / "file", f"{container}:/new").ok()
    assert cat(container, "/new") == (b"f", 0, "0o640")
    sctr("cp", "-a", source / "file", f"{container}:/d").ok()
    assert cat(container, "/d/file") == (b"f", 5, "0o640")
    sctr("cp", source / "file", f"{container}:plain").ok()
    assert cat(container, "plain") == (b"f", 0, "0o640")
    sctr("cp", source / "file", f"{container}:/link").ok()
    assert cat(container, "/plain")[0] == b"f"
    sctr("cp", source / "file", f"{container}:/dangling").ok()
    assert cat(container, "/made")[0] == b"f"


@contextlib.contextmanager
def running(*words):
    name = unique_name("c")
    process = subprocess.Popen(["sctr", "run", "--name", name, *words], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        yield name
    finally:
        sctr("kill", name).ok()
        process.wait(20)
        process.stdout.close()


def is_confined(pid):
    return "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text()


@contextlib.contextmanager
def unpacking(target, archive):
    """The pid of who unpacks, before there is anything to read for him."""
    process = subprocess.Popen(["sctr", "cp", "-", target], stdin=subprocess.PIPE)
    try:
        eventually(lambda: any(map(is_confined, harness.children(process.pid))), what="confinement")
        yield harness.children(process.pid)[0]
        process.stdin.write(archive.bytes())
        process.stdin.close()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def open_directories(pid):
    return [fd for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_dir()]


def device_is_closed(pid):
    """/null, wherever it can be found by what is open; asked by who is not confined."""
    found = [fd / "null" for fd in open_directories(pid) if (fd / "null").exists()]
    assert found
    for node in found:
        with pytest.raises(PermissionError):
            node.open("rb")
    return True


@pytest.fixture
def image_with_device(load):
    layer = base_layer().dir("d").device("d/null", 1, 3, mode=0o666)
    return load(Image(layer, Cmd=["sh", "-c", harness.WAIT]))


@pytest.mark.parametrize("flags", [(), ("--userns", "auto"), ("--privileged",)], ids=" ".join)
def test_who_writes_into_a_running_container_can_open_no_device_there(image_with_device, tmp_path, flags):
    """Be it the container's or the archive's: no device controller holds who unpacks, should libarchive have a mistake.
    What the container has mounted stays as it is, and is written through a copy."""
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o777)
    os.mknod(volume / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    with running(*flags, "-v", f"{volume}:/v", image_with_device) as name:
        for place in ("/d", "/v"):
            with unpacking(f"{name}:{place}", Layer().file("new", place)) as pid:
                mounts = {line.split()[0] for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()}
                for fd in open_directories(pid):
                    about = Path(f"/proc/{pid}/fdinfo", fd.name).read_text()
                    assert re.search(r"^mnt_id:\t(\d+)$", about, re.M)[1] in mounts, f"{fd} is of others' mounts"
                assert device_is_closed(pid)
        assert cat(name, "/d/new")[0] == b"/d" and (volume / "new").read_text() == "/v"
        assert sctr("exec", name, "sh", "-c", "cat /d/new /v/new; echo > /dev/null").ok() == "/d/v"


@pytest.mark.parametrize("flags", [(), ("-v", "/v")], ids=" ".join)
def test_who_writes_into_a_stored_container_can_open_no_device_there(image_with_device, flags):
    name = unique_name("c")
    sctr("create", "--name", name, *flags, image_with_device).ok()
    try:
        with unpacking(f"{name}:/d", Layer().file("new", "x")) as pid:
            assert device_is_closed(pid)
        assert cat(name, "/d/new")[0] == b"x"
    finally:
        sctr("rm", "-v", name).ok()


def test_directories_in(container, source):
    sctr("cp", source, f"{container}:/fresh").ok()
    assert cat(container, "/fresh/sub/deep")[0] == b"d"
    sctr("cp", source, f"{container}:/dlink").ok()
    assert cat(container, "/d/source/file")[0] == b"f"
    sctr("cp", f"{source}/.", f"{container}:/d").ok()
    assert cat(container, "/d/file")[0] == b"f" and cat(container, "/d/one")[0] == b"1"
    sctr("cp", source, f"{container}:/plain").failed(125, "/plain")
    sctr("cp", source / "file", f"{container}:/none/").failed(125, "no such directory")
    sctr("cp", source / "file", f"{container}:/none/x").failed(125, "none")
    sctr("cp", source / "file", f"{container}:/plain/").failed(125, "no directory")


def test_out(container, tmp_path):
    sctr("cp", f"{container}:/d", tmp_path / "new").ok()
    assert (tmp_path / "new/sub/two").read_text() == "2" and (tmp_path / "new/one").stat().st_uid == 0
    sctr("cp", "-a", f"{container}:/d/.", tmp_path).ok()
    assert (tmp_path / "one").stat().st_uid == 7 and (tmp_path / "sub/two").exists()
    sctr("cp", f"{container}:plain", tmp_path / "p").ok()
    assert (tmp_path / "p").read_text() == "p"
    sctr("cp", f"{container}:/link", tmp_path / "l").ok()
    assert os.readlink(tmp_path / "l") == "plain"
    sctr("cp", "-L", f"{container}:/link", tmp_path / "followed").ok()
    assert (tmp_path / "followed").read_text() == "p"
    sctr("cp", f"{container}:/none", tmp_path).failed(125, "/none")
    sctr("cp", f"{container}:/plain/", tmp_path).failed(125, "/plain/")
    sctr("cp", f"{container}:/d", tmp_path / "p").failed(125)


def test_streams(container, source, tmp_path):
    packed = subprocess.run(["tar", "-C", source, "-c", "."], capture_output=True, check=True).stdout
    sctr("cp", "-", f"{container}:/d", input=packed).ok()
    assert cat(container, "/d/file") == (b"f", 5, "0o640")
    sctr("cp", "-", f"{container}:/none", input=packed).failed(125, "no such directory")
    sctr("cp", "-", f"{container}:/d", input=b"no archive" * 200).failed(125)
    with tarfile.open(fileobj=io.BytesIO(sctr("cp", f"{container}:/d", "-").out)) as archive:
        assert {"d", "d/one", "d/sub/two"} <= set(archive.getnames())


def test_links_lead_nowhere_but_into_the_container(container, source, tmp_path):
    sctr("cp", source / "file", f"{container}:/up/sctr-climbed").ok()
    assert cat(container, "/var/tmp/sctr-climbed")[0] == b"f"
    sctr("cp", source / "file", f"{container}:/out").ok()
    assert cat(container, "/var/tmp/sctr-out")[0] == b"f"
    for name in ("sctr-climbed", "sctr-out"):
        assert not os.path.lexists(f"/var/tmp/{name}")
    sctr("cp", f"{container}:/../../plain", tmp_path / "x").ok()
    assert (tmp_path / "x").read_text() == "p"


def test_a_pipe_is_copied_and_not_read(container, tmp_path):
    sctr("cp", f"{container}:/fifo", tmp_path / "fifo").ok()
    assert (tmp_path / "fifo").is_fifo()
    sctr("cp", tmp_path / "fifo", f"{container}:/d/").ok()


def test_nothing_becomes_roots_that_acts_for_its_owner(load, tmp_path):
    """A container may make any file set-user-ID: as root's it would be a gift to the host's users."""
    layer = base_layer().dir("d").file("d/suid", "s", mode=0o6755, uid=7).device("d/disk", 8, 0, mode=0o666)
    cap = bytes.fromhex("0100000200200000000000000000000000000000").decode("latin-1")
    layer.file("d/cap", "c", mode=0o755, pax_headers={"SCHILY.xattr.security.capability": cap})
    name = unique_name("c")
    sctr("create", "--name", name, load(Image(layer)), "true").ok()
    try:
        sctr("cp", f"{name}:/d", tmp_path / "new").ok()
        assert sorted(os.listdir(tmp_path / "new")) == ["cap", "suid"]
        assert (tmp_path / "new/suid").stat().st_mode & 0o7777 == 0o755
        assert "security.capability" not in os.listxattr(tmp_path / "new/cap")
        sctr("cp", "-a", f"{name}:/d", tmp_path / "all").ok()
        suid = (tmp_path / "all/suid").stat()
        assert (suid.st_mode & 0o7777, suid.st_uid) == (0o6755, 7)
        assert (tmp_path / "all/disk").exists() and "security.capability" in os.listxattr(tmp_path / "all/cap")
    finally:
        sctr("rm", name).ok()


def test_a_device_alone_is_told_of(image_with_device, tmp_path):
    """In a directory it is left out; where it is all that there is, nothing would be there after a success."""
    name = unique_name("c")
    out = tmp_path / "out"
    out.mkdir()
    sctr("create", "--name", name, image_with_device).ok()
    try:
        sctr("cp", f"{name}:/d/null", out / "new").failed(125, "a device is not copied", "null", "--archive")
        sctr("cp", f"{name}:/d/null", out).failed(125, "a device is not copied")
        assert os.listdir(out) == []
        sctr("cp", "-a", f"{name}:/d/null", out / "new").ok()
        assert (out / "new").is_char_device()
    finally:
        sctr("rm", name).ok()


def test_between_containers(container, image):
    other = unique_name("c")
    sctr("create", "--name", other, image).ok()
    try:
        sctr("cp", f"{container}:/d/sub", f"{other}:/taken").ok()
        assert cat(other, "/taken/two")[0] == b"2"
    finally:
        sctr("rm", other).ok()


def test_what_is_mounted_in_it(start, rootfs, tmp_path, source):
    """A volume's content comes, the kernel's file systems do not."""
    (tmp_path / "v").mkdir()
    with start("-v", f"{tmp_path}/v:/tmp") as container:
        sctr("cp", source / "file", f"{container.name}:/tmp/in").ok()
        assert (tmp_path / "v/in").read_text() == "f"
        sctr("cp", f"{container.name}:/", tmp_path / "all", timeout=60).ok()
    assert (tmp_path / "all/tmp/in").exists() and os.listdir(tmp_path / "all/proc") == []
    assert os.listdir(tmp_path / "all/sys") == []


def test_mistakes(tmp_path):
    sctr("cp", "a", "b").failed(125, "CONTAINER:PATH")
    sctr("cp", "a").failed(125, "source and a destination")
    sctr("cp", "none:/x", tmp_path).failed(125, "none")
    sctr("cp", tmp_path / "x", "../e:/x").failed(125)


def test_volumes_of_one_that_does_not_run(load, rootfs, tmp_path):
    """And directories of the host, wherever they are in its root."""
    image = load(Image(base_layer().dir("data").file("data/i", "image")))
    name, volume = unique_name("cp"), unique_name("v")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/h").write_text("host")
    flags = ("-v", f"{volume}:/data", "-v", f"{tmp_path}/dir:/a/b:ro", "-v", "/anon")
    sctr("run", "-d", "--name", name, *flags, image, "sh", "-c", "echo v > /data/v; echo n > /anon/n").ok()
    sctr("wait", name).ok()
    for path, text in (("data/i", "image"), ("data/v", "v\n"), ("anon/n", "n\n"), ("a/b/h", "host")):
        sctr("cp", f"{name}:/{path}", tmp_path / "out").ok()
        assert (tmp_path / "out").read_text() == text
    (tmp_path / "in").write_text("in")
    sctr("cp", tmp_path / "in", f"{name}:/data/in").ok()
    sctr("cp", tmp_path / "in", f"{name}:/a/b/in").failed(125, "Read-only")
    assert sorted(path.name for path in (tmp_path / "dir").iterdir()) == ["h"]
    assert sctr("run", "-v", f"{volume}:/data", image, "cat", "/data/in").ok() == "in"
    sctr("rm", "-v", name).ok()
    sctr("volume", "rm", volume).ok()


def test_a_stopped_one_whose_places_are_links(load, tmp_path):
    """What it puts in the place of a mount point leads nowhere but into it."""
    image = load(Image(base_layer().dir("data").dir("target")))
    name, volume = unique_name("cp"), unique_name("v")
    sctr("run", "-d", "--name", name, "-v", f"{volume}:/data/sub", image, "sh", "-c", "touch /data/sub/x").ok()
    sctr("wait", name).ok()
    upper = STORE / "roots" / name / "upper"
    for path in sorted(upper.glob("data/*")):
        path.rmdir()
    (upper / "data").rmdir()
    (upper / "data").symlink_to("../../../../../etc")
    before = sorted(path.name for path in Path("/etc").iterdir())
    (tmp_path / "in").write_text("in")
    sctr("cp", tmp_path / "in", f"{name}:/data/in")
    assert sorted(path.name for path in Path("/etc").iterdir()) == before
    sctr("rm", name).ok()
    sctr("volume", "rm", volume).ok()


def test_one_above_a_directory_that_does_not_run(rootfs, tmp_path):
    name = unique_name("cp")
    sctr("run", "-d", "--name", name, "--rootfs", f"{rootfs}:O", "sh", "-c", "echo new > /new").ok()
    sctr("wait", name).ok()
    sctr("cp", f"{name}:/new", tmp_path / "new").ok()
    assert (tmp_path / "new").read_text() == "new\n"
    (tmp_path / "in").write_text("in")
    sctr("cp", tmp_path / "in", f"{name}:/in").ok()
    assert not (rootfs / "in").exists()
    assert (STORE / "roots" / name / "upper/in").read_text() == "in"
    sctr("rm", name).ok()
    sctr("run", "--rm=false", "--name", name, "--rootfs", f"{rootfs}:O", "sh", "-c", "echo new > /new").ok()
    sctr("cp", f"{name}:/new", tmp_path / "again").ok()
    assert (tmp_path / "again").read_text() == "new\n"
    sctr("rm", name).ok()


@pytest.fixture
def never_started(image, tmp_path):
    """With mounts at places that its image lacks."""
    (tmp_path / "bound").mkdir()
    (tmp_path / "bound/f").write_text("host")
    name, volume = unique_name("c"), unique_name("v")
    mounts = ("-v", f"{volume}:/new/place", "-v", f"{tmp_path}/bound:/h", "-v", f"{tmp_path}/bound/f:/single/file", "-v", f"{volume}d:/d")
    sctr("create", "--name", name, *mounts, image).ok()
    yield name, volume
    sctr("rm", name).ok()
    for each in (volume, f"{volume}d"):
        sctr("volume", "rm", each)


def test_mounts_whose_places_are_missing(never_started, source, tmp_path):
    """They are made, as at the start: what is copied is where the container will see it."""
    name, volume = never_started
    assert cat(name, "/h/f")[0] == b"host" and cat(name, "/single/file")[0] == b"host"
    sctr("cp", source / "file", f"{name}:/new/place/x").ok()
    assert (STORE / "volumes" / volume / "data/x").read_text() == "f"
    assert cat(name, "/new/place/x")[0] == b"f"
    sctr("cp", source / "file", f"{name}:/h/").ok()
    assert (tmp_path / "bound/file").read_text() == "f"
    # A new volume has what the image has there, whoever makes it.
    assert (STORE / "volumes" / f"{volume}d" / "data/one").read_text() == "1"
    sctr("start", name).ok()
    assert sctr("exec", name, "cat", "/new/place/x", "/h/file", "/d/one").ok() == "ff1"
    sctr("stop", "-t", "0", name).ok()


def test_a_mount_whose_source_is_gone(never_started, source, tmp_path):
    name, _ = never_started
    shutil.rmtree(tmp_path / "bound")
    sctr("cp", f"{name}:/h/f", tmp_path / "out").failed(125, "/h/f", "is gone", str(tmp_path / "bound"))
    sctr("cp", source / "file", f"{name}:/h/../h/x").failed(125, "is gone")
    assert cat(name, "/plain")[0] == b"p"
