# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes: named, anonymous, of images and of other containers."""

import io
import json
import os
import signal
import subprocess
import tarfile

import pytest

import harness
from harness import eventually, make_directories_in_directories, sctr, swapping, unique_name
from made_images import Image, base_layer
from store import STORE, load, nothing_stays_in_the_store  # noqa: F401 (fixtures)


@pytest.fixture
def volume():
    """A name for a volume that goes with the test."""
    name = unique_name("v")
    yield name
    sctr("volume", "rm", name)


@pytest.fixture
def image(load):
    layer = base_layer().dir("data", 0o1750, uid=33, gid=34).file("data/a", "A", uid=5, mode=0o640)
    layer.hardlink("data/b", "data/a", uid=5, mode=0o640).symlink("data/link", "/etc/passwd").dir("data/deep")
    layer.file("data/.wh.kept", "k").file("data/attribute", "x", pax_headers={"SCHILY.xattr.user.colour": "green"})
    return load(Image(layer, Volumes={"/kept": {}}, Cmd=["sh"]))


def sh(image, command, *flags):
    return sctr("run", *flags, image, "sh", "-c", command)


def volumes():
    return json.loads(sctr("volume", "ls", "--json").ok())


def test_a_named_volume_outlives_its_containers(image, volume):
    sh(image, "echo one > /v/file", "-v", f"{volume}:/v").ok()
    assert sh(image, "cat /v/file", "-v", f"{volume}:/v:ro").ok() == "one"
    assert sh(image, "echo x > /v/file", "-v", f"{volume}:/v:ro").status == 1
    assert sh(image, "cat /v/file", "--mount", f"type=volume,src={volume},dst=/v").ok() == "one"


def test_a_new_volume_begins_with_what_the_image_has(image, volume):
    sh(image, "rm /data/link", "-v", f"{volume}:/data").ok()
    data = STORE / "volumes" / volume / "data"
    looks = data.stat()
    assert (looks.st_mode & 0o7777, looks.st_uid, looks.st_gid) == (0o1750, 33, 34)
    a = (data / "a").stat()
    assert (a.st_mode & 0o7777, a.st_uid, a.st_nlink, (data / "a").read_text()) == (0o640, 5, 2, "A")
    assert os.getxattr(data / "attribute", "user.colour") == b"green"
    assert not os.path.lexists(data / "link") and (data / "deep").is_dir()
    (data / "new").write_text("n")
    assert sh(image, "ls /data", "-v", f"{volume}:/data").ok().split() == ["a", "attribute", "b", "deep", "new"]


def test_one_that_was_made_before_is_filled_once(image, volume):
    assert sctr("volume", "create", "--label", "for=tests", volume).ok() == volume
    assert sh(image, "ls /data", "-v", f"{volume}:/data:nocopy").ok() == ""
    assert "a" in sh(image, "ls /data; rm -r /data/*", "-v", f"{volume}:/data").ok()
    assert sh(image, "ls /data", "-v", f"{volume}:/data").ok() == ""
    about = json.loads(sctr("volume", "inspect", volume).ok())[0]
    assert about["labels"] == {"for": "tests"} and about["path"] == str(STORE / "volumes" / volume / "data")
    sctr("volume", "create", volume).failed(125, "one of that name")


def test_over_a_directory_as_root(run, volume):
    assert "passwd" in run("-v", f"{volume}:/etc", "ls", "/etc").ok()


def test_an_anonymous_volume_goes_with_its_container(image):
    assert sh(image, "echo x > /anon/x; echo y > /kept/y; cat /anon/x /kept/y", "-v", "/anon").ok() == "x\ny"
    assert volumes() == []


