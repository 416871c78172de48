# SPDX-License-Identifier: LGPL-2.1-or-later
"""Layers are on disk once: blobs that recipes stand for are gone, and everything that needs them works."""

import gzip
import hashlib
import io
import json
import os
import stat
import struct
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness import sctr, unique_name
from made_images import Image, Layer, base_layer
from registry import Registry
from store import STORE, load, nothing_stays_in_the_store, pulled  # noqa: F401 (fixtures)

BLOBS = STORE / "blobs/sha256"


@pytest.fixture
def registry():
    with Registry() as running:
        yield running
    sctr("system", "prune").ok()


def inspect(name):
    return json.loads(sctr("image", "inspect", name).ok())[0]


def blobs_of(name):
    return [BLOBS / layer["digest"].removeprefix("sha256:") for layer in inspect(name)["manifest"]["layers"]]


def layer_of(name, number):
    """The lowest is 0."""
    return Path(inspect(name)["layers"][::-1][number])


def archives_in(path):
    """The decompressed layers of a saved image, the lowest first."""
    with tarfile.open(path) as archive:
        read = lambda name: archive.extractfile(name).read()  # noqa: E731
        names = archive.getnames()
        if "manifest.json" in names:
            return [read(name) for name in json.loads(read("manifest.json"))[0]["Layers"]]
        blob = lambda digest: read("blobs/sha256/" + digest.removeprefix("sha256:"))  # noqa: E731
        manifest = json.loads(blob(json.loads(read("index.json"))["manifests"][0]["digest"]))
        layers = [blob(layer["digest"]) for layer in manifest["layers"]]
        return [gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer for layer in layers]


def push(registry, name, target):
    sctr("push", "-q", "--tls-verify=false", name, f"{registry.address}/{target}").ok()


def pull(*words):
    return sctr("pull", "-q", "--tls-verify=false", *words)


def bytes_in_the_store():
    return sum(os.lstat(path).st_size for path in STORE.rglob("*") if path.is_file() and not path.is_symlink())


def test_blobs_of_unpacked_layers_are_gone(load):
    before = bytes_in_the_store()
    name = load(Image(base_layer(), Layer().file("x", os.urandom(100_000))))
    assert [blob.is_symlink() for blob in blobs_of(name)] == [True, True]
    assert sctr("system", "check").ok() == ""
    content = Path("/bin/busybox").stat().st_size + 100_000
    assert bytes_in_the_store() - before < content * 1.1 + 50_000


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_saved_layers_are_what_they_were(form, load, tmp_path):
    image = Image(base_layer(), Layer().file("x", os.urandom(100_000)).file("e/.wh.f").hardlink("y", "x"))
    name = load(image)
    sctr("save", "--format", form, "-o", tmp_path / "saved.tar", name).ok()
    assert archives_in(tmp_path / "saved.tar") == image.layers


def test_a_layer_twice_in_an_image(load, tmp_path):
    layer = Layer().file("x", os.urandom(10_000)).bytes()
    image = Image(base_layer(), layer, Layer().file(".wh.x"), layer)
    name = load(image)
    assert sctr("run", name, "ls", "/x").ok() == "/x"
    sctr("save", "-o", tmp_path / "saved.tar", name).ok()
    assert archives_in(tmp_path / "saved.tar") == image.layers


def test_blobs_that_stay(load, tmp_path):
    """Content that later members replace is nowhere but in the blob."""
    layer = Layer().file("x", os.urandom(10_000)).file("x", "new").bytes()
    image = Image(base_layer(), layer)
    name = load(image)
    assert [blob.is_symlink() for blob in blobs_of(name)] == [True, False]
    sctr("save", "-o", tmp_path / "saved.tar", name).ok()
    assert archives_in(tmp_path / "saved.tar") == image.layers
    blobs_of(name)[1].write_bytes(b"?")
    assert "damaged" in sctr("system", "check").stdout
    sctr("system", "check", "--repair").ok()


def test_push_to_where_it_came_from_changes_nothing(registry, pulled):
    name = registry.add("a/b", "1", Image(base_layer(), Layer().file("x", os.urandom(100_000))))
    pull(name).ok()
    pulled.append(name)
    push(registry, name, "a/b:2")
    assert registry.tags["a/b", "2"] == registry.tags["a/b", "1"]
    assert inspect(name)["digest"] == "sha256:" + registry.tags["a/b", "2"]


def test_push_to_a_registry_that_lacks_it(registry, pulled, load):
    name = load(Image(base_layer(), Layer().file("x", os.urandom(100_000)), Cmd=["echo", "pushed"]))
    push(registry, name, "a/b:1")
    target = f"{registry.address}/a/b:1"
    pull(target).ok()
    pulled.append(target)
    assert inspect(target)["id"] == inspect(name)["id"]
    assert sctr("run", target).ok() == "pushed"


