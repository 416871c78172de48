# SPDX-License-Identifier: LGPL-2.1-or-later
"""Layers: what their archives become on disk, and those that are refused."""

import json
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

import harness
from harness import sctr, unique_name
from made_images import MTIME, Image, Layer, base_layer
from store import load, nothing_stays_in_the_store  # noqa: F401 (fixtures)


def failed_load(tmp_path, image, *words):
    path = image.write_archive(tmp_path / "bad.tar")
    sctr("load", "-q", "-i", path).failed(125, *words)
    sctr("system", "prune").ok()


def show(name, *command):
    return sctr("run", name, *command).ok()


def test_whiteouts(load):
    lower = base_layer().file("a/one", "1").file("a/two", "2").file("b/one", "1").file("c", "c")
    upper = Layer().file("a/.wh.one").file("b/.wh..wh..opq").file("b/new", "n").file(".wh.c")
    name = load(Image(lower, upper))
    assert show(name, "ls", "/a") == "two"
    assert show(name, "ls", "/b") == "new"
    assert sctr("run", name, "ls", "/c").status == 1


def test_a_whiteout_does_not_hide_its_own_layer(load):
    lower = base_layer().file("d/old", "o").file("f", "old")
    before = Layer().file(".wh.d").dir("d").file("d/new", "n").file(".wh.f").file("f", "new")
    after = Layer().dir("d").file("d/new", "n").file(".wh.d").file("f", "new").file(".wh.f")
    for upper in (before, after):
        name = load(Image(lower if upper is before else lower_again(), upper))
        assert show(name, "sh", "-c", "ls /d; cat /f") == "new\nnew"


def lower_again():
    return base_layer().file("d/old", "o").file("f", "old")


def test_metadata(load):
    layer = base_layer()
    layer.file("suid", "x", mode=0o4755, uid=7, gid=8)
    layer.hardlink("hard", "suid", mode=0o4755, uid=7, gid=8)
    layer.dir("sticky", 0o1770, uid=3, gid=4)
    layer.file("sticky/inside", "x")
    layer.add("fifo", kind=tarfile.FIFOTYPE, mode=0o640)
    layer.device("null", 1, 3, mode=0o666)
    layer.file(
        "attributes", "x", pax_headers={"SCHILY.xattr.user.colour": "green", "SCHILY.xattr.trusted.overlay.opaque": "y"}
    )
    name = load(Image(layer))
    lower = Path(json.loads(sctr("image", "inspect", name).ok())[0]["layers"][0])
    suid = (lower / "suid").stat()
    assert (suid.st_mode & 0o7777, suid.st_uid, suid.st_gid, suid.st_mtime) == (0o4755, 7, 8, MTIME)
    assert suid.st_ino == (lower / "hard").stat().st_ino
    sticky = (lower / "sticky").stat()
    assert (sticky.st_mode & 0o7777, sticky.st_uid, sticky.st_gid, sticky.st_mtime) == (0o1770, 3, 4, MTIME)
    assert stat.S_ISFIFO((lower / "fifo").stat().st_mode)
    assert (lower / "null").stat().st_rdev == os.makedev(1, 3)
    assert os.listxattr(lower / "attributes") == ["user.colour"]
    assert os.getxattr(lower / "attributes", "user.colour") == b"green"
    link = (lower / "bin/sh").lstat()
    assert stat.S_ISLNK(link.st_mode) and link.st_mtime == MTIME


def test_implied_directories_look_as_below(load):
    lower = base_layer().dir("closed", 0o700, uid=5)
    name = load(Image(lower, Layer().file("closed/file", "x").file("fresh/file", "y")))
    assert show(name, "stat", "-c", "%a %u", "/closed", "/fresh", "/").splitlines() == ["700 5", "755 0", "755 0"]


def test_the_later_of_two_members(load):
    layer = base_layer().file("x", "old").dir("x").file("x/y", "in").dir("z").file("z/in", "q").file("z", "file")
    name = load(Image(layer))
    assert show(name, "cat", "/x/y", "/z") == "infile"


def test_plain_layers(load):
    name = load(Image(base_layer(), compress=lambda data: data, suffix=""))
    assert show(name, "echo", "x") == "x"


@pytest.mark.parametrize("kind", ["zstd", "zstd:chunked"])
def test_zstd_layers(tmp_path, kind):
    """Those that skopeo makes; of chunked ones what the chunks are for is passed over."""
    name = f"localhost/{unique_name('z')}:1"
    text = os.urandom(300_000).hex()
    image = Image(base_layer().file("x", text), Layer().file("y", "y"), compress=lambda data: data, suffix="")
    plain, packed = image.write_archive(tmp_path / "plain.tar", name), tmp_path / "packed"
    harness.host("skopeo", "copy", "--dest-compress-format", kind, f"oci-archive:{plain}", f"oci:{packed}:{name}")
    assert sctr("load", "-q", "-i", packed).ok() == name
    types = {layer["mediaType"] for layer in json.loads(sctr("image", "inspect", name).ok())[0]["manifest"]["layers"]}
    assert types == {"application/vnd.oci.image.layer.v1.tar+zstd"}
    assert sctr("run", name, "cat", "/y", "/x").ok() == "y" + text
    sctr("rmi", name).ok()


def sparse_layer():
    """A GNU sparse member of 1 GiB with one byte at its end, as tar writes it."""
    path = Path("/var/tmp/sctr-sparse")
    with open(path, "wb") as file:
        file.truncate(1 << 30)
        file.seek((1 << 30) - 1)
        file.write(b"x")
    done = subprocess.run(
        ["tar", "-C", path.parent, "--sparse", "--format=gnu", "-c", path.name], capture_output=True, check=True
    )
    path.unlink()
    return done.stdout