def test_of_a_stored_container(image, volume):
    container = unique_name("c")
    command = "echo x >> /kept/count; echo x >> /v/count; cat /kept/count"
    sctr("run", "-d", "--name", container, "-v", f"{volume}:/v", image, "sh", "-c", command).ok()
    sctr("wait", container).ok()
    sctr("rename", container, container + "b").ok()
    sctr("start", container + "b").ok()
    sctr("wait", container + "b").ok()
    eventually(lambda: "x\nx" in sctr("logs", container + "b").ok(), what="the second line")
    anonymous = next(v for v in volumes() if v["anonymous"])
    assert anonymous["containers"] == [container + "b"]
    sctr("volume", "rm", volume).failed(125, f"stored container '{container}b'")
    sctr("volume", "rm", anonymous["name"]).failed(125, "mounts it")
    assert sctr("volume", "prune", "--all").ok() == ""
    assert sh(image, "cat /kept/count", "--volumes-from", container + "b:ro").ok() == "x\nx"
    sctr("rm", "-v", container + "b").ok()
    assert [v["name"] for v in volumes()] == [volume]


def test_rm_keeps_anonymous_volumes_unless_told(image):
    container = unique_name("c")
    sctr("create", "--name", container, image, "true").ok()
    sctr("start", container).ok()
    sctr("wait", container).ok()
    sctr("rm", container).ok()
    (left,) = volumes()
    sctr("volume", "ls", "--force").failed(125, "--force", "only prune")
    assert sctr("volume", "prune", "--force").ok() == left["name"]
    assert volumes() == []


def test_a_detached_container_with_rm(image):
    container = unique_name("c")
    sctr("run", "-d", "--rm", "--name", container, image, "touch", "/kept/x").ok()
    eventually(lambda: volumes() == [], what="the end of the volume")