def test_shared_layers_are_not_fetched_again(registry, pulled):
    base, shared = base_layer().file("own", os.urandom(8)).bytes(), Layer().file("x", os.urandom(50_000)).bytes()
    first = registry.add("a/b", "1", Image(base, shared))
    pull(first).ok()
    pulled.append(first)
    # The same at another place of the stack is another layer, but no other blob.
    second = registry.add("a/c", "1", Image(base, Layer().file("y", "z"), shared))
    registry.requests.clear()
    pull(second).ok()
    pulled.append(second)
    assert registry.count(registry.digest_of_layer(second, 0)) == 0
    assert registry.count(registry.digest_of_layer(second, 2)) == 0
    assert sctr("run", second, "ls", "/x", "/y", "/own").lines == ["/own", "/x", "/y"]
    assert sctr("system", "check").ok() == ""


def test_blobs_outlive_the_layer_that_stood_for_them(registry, pulled, tmp_path):
    base, shared = base_layer().file("own", os.urandom(8)).bytes(), Layer().file("x", os.urandom(50_000)).bytes()
    image = Image(base, Layer().file("y", "z"), shared)
    first = registry.add("a/b", "1", Image(base, shared))
    second = registry.add("a/c", "1", image)
    pull(first).ok()
    pull(second).ok()
    pulled.append(second)
    sctr("rmi", first).ok()
    assert sctr("system", "check").ok() == ""
    sctr("save", "-o", tmp_path / "saved.tar", second).ok()
    assert archives_in(tmp_path / "saved.tar") == image.layers


def test_the_same_layer_compressed_otherwise(load):
    layers = [base_layer().file("own", os.urandom(8)).bytes(), Layer().file("x", os.urandom(50_000)).bytes()]
    first, second = load(Image(*layers)), load(Image(*layers, compress=bytes, suffix=""))
    assert layer_of(first, 1) == layer_of(second, 1)
    assert all(blob.is_symlink() for blob in blobs_of(first) + blobs_of(second))


def test_a_blob_that_is_not_the_layer_of_the_config(load, tmp_path):
    """Both are here already; the image pairs them wrongly."""
    layers = [base_layer().file("own", os.urandom(8)), Layer().file("x", os.urandom(5000)), Layer().file("y", os.urandom(5000))]
    image = Image(*layers)
    load(image)
    image.diff_ids[2] = image.diff_ids[1]
    bad = image.write_archive(tmp_path / "bad.tar", f"localhost/{unique_name('b')}:1")
    sctr("load", "-q", "-i", bad).failed(125, "not what the image's config says")
    sctr("system", "prune").ok()


def test_a_changed_layer_is_found_refused_and_repaired(registry, load, tmp_path):
    name = load(Image(base_layer(), Layer().file("data/x", os.urandom(5000))))
    file = layer_of(name, 1) / "data/x"
    file.write_bytes(os.urandom(5000))
    found = sctr("system", "check")
    assert found.status == 1 and "layer" in found.stdout and "data/x" in found.stdout and "another" in found.stdout
    out = tmp_path / "saved.tar"
    sctr("save", "-o", out, name).failed(125, "data/x", "check --repair")
    assert not out.exists()
    target = f"{registry.address}/a/b:1"
    sctr("push", "-q", "--tls-verify=false", name, target).failed(125, "data/x", "check --repair")
    assert ("a/b", "1") not in registry.tags
    assert "data/x" in sctr("system", "check", "--repair").stdout
    assert not file.exists()
    assert sctr("system", "check").ok() == ""
    sctr("run", "--pull", "never", name).failed(125, "no such image")
    load(Image(base_layer(), Layer().file("data/x", "new")), name)


def capability(file):
    os.setxattr(file, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))


CHANGES = {
    "mode": (lambda root: (root / "su").chmod(0o755), "/su: its mode is 0755 and not 4755"),
    "owner": (lambda root: os.chown(root / "plain", 9, 0), "/plain: its owner is 9:0 and not 7:8"),
    "mode of a directory": (lambda root: (root / "d").chmod(0o777), "/d: its mode is 0777 and not 0750"),
    "link": (lambda root: relink(root / "soft", "/etc/shadow"), "/soft: it leads elsewhere"),
    "kind": (lambda root: relink(root / "plain", "d/in"), "plain"),
    "whiteout": (lambda root: (root / "gone").unlink(), "/gone: it is missing"),
    "new file": (lambda root: (root / "d/new").write_text("x"), "/d/new: the layer has no such file"),
    "missing file": (lambda root: (root / "d/empty").unlink(), "/d/empty: it is missing"),
    "capability": (lambda root: capability(root / "plain"), "/plain: it has capabilities"),
    "lost capability": (lambda root: os.removexattr(root / "capable", "security.capability"), "/capable: its xattr security.capability"),
    "xattr": (lambda root: os.setxattr(root / "noted", "user.note", b"other"), "/noted: its xattr user.note"),
    "longer file": (lambda root: (root / "d/in").open("a").write("more"), "/d/in"),
    "device": (lambda root: redevice(root / "null"), "/null: it is of another kind"),
}


