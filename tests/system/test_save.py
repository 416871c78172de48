# SPDX-License-Identifier: LGPL-2.1-or-later
"""sctr save of several images in one archive: what sctr, podman and skopeo read of it."""

import json
import subprocess
import tarfile

import pytest

from harness import sctr, unique_name
from made_images import Image, Layer, base_layer
from store import load, nothing_stays_in_the_store  # noqa: F401 (fixtures)

FORMS = ("oci-archive", "docker-archive", "oci-dir")


def other_image(**process):
    return Image(base_layer(), Layer().file("etc/other", "text\n"), **process)


@pytest.fixture
def three(load):
    """Two images that share a layer, and a second name of the first."""
    first = load(Image(base_layer(), Cmd=["echo", "first"]))
    second = load(other_image(Cmd=["cat", "/etc/other"]))
    again = f"localhost/{unique_name('again')}:2"
    sctr("tag", first, again).ok()
    yield first, second, again
    sctr("rmi", again)


def ask(*words):
    return subprocess.run([*map(str, words)], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("form", FORMS)
def test_several_and_back(form, three, tmp_path):
    path = tmp_path / "images"
    sctr("save", "-m", "--format", form, "-o", path, *three).ok()
    ids = {name: json.loads(sctr("image", "inspect", name).ok())[0]["id"] for name in three}
    for name in three:
        sctr("rmi", name).ok()
    assert sorted(sctr("load", "-q", "-i", path).lines) == sorted(three)
    assert ids == {name: json.loads(sctr("image", "inspect", name).ok())[0]["id"] for name in three}
    first, second, again = three
    assert sctr("run", first).ok() == "first"
    assert sctr("run", again).ok() == "first"
    assert sctr("run", second).ok() == "text"


def test_a_layer_of_several_is_there_once(three, tmp_path):
    sctr("save", "-o", tmp_path / "oci", *three).ok()
    sctr("save", "--format", "docker-archive", "-o", tmp_path / "docker", *three).ok()
    with tarfile.open(tmp_path / "oci") as archive:
        names = archive.getnames()
        assert len([name for name in names if name.startswith("blobs/sha256/")]) == 2 + 2 + 2
    with tarfile.open(tmp_path / "docker") as archive:
        names = archive.getnames()
        assert len([name for name in names if name.endswith(".tar")]) == 2
        manifest = json.load(archive.extractfile("manifest.json"))
    first, second, again = three
    assert [image["RepoTags"] for image in manifest] == [[first, again], [second]]
    assert len(names) == len(set(names))


def test_skopeo_reads_them(three, tmp_path):
    for form in FORMS:
        path = tmp_path / form
        sctr("save", "--format", form, "-o", path, *three).ok()
        transport = "oci" if form == "oci-dir" else form
        for name in three:
            config = json.loads(ask("skopeo", "inspect", "--config", f"{transport}:{path}:{name}"))
            expected = ["cat", "/etc/other"] if name == three[1] else ["echo", "first"]
            assert config["config"]["Cmd"] == expected


def test_podman_reads_them(three, tmp_path):
    path = tmp_path / "images.tar"
    sctr("save", "--format", "docker-archive", "-o", path, *three).ok()
    podman = ("podman", "--root", tmp_path / "store", "--runroot", tmp_path / "run", "--storage-driver", "vfs")
    loaded = ask(*podman, "load", "-q", "-i", path)
    assert all(name in loaded for name in three)
    ask("podman", "--root", tmp_path / "store", "--runroot", tmp_path / "run", "system", "reset", "--force")


@pytest.mark.parametrize("form", FORMS)
def test_podman_reads_one(form, three, tmp_path):
    path = tmp_path / "image"
    sctr("save", "--format", form, "-o", path, three[1]).ok()
    podman = ("podman", "--root", tmp_path / "store", "--runroot", tmp_path / "run", "--storage-driver", "vfs")
    loaded = ask(*podman, "load", "-q", "-i", path)
    assert loaded.startswith("Loaded image: sha256:" if form == "oci-dir" else f"Loaded image: {three[1]}")
    ask("podman", "--root", tmp_path / "store", "--runroot", tmp_path / "run", "system", "reset", "--force")


def test_to_a_pipe(three):
    saved = subprocess.run(["sctr", "save", *three], check=True, capture_output=True).stdout
    for name in three:
        sctr("rmi", name).ok()
    loaded = subprocess.run(["sctr", "load", "-q"], input=saved, check=True, capture_output=True, text=False)
    assert sorted(loaded.stdout.decode().split()) == sorted(three)


def test_by_id_it_has_a_name_of_it(load, tmp_path):
    name = load(other_image())
    short = json.loads(sctr("image", "inspect", name).ok())[0]["id"][:12]
    sctr("save", "-o", tmp_path / "x", short).ok()
    assert sctr("load", "-q", "-i", tmp_path / "x").ok() == f"localhost/{short}:latest"
    sctr("rmi", f"localhost/{short}:latest").ok()


def test_an_archive_that_is_there_is_replaced(three, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"x" * (64 << 20))
    sctr("save", "-o", path, three[0]).ok()
    sctr("rmi", three[0]).ok()
    assert sctr("load", "-q", "-i", path).ok() == three[0]
    assert path.stat().st_size < 64 << 20


def test_into_a_directory_beside_other_files(three, tmp_path):
    (tmp_path / "note").write_text("mine")
    sctr("save", "--format", "oci-dir", "-o", tmp_path, *three).ok()
    for name in three:
        sctr("rmi", name).ok()
    assert sorted(sctr("load", "-q", "-i", tmp_path).lines) == sorted(three)
    sctr("save", "--format", "oci-dir", "-o", tmp_path, three[0]).failed(125, str(tmp_path), "already")
    assert sorted(sctr("load", "-q", "-i", tmp_path).lines) == sorted(three)
    assert (tmp_path / "note").read_text() == "mine"


def test_what_cannot_be_saved(three, tmp_path):
    path = tmp_path / "x"
    sctr("save", "-o", path).failed(125, "no image named")
    sctr("save", "-o", path, three[0], "localhost/none:1").failed(125, "no such image", "localhost/none:1")
    sctr("save", "--format", "tar", "-o", path, *three).failed(125, "--format", "docker-archive")
    sctr("save", "--format", "oci-dir", *three).failed(125, "where to write")
    assert not path.exists()


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_leaves_nothing(form, three, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    ask("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small)
    try:
        sctr("save", "--format", form, "-o", small / "x", *three).failed(125, "cannot write", "small/x")
        assert list(small.iterdir()) == []
    finally:
        ask("umount", small)