def test_in_use(image, volume):
    container = unique_name("c")
    process = subprocess.Popen(
        ["sctr", "run", "--name", container, "-v", f"{volume}:/v", image, "sh", "-c", harness.WAIT],
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"ready\n"
    sctr("volume", "rm", volume).failed(125, "a container uses it")
    assert sctr("volume", "prune", "-a").ok() == ""
    assert sh(image, "ls -d /v /kept", "--volumes-from", container).ok() == "/kept\n/v"
    sctr("stop", container).ok()
    assert process.wait(20) == 0
    process.stdout.close()


def test_a_killed_supervisor_leaves_what_prune_sweeps(image):
    container = unique_name("c")
    process = subprocess.Popen(
        ["sctr", "run", "--name", container, image, "sh", "-c", "echo ready; sleep 99"], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    eventually(lambda: container not in sctr("ps", "-a", "-q").lines, what="the sweep of the record")
    sctr("system", "prune").ok()
    assert volumes() == []


def test_the_containers_user_gets_it(image, volume, tmp_path):
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/file").write_text("x")
    os.symlink("/etc/passwd", tmp_path / "dir/link")
    owner = os.stat("/etc/passwd").st_uid
    flags = ("-u", "33:34", "-v", f"{volume}:/data:U", "-v", f"{tmp_path}:/bind:U")
    assert sh(image, "stat -c %u:%g /data /data/a /bind/dir/file && echo x > /data/a", *flags).ok().split() == ["33:34"] * 3
    assert os.lstat(tmp_path / "dir/link").st_uid == 33 and os.stat("/etc/passwd").st_uid == owner


OTHER = 4711  # an account that is not the caller's


@pytest.fixture
def of_another(tmp_path):
    """A directory of another user's, who leads links from there to what is not his."""
    bait = tmp_path / "bait"
    bait.mkdir()
    (bait / "file").write_text("x")
    his = tmp_path / "his"
    his.mkdir()
    (his / "dir").mkdir()
    (his / "dir/file").write_text("x")
    (his / "link").symlink_to(bait)
    (his / "link-to-file").symlink_to(bait / "file")
    for path in [his, *his.rglob("*")]:
        os.chown(path, OTHER, OTHER, follow_symlinks=False)
    yield his
    assert {path.stat().st_uid for path in (bait, bait / "file")} == {0}


@pytest.mark.parametrize("path", ["link", "link-to-file", "link/file", "link/../bait", "dir/../link"])
def test_nothing_is_given_away_by_a_link_of_another_user(image, of_another, path):
    sh(image, "true", "-u", "33", "-v", f"{of_another}/{path}:/y:U").failed(125, "symbolic link of the user 4711", "leads")


def test_what_another_user_swaps_for_a_link_meanwhile_is_not_given_away(image, of_another):
    with swapping(of_another / "dir", of_another / "link"):
        given = {sh(image, "true", "-u", "33", "-v", f"{of_another}/dir:/y:U").status for _ in range(int(os.environ.get("SCTR_TEST_RACES", "20")))}
    assert 125 in given


def test_links_of_root_lead_to_what_is_given_away(image, of_another, tmp_path):
    (tmp_path / "roots").symlink_to(of_another / "dir")
    sh(image, "true", "-u", "33", "-v", f"{tmp_path}/roots:/y:U").ok()
    assert {(of_another / name).stat().st_uid for name in ("dir", "dir/file")} == {33}
    (tmp_path / "etc").symlink_to("/etc")
    for path in (tmp_path / "etc", "/./etc", "//var//lib/../lib", "/proc/self/root/etc"):
        sh(image, "true", "-u", "33", "-v", f"{path}:/y:U").failed(125, "the host's own")


def test_a_file_is_given_away(image, of_another):
    sh(image, "true", "-u", "33:34", "-v", f"{of_another}/dir/file:/y:U").ok()
    found = (of_another / "dir/file").stat()
    assert (found.st_uid, found.st_gid) == (33, 34)


def test_directories_without_end_are_not_given_away(image, of_another):
    make_directories_in_directories(of_another / "dir", 3_000)
    sh(image, "true", "-u", "33", "-v", f"{of_another}/dir:/y:U").failed(125, "without end")
    harness.host("rm", "-r", of_another / "dir")


def test_from_containers_that_are_not_there(image):
    sh(image, "true", "--volumes-from", "none").failed(125, "none")
    sh(image, "true", "--volumes-from", "none:sometimes").failed(125, "--volumes-from", "ro|rw")
    sh(image, "true", "--volumes-from", "../x").failed(125)


def test_export_and_import(image, volume, tmp_path):
    sh(image, "true", "-v", f"{volume}:/data").ok()
    path = tmp_path / "out.tar"
    sctr("volume", "export", "-o", path, volume).ok()
    with tarfile.open(path) as archive:
        assert {"a", "deep", "link", ".wh.kept"} <= {name.removeprefix("./").rstrip("/") for name in archive.getnames()} | {".wh.kept"}
    other = unique_name("v")
    sctr("volume", "import", other, path).failed(125, "no such volume")
    sctr("volume", "create", other).ok()
    try:
        sctr("volume", "import", other, path).ok()
        copy = STORE / "volumes" / other / "data"
        looks = copy.stat()
        assert (looks.st_mode & 0o7777, looks.st_uid) == (0o1750, 33)
        assert (copy / "a").stat().st_nlink == 2 and (copy / "a").stat().st_uid == 5
        assert sctr("volume", "export", other).out == path.read_bytes()
    finally:
        sctr("volume", "rm", other).ok()


@pytest.mark.parametrize("name", ["../climbs", "out/climbs"])
def test_a_hostile_archive(volume, name):
    sctr("volume", "create", volume).ok()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, "/var/tmp"
        archive.addfile(link)
        member = tarfile.TarInfo(name)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    sctr("volume", "import", volume, input=buffer.getvalue()).failed(125)
    assert not os.path.exists("/var/tmp/climbs") and not (STORE / "volumes/climbs").exists()


def test_names_that_are_none():
    for name in ("../x", "a/b", ".x", "-x", "x" * 201, "a b"):
        assert sctr("volume", "create", "--", name).status == 125, name
        assert sctr("volume", "inspect", "--", name).status == 125, name
    sctr("volume", "rm", "none").failed(125, "no such volume")
    sctr("volume", "fly").failed(125, "fly")
    sctr("volume").failed(125, "sctr volume --help")


def test_made_by_many_at_once(image, volume):
    processes = [
        subprocess.Popen(["sctr", "run", "-v", f"{volume}:/data", image, "cat", "/data/a"], stdout=subprocess.PIPE)
        for _ in range(5)
    ]
    assert [process.communicate(timeout=60)[0] for process in processes] == [b"A"] * 5


def test_a_dry_run_makes_none(image):
    sctr("run", "--dry-run", "-v", "never-made:/v", image, "true").ok()
    assert volumes() == []