def relink(path, target):
    path.unlink()
    path.symlink_to(target)


def redevice(path):
    path.unlink()
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 1))


@pytest.mark.parametrize("what", CHANGES)
def test_a_layer_that_looks_otherwise_is_found_and_repaired(what, load):
    change, words = CHANGES[what]
    value = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0).decode("latin-1")
    layer = Layer().file("su", os.urandom(900), mode=0o4755).file("plain", "p", uid=7, gid=8).dir("d", 0o750).file("d/in", "i" * 99)
    layer.file("d/empty", "").symlink("soft", "plain").add(".wh.gone").device("null", 1, 3)
    layer.file("capable", "c", pax_headers={"SCHILY.xattr.security.capability": value})
    layer.file("noted", "n", pax_headers={"SCHILY.xattr.user.note": "one"})
    name = load(Image(base_layer(), layer))
    change(layer_of(name, 1))
    found = sctr("system", "check")
    assert found.status == 1 and words in found.stdout and found.stdout.count("\n") == 1, found
    assert words in sctr("system", "check", "--repair").stdout
    assert sctr("system", "check").ok() == ""
    sctr("run", "--pull", "never", name).failed(125, "no such image")
    sctr("system", "prune").ok()


def test_a_changed_layer_that_is_in_use_stays(load):
    name = load(Image(base_layer(), Layer().file("data/x", os.urandom(5000))))
    container = unique_name("c")
    process = subprocess.Popen(["sctr", "run", "--name", container, name, "sleep", "99"])
    try:
        while container not in sctr("ps", "-q").lines:
            assert process.poll() is None
        file = layer_of(name, 1) / "data/x"
        file.write_bytes(b"?")
        assert "a container runs on it" in sctr("system", "check", "--repair").stdout
        assert file.exists()
    finally:
        sctr("stop", "-t", "0", container).ok()
        process.wait(20)
    sctr("system", "check", "--repair").ok()
    assert not file.exists()
    load(Image(base_layer(), Layer().file("data/x", "new")), name)


def test_import_and_commit(load, pulled, tmp_path):
    (tmp_path / "root.tar").write_bytes(base_layer().bytes())
    name = unique_name("imported")
    sctr("import", tmp_path / "root.tar", name).ok()
    container = unique_name("c")
    sctr("run", "-d", "--name", container, name, "sh", "-c", "echo new > /new").ok()
    sctr("wait", container).ok()
    other = unique_name("committed")
    sctr("commit", container, other).ok()
    sctr("rm", container).ok()
    pulled.extend([name, other])
    assert all(blob.is_symlink() for blob in blobs_of(other))
    sctr("save", "-o", tmp_path / "saved.tar", other).ok()
    layers = archives_in(tmp_path / "saved.tar")
    assert layers[0] == base_layer().bytes()
    with tarfile.open(fileobj=io.BytesIO(layers[1])) as archive:
        assert archive.extractfile("new").read() == b"new\n"
    assert hashlib.sha256(layers[1]).hexdigest() in json.dumps(inspect(other)["config"])


@pytest.mark.parametrize("what", ["rubbish", "no image.json", "manifest", "recipe"])
def test_a_damaged_store_is_repaired(what, load):
    """What cannot be read stops a sweep, which might remove what it needs, and not a repair."""
    name = load(Image(base_layer(), Layer().file("x", os.urandom(5000))))
    sound = load(Image(base_layer(), Layer().file("y", os.urandom(5000)), Cmd=["echo", "sound"]))
    image = STORE / "images" / inspect(name)["digest"].removeprefix("sha256:")
    if what == "rubbish":
        (STORE / "images/rubbish").write_text("x")
    elif what == "no image.json":
        (image / "image.json").unlink()
    elif what == "manifest":
        (image / "manifest.json").write_text("{}")
    else:
        [recipe] = layer_of(name, 1).parent.glob("*.recipe")
        recipe.write_bytes(recipe.read_bytes()[:-1])
    assert sctr("system", "check").status == 1
    if what != "recipe":
        sctr("system", "prune").failed(125, "check --repair")
    sctr("system", "check", "--repair").ok()
    assert sctr("system", "check").ok() == ""
    sctr("system", "prune").ok()
    assert sctr("run", sound).ok() == "sound"
    if what != "rubbish":
        load(Image(base_layer(), Layer().file("x", "new")), name)