def test_sparse_files_stay_sparse(load):
    name = load(Image(base_layer(), sparse_layer()))
    lower = Path(json.loads(sctr("image", "inspect", name).ok())[0]["layers"][0])
    status = (lower / "sctr-sparse").stat()
    assert status.st_size == 1 << 30 and status.st_blocks * 512 < 1 << 20


HOSTILE = {
    "climbs": (Layer().file("../../evil", "x"), "leads out"),
    "climbs_within": (Layer().file("a/../../evil", "x"), "leads out"),
    "link_to_nothing": (Layer().hardlink("x", "etc/shadow"), "does not have"),
    "link_that_climbs": (Layer().hardlink("x", "../../../etc/shadow"), "leads out"),
    "long_name": (Layer().file("x" * 300, "x"), "255"),
    "long_path": (Layer().file("d/" * 2500 + "x", "x"), "4095"),
    "whiteout_of_dots": (Layer().file("a/.wh..."), "whiteout of nothing"),
    "link_to_a_directory": (Layer().dir("d").hardlink("x", "d"), "no file"),
    "no_archive": (b"this is no archive at all" * 100, "layer"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_layers_are_refused(tmp_path, case):
    layer, word = HOSTILE[case]
    failed_load(tmp_path, Image(layer), word)


def test_links_that_lead_out_are_contained(load):
    target = Path("/var/tmp/sctr-escaped")
    layer = base_layer().dir("var/tmp").symlink("out", "/var/tmp").file("out/sctr-escaped", "x")
    layer.symlink("up", "../../../../../../var/tmp").file("up/sctr-escaped-too", "y")
    name = load(Image(layer))
    assert show(name, "cat", "/var/tmp/sctr-escaped", "/var/tmp/sctr-escaped-too") == "xy"
    assert not target.exists() and not Path("/var/tmp/sctr-escaped-too").exists()


def test_a_link_that_leads_nowhere_is_no_directory(tmp_path):
    layer = Layer().symlink("out", "/var/tmp").file("out/sctr-escaped", "x")
    failed_load(tmp_path, Image(layer), "symbolic link")


def test_absolute_names_are_below_the_root(load):
    target = Path("/sctr-absolute")
    name = load(Image(base_layer().file("/sctr-absolute", "x")))
    assert not target.exists()
    assert show(name, "cat", "/sctr-absolute") == "x"


def test_a_layer_that_is_another(tmp_path):
    image = Image(base_layer())
    image.diff_ids = ["sha256:" + "0" * 64]
    failed_load(tmp_path, image, "not what the image's config says")


WALK = """
import hashlib, json, os, stat, sys
found = {}
for directory, _, _ in os.walk(sys.argv[1]):
    for name in [".", *os.listdir(directory)]:
        path = os.path.normpath(os.path.join(directory, name))
        info = os.lstat(path)
        content = ""
        if stat.S_ISREG(info.st_mode):
            content = hashlib.sha256(open(path, "rb").read()).hexdigest()
        elif stat.S_ISLNK(info.st_mode):
            content = os.readlink(path)
        xattrs = {x: os.getxattr(path, x, follow_symlinks=False).hex()
                  for x in os.listxattr(path, follow_symlinks=False) if ".overlay." not in x}
        found[os.path.relpath(path, sys.argv[1])] = [
            info.st_mode, info.st_uid, info.st_gid, info.st_rdev, info.st_nlink if content else 0,
            info.st_mtime_ns, content, xattrs]
print(json.dumps(found))
"""


def tree_of(path, *prefix):
    return json.loads(harness.host(*prefix, "python3", "-c", WALK, path))


def test_the_tree_is_podmans(load, tmp_path):
    """The same image gives the same tree: bytes, modes, owners, times, xattrs."""
    lower = base_layer().dir("home").dir("gone").dir("kept").dir("replaced")
    lower.file("gone/a", "a").file("kept/b", "b", mode=0o4751, uid=5, gid=6)
    lower.dir("closed", 0o711, uid=9).file("closed/in", "i").file("replaced/x", "x").hardlink("two", "kept/b")
    lower.device("null", 1, 3, mode=0o666).add("fifo", kind=tarfile.FIFOTYPE, mode=0o600)
    # Every builder writes the directories on the way, too; those it leaves out podman makes up.
    upper = Layer().dir("gone").dir("closed", 0o711, uid=9).dir("replaced")
    upper.file("gone/.wh.a").file("closed/new", "n").file("replaced/.wh..wh..opq").file("replaced/y", "y")
    upper.file("x", "x", pax_headers={"SCHILY.xattr.user.a": "b"}).symlink("abs", "/etc/passwd")
    cap = bytes.fromhex("0100000200200000000000000000000000000000")
    upper.file("ping", "p", mode=0o755, pax_headers={"SCHILY.xattr.security.capability": cap.decode("latin-1")})
    image = Image(lower, upper)
    name = load(image)
    harness.host("podman", "load", "-q", "-i", image.write_archive(tmp_path / "p.tar", name))
    try:
        theirs = tree_of(harness.host("podman", "image", "mount", name).strip())
        layers = json.loads(sctr("image", "inspect", name).ok())[0]["layers"]
        mount = f"mount -t overlay none -o ro,lowerdir={':'.join(layers)} {layers[0]} && exec \"$@\""
        ours = tree_of(layers[0], "unshare", "--mount", "sh", "-c", mount, "sh")
    finally:
        harness.host("podman", "rmi", "-f", name)
    del ours["."], theirs["."]  # podman makes it 0555 where no layer tells of it
    assert ours == theirs
