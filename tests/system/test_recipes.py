# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recipes: an unpacked layer gives the archive that it came from, byte for byte, or its blob is kept."""

import gzip
import hashlib
import io
import lzma
import os
import subprocess
import tarfile

import pytest

from made_images import BUSYBOX, Layer, base_layer

PROGRAM = "/usr/libexec/sctr/sctr-layer"


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Unpacked:
    """A layer that sctr-layer has unpacked, in the words of publish.cpp."""

    def __init__(self, directory, archive, compress=gzip.compress, rootless=False):
        self.directory, self.archive, self.rootless = directory, archive, rootless
        blob = compress(archive)
        (directory / "diff").mkdir(parents=True)
        (directory / "blob").write_bytes(blob)
        self.recipe = directory / f"{sha(archive)}.recipe"
        fields = [directory / "blob", sha(blob), sha(archive), directory / "diff", self.recipe]
        self.run("unpack", input="".join(f"{field}\0" for field in fields))

    def run(self, *words, input=""):
        command = [PROGRAM, *(["--rootless"] if self.rootless else []), *map(str, words)]
        if self.rootless:  # with a range of ids, as guest has them
            command = ["unshare", "--map-users=0:0:65536", "--map-groups=0:0:65536", "--user", "--", *command]
        done = subprocess.run(command, input=input.encode(), capture_output=True, timeout=20)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def has_recipe(self):
        return self.recipe.exists()

    def archive_again(self):
        return self.run("assemble", self.recipe, sha(self.archive))

    def verify(self):
        return self.run("verify", input=f"{self.recipe}\0{sha(self.archive)}\0{self.recipe.parent}/diff\0").decode()


