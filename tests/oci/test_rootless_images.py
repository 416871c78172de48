# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images of a plain user: unpacked with his subordinate ids, mounted in his user namespace."""

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

import guest
from guest import ACCOUNT
from harness import eventually, unique_name
from images import Image, Layer, base_layer

STORE = Path(ACCOUNT.pw_dir) / ".local/share/sctr"


def sctr(*words, **options):
    return guest.guest("sctr", *words, **options)


@pytest.fixture
def load(tmp_path):
    """load(IMAGE): its name in guest's store, from which it goes with the test."""
    names = []

    def load_image(image):
        name = f"localhost/{unique_name('g')}:1"
        path = Path(f"/var/tmp/sctr-{os.getpid()}-{len(names)}.tar")
        image.write_archive(path, name)
        try:
            assert sctr("load", "-q", "-i", path).ok() == name
        finally:
            path.unlink()
        names.append(name)
        return name

    yield load_image
    for name in names:
        sctr("rmi", name).ok()
    left = [str(path) for part in ("layers", "images", "roots", "tmp") for path in (STORE / part).glob("*")]
    shutil.rmtree(STORE, ignore_errors=True)
    assert not left


def test_run(load):
    name = load(Image(base_layer(), Layer().file("x", "y", uid=1234, gid=50), Cmd=["stat", "-c", "%u %g", "/x"]))
    assert sctr("run", name).ok() == "1234 50"
    assert sctr("run", "-u", "alice", name, "sh", "-c", "id -u; echo new > /tmp/f; cat /tmp/f").ok() == "1234\nnew"
    assert sctr("run", name, "ls", "/tmp").ok() == ""


def test_whiteouts_and_opaque_directories(load):
    lower = base_layer().file("a/one", "1").file("a/two", "2").file("b/one", "1")
    name = load(Image(lower, Layer().file("a/.wh.one").file("b/.wh..wh..opq").file("b/new", "n")))
    assert sctr("run", name, "ls", "/a", "/b").ok().split() == ["/a:", "two", "/b:", "new"]
    assert sctr("run", name, "sh", "-c", "rm -rf /b /a/two; ls /a; ls -d /b").status == 1


def test_owners_are_subordinate_ids(load):
    name = load(Image(base_layer().file("x", "y", uid=7), Layer().device("node", 1, 3)))
    lower = [Path(path) for path in json.loads(sctr("image", "inspect", name).ok())[0]["layers"]]
    assert (lower[1] / "x").stat().st_uid not in (0, 7, ACCOUNT.pw_uid)
    assert not (lower[0] / "node").exists()
    assert stat.S_IMODE((STORE / "layers").stat().st_mode) == 0o700


def test_an_id_without_a_subordinate_one(load, tmp_path):
    path = Path(f"/var/tmp/sctr-{os.getpid()}-far.tar")
    Image(base_layer().file("x", "y", uid=4_000_000_000)).write_archive(path)
    try:
        sctr("load", "-q", "-i", path).failed(125, "/x")
    finally:
        path.unlink()
        load(Image(base_layer()))


def test_stored(load):
    name = load(Image(base_layer(), User="alice", Cmd=["sh", "-c", "echo x >> /tmp/count; cat /tmp/count"]))
    container = unique_name("g")
    sctr("run", "-d", "--name", container, name).ok()
    sctr("wait", container).ok()
    sctr("start", container).ok()
    sctr("wait", container).ok()
    eventually(lambda: (STORE / "roots" / container / "upper/tmp/count").exists(), what="the file")
    sctr("rm", container).ok()
    assert not (STORE / "roots" / container).exists()