def tar(form, *members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def long_names(form):
    return tar(form, *[(tarfile.TarInfo("d" * 90 + "/" + "n" * n), b"x" * n) for n in (1, 99, 100, 101, 200)])


def sparse_archive(tmp_path, *flags):
    """Of GNU tar, which has three formats for holes."""
    place = tmp_path / "sparse"
    place.mkdir()
    with open(place / "holes", "wb") as file:
        for offset in (0, 1 << 20, 5 << 20):
            file.seek(offset)
            file.write(os.urandom(10_000))
        file.truncate(8 << 20)
    with open(place / "nothing", "wb") as file:
        file.truncate(3 << 20)
    return subprocess.run(["tar", "-C", place, "--sparse", *flags, "-c", "."], capture_output=True, check=True).stdout


def busybox_archive():
    with open(BUSYBOX, "rb") as program:
        return Layer().file("a/b", program.read()).file("a/c", "").file("d", os.urandom(700_001)).bytes()


def many_files():
    layer = Layer()
    for number in range(3000):
        layer.file(f"d{number % 7}/{number}", str(number) * (number % 50))
    return layer.bytes()


ARCHIVES = {
    "image": lambda _: base_layer().bytes(),
    "large": lambda _: busybox_archive(),
    "many": lambda _: many_files(),
    "ustar": lambda _: tar(tarfile.USTAR_FORMAT, (tarfile.TarInfo("a"), b"1"), (tarfile.TarInfo("b"), b"2" * 600)),
    "gnu long": lambda _: long_names(tarfile.GNU_FORMAT),
    "pax long": lambda _: long_names(tarfile.PAX_FORMAT),
    "sparse gnu": lambda path: sparse_archive(path, "--format=gnu"),
    "sparse pax 0.0": lambda path: sparse_archive(path, "--format=pax", "--sparse-version=0.0"),
    "sparse pax 0.1": lambda path: sparse_archive(path, "--format=pax", "--sparse-version=0.1"),
    "sparse pax 1.0": lambda path: sparse_archive(path, "--format=pax", "--sparse-version=1.0"),
    "whiteouts": lambda _: Layer().file("a/.wh.b").file("a/.wh..wh..opq").file("c/.wh.d", os.urandom(9000)).file("e", "x").bytes(),
    "aufs": lambda _: Layer().file(".wh..wh.plnk/1.2", os.urandom(5000)).file("e", "x").bytes(),
    "hard links": lambda _: Layer().file("a", "x").hardlink("b", "a").hardlink("c", "b").file("d", "y").bytes(),
    "through a link": lambda _: Layer().dir("usr/lib").symlink("lib", "usr/lib").file("lib/a", "content").bytes(),
    "a link to nothing yet": lambda _: Layer().dir("usr").symlink("lib", "/usr").file("lib/a", "content").bytes(),
    "xattrs": lambda _: Layer().file("a", "x", pax_headers={"SCHILY.xattr.user.b": "c", "SCHILY.xattr.trusted.overlay.opaque": "y"}).bytes(),
    "times": lambda _: Layer().file("a", "x", mtime=1.25).file("b", "y", mtime=0).bytes(),
    "absolute": lambda _: Layer().file("/a/./b//c", "x").bytes(),
    "utf-8": lambda _: Layer().file("ä/ö\nü", "x").bytes(),
    "directory again": lambda _: Layer().dir("d").file("d/a", "x").dir("d", 0o700).bytes(),
    "padding": lambda _: Layer().file("a", "x").bytes() + b"\0" * 1_000_001,
    "rubbish behind the end": lambda _: Layer().file("a", "x").bytes() + os.urandom(300_000),
    "nothing behind the member": lambda _: Layer().file("a", os.urandom(1024)).bytes()[:1536],
    "only the end": lambda _: b"\0" * 10240,
}  # fmt: skip


@pytest.mark.parametrize("rootless", [False, True], ids=["root", "rootless"])
@pytest.mark.parametrize("kind", ARCHIVES)
def test_the_archive_again(kind, rootless, tmp_path):
    archive = ARCHIVES[kind](tmp_path)
    # A blob that is not compressed is never smaller than its recipe.
    layer = Unpacked(tmp_path / "layer", archive, compress=bytes, rootless=rootless)
    assert layer.has_recipe()
    assert layer.archive_again() == archive
    assert layer.verify() == ""


def test_device_nodes_that_were_left_out(tmp_path):
    archive = Layer().device("null", 1, 3).file("x", "y").bytes()
    layer = Unpacked(tmp_path / "layer", archive, compress=bytes, rootless=True)
    assert not (tmp_path / "layer/diff/null").exists()
    assert layer.archive_again() == archive


REPLACED = {
    "a file twice": lambda: Layer().file("a", "old").file("a", "new"),
    "by another name": lambda: Layer().dir("d").symlink("l", "d").file("d/a", "old").file("l/a", "new"),
    "by a link": lambda: Layer().file("a", "old").symlink("a", "b"),
    "by a hard link": lambda: Layer().file("a", "old").file("b", "new").hardlink("a", "b"),
    "by a directory": lambda: Layer().file("a", "old").dir("a"),
    "a directory by a file": lambda: Layer().file("d/a", "old").file("d", "new"),
    "parent by a link": lambda: Layer().file("d/a", "old").dir("e").symlink("d", "e").file("e/a", "new"),
}


@pytest.mark.parametrize("kind", REPLACED)
def test_content_that_is_lost_keeps_the_blob(kind, tmp_path):
    layer = Unpacked(tmp_path / "layer", REPLACED[kind]().bytes(), compress=bytes)
    assert not layer.has_recipe()


def test_a_recipe_that_would_be_larger_keeps_the_blob(tmp_path):
    """Content of what is no file, which xz makes smaller than a recipe does."""
    content = b"".join(os.urandom(40) + b"." * 60 for _ in range(20)) * 5000
    archive = Layer().file(".wh.x", content).bytes()
    layer = Unpacked(tmp_path / "layer", archive, compress=lzma.compress)
    assert not layer.has_recipe()


@pytest.mark.parametrize("rootless", [False, True], ids=["root", "rootless"])
def test_a_change_is_found_and_named(rootless, tmp_path):
    archive = Layer().file("etc/passwd", "root:x").file("etc/group", "root:y").file("large", os.urandom(900_000)).bytes()
    layer = Unpacked(tmp_path / "layer", archive, compress=bytes, rootless=rootless)
    diff = tmp_path / "layer/diff"

    def changed(path, words):
        said = layer.verify()
        assert words in said and path in said and said.count("\n") == 1, said
        with pytest.raises(AssertionError, match=path):
            layer.archive_again()

    whole = (diff / "large").read_bytes()
    (diff / "large").write_bytes(whole[:500_000] + b"?" + whole[500_001:])
    changed("diff/large", "its content is another")
    (diff / "large").write_bytes(whole[:-1])
    changed("diff/large", "shorter")
    (diff / "large").write_bytes(whole)
    assert layer.verify() == ""
    (diff / "etc/group").unlink()
    changed("diff/etc/group", "No such file")
    (diff / "etc/group").symlink_to("passwd")
    changed("diff/etc/group", "symbolic links")
    (diff / "etc/group").unlink()
    os.mkfifo(diff / "etc/group")
    changed("diff/etc/group", "no file any more")


def test_a_recipe_never_leads_out_of_the_layer(tmp_path):
    archive = Layer().dir("etc").file("etc/secret", "harmless").bytes()
    layer = Unpacked(tmp_path / "layer", archive, compress=bytes)
    (tmp_path / "secret").write_text("harmless")
    (tmp_path / "layer/diff/etc/secret").unlink()
    (tmp_path / "layer/diff/etc").rmdir()
    (tmp_path / "layer/diff/etc").symlink_to(tmp_path)
    assert "diff/etc/secret" in layer.verify()


def test_a_damaged_recipe(tmp_path):
    layer = Unpacked(tmp_path / "layer", base_layer().bytes(), compress=bytes)
    whole = layer.recipe.read_bytes()
    for damaged in (whole[:-1], whole[: len(whole) // 2], b"", b"nonsense", whole[:200] + b"\xff" + whole[201:]):
        layer.recipe.write_bytes(damaged)
        assert layer.verify().count("\n") == 1
    layer.recipe.write_bytes(whole)
    assert layer.verify() == ""
