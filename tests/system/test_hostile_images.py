# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images and archives that want too much, or are not what they say: refused with one line, and nothing stays."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness import sctr, unique_name
from made_images import Image, Layer, base_layer, descriptor, sha
from store import STORE, load, nothing_stays_in_the_store  # noqa: F401 (fixtures)


class Layout:
    """An OCI layout whose manifest a test may change."""

    def __init__(self, directory, image):
        self.directory = directory
        blobs, entry = image.blobs()
        (directory / "blobs/sha256").mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.manifest = json.loads(blobs[entry["digest"].removeprefix("sha256:")])
        self.config = json.loads(image.config())
        for blob in blobs.values():
            self.put(blob)

    def put(self, blob, kind="sha256"):
        digest = hashlib.new(kind, blob).hexdigest()
        (self.directory / "blobs" / kind).mkdir(exist_ok=True)
        (self.directory / "blobs" / kind / digest).write_bytes(blob)
        return f"{kind}:{digest}"

    def load(self):
        config = json.dumps(self.config).encode()
        self.put(config)
        self.manifest["config"] |= descriptor("", config) | {"mediaType": self.manifest["config"]["mediaType"]}
        return self.load_as(self.manifest, self.manifest["mediaType"])

    def load_as(self, value, media_type):
        text = json.dumps(value).encode()
        self.put(text)
        index = {"schemaVersion": 2, "manifests": [descriptor(media_type, text)]}
        (self.directory / "index.json").write_text(json.dumps(index))
        return sctr("load", "-q", "-i", self.directory, timeout=60)


@pytest.fixture
def layout(tmp_path):
    yield Layout(tmp_path / "layout", Image(base_layer(), Layer().file("x", os.urandom(5000))))
    sctr("system", "prune").ok()


def test_a_digest_by_another_algorithm(layout):
    blob = layout.directory / "blobs" / layout.manifest["layers"][1]["digest"].replace(":", "/")
    layout.manifest["layers"][1]["digest"] = layout.put(blob.read_bytes(), "sha512")
    layout.load().failed(125, "sha512")
    sctr("system", "prune").ok()
    assert sorted(os.listdir(STORE / "blobs")) == ["sha256"]


@pytest.mark.parametrize("digest", ["sha256:../../../../etc/passwd", "sha256:" + "A" * 64, "sha256:", "", "md5:" + "0" * 32])
def test_a_digest_that_is_none(layout, digest):
    layout.manifest["layers"][1]["digest"] = digest
    layout.load().failed(125)


def test_more_layers_than_the_kernel_stacks(layout):
    empty = Layer().bytes()
    layout.put(empty)
    entry = descriptor("application/vnd.oci.image.layer.v1.tar", empty)
    layout.manifest["layers"] += [entry] * 600
    layout.config["rootfs"]["diff_ids"] += ["sha256:" + sha(empty)] * 600
    layout.load().failed(125, "602 layers", "500")


def test_a_manifest_of_100000_layers(layout):
    layout.manifest["layers"] *= 50_000
    layout.config["rootfs"]["diff_ids"] *= 50_000
    layout.load().failed(125)


def test_a_config_of_100_megabytes(layout):
    layout.config["author"] = "x" * 100_000_000
    layout.load().failed(125)


def test_another_number_of_layers(layout):
    layout.config["rootfs"]["diff_ids"].pop()
    layout.load().failed(125, "2 layers, the config 1")


def test_nested_indexes(layout):
    value, kind = layout.manifest, layout.manifest["mediaType"]
    for _ in range(3):
        text = json.dumps(value).encode()
        layout.put(text)
        entry = descriptor(kind, text) | {"platform": {"architecture": "amd64", "os": "linux"}}
        kind = "application/vnd.oci.image.index.v1+json"
        value = {"schemaVersion": 2, "mediaType": kind, "manifests": [entry]}
    done = layout.load_as(value, kind)
    if done.status:  # skopeo may do as it likes, in one line
        done.failed(125)
    else:
        sctr("rmi", done.lines[-1]).ok()


@pytest.mark.parametrize("text", [b"", b"{", b"null", b"[]", b'{"schemaVersion": 2}', b"[" * 100_000])
def test_json_that_is_no_manifest(layout, text):
    digest = layout.put(text)
    entry = {"mediaType": layout.manifest["mediaType"], "digest": digest, "size": len(text)}
    (layout.directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    sctr("load", "-q", "-i", layout.directory).failed(125)


@pytest.mark.parametrize("size", [-1, 0, 1 << 62])
def test_a_size_that_is_a_lie(layout, size):
    layout.manifest["layers"][1]["size"] = size
    done = layout.load()
    if done.status:
        done.failed(125)
    else:
        sctr("rmi", done.lines[-1]).ok()


def test_a_layer_of_no_bytes(load, tmp_path):
    name = load(Image(base_layer(), b"", compress=bytes, suffix=""))
    assert sctr("run", name, "echo", "x").ok() == "x"
    sctr("save", "-o", tmp_path / "saved.tar", name).ok()
    assert sctr("system", "check").ok() == ""


def archive_of(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, size in members:
            member = tarfile.TarInfo(name)
            member.size = size
            buffer.write(member.tobuf())
    return buffer.getvalue()


def test_what_an_image_says_is_no_talk_to_the_terminal(layout):
    evil = "\x1b[2J\u009b1;1Ha\x07b\n"
    layout.config |= {"created": evil, "history": [{"created": evil, "created_by": evil}]}
    digest = layout.load().ok()
    try:
        shown = [line for line in sctr("images").lines if digest in line or "x1b" in line]
        assert len(shown) == 1, shown
        text = shown[0] + "".join(sctr("image", "history", digest).lines[1:])
        assert r"\x1b[2J\xc2\x9b1" in text and r"\x07b\n" in text
        assert not [letter for letter in text if not letter.isprintable()]
    finally:
        sctr("rmi", digest).ok()


def test_what_a_terminal_would_obey_is_escaped_in_json(load):
    """JSON escapes C0 alone; U+009B is to a terminal what ESC [ is."""
    evil = "a\x9b2J\x7f\x1b[2J"
    name = load(Image(base_layer(), Env=[f"EVIL={evil}"], Labels={"evil": evil}, Cmd=["sleep", "1000"]))
    container = unique_name()
    sctr("run", "-d", "--name", container, name).ok()
    try:
        for words in (["image", "inspect", name], ["inspect", container], ["run", "--dry-run", name], ["images", "--json"]):
            text = sctr(*words).stdout
            assert not [letter for letter in text if not letter.isprintable() and letter != "\n"], words
            json.loads(text)
        assert "\\u009b2J\\u007f\\u001b" in sctr("image", "inspect", name).ok()
    finally:
        sctr("rm", "-f", container).ok()


@pytest.mark.parametrize("path", ["/proc", "/proc/sys", "/sys", "/sys/fs/cgroup/", "/dev", "/dev/../dev", "/dev/shm", "/x/../proc"])
def test_a_volume_of_an_image_replaces_nothing_of_the_kernels(load, path):
    """Else /proc would be the image's, without masks, and /dev with whatever it has there."""
    layer = base_layer().file("proc/mine", "x").file("sys/mine", "x").file("dev/mine", "x").symlink("bin/grep", "busybox")
    name = load(Image(layer, Volumes={path: {}}))
    script = "grep -o ' /proc proc\\| /sys sysfs\\| /dev tmpfs\\| /sys/fs/cgroup cgroup2\\| /dev/shm tmpfs' /proc/mounts; ls /proc/mine /sys/mine /dev/mine"
    result = sctr("run", name, "sh", "-c", script)
    assert set(result.stdout.splitlines()) == {
        " /proc proc", " /sys sysfs", " /dev tmpfs", " /sys/fs/cgroup cgroup2", " /dev/shm tmpfs"
    }, result
    assert "no volume at" in result.stderr


def test_volumes_without_end(load):
    """Each is made, and filled, before anything runs."""
    name = load(Image(base_layer(), Volumes={f"/v/{number}": {} for number in range(101)}))
    before = set(os.listdir(STORE / "volumes"))
    sctr("run", name, "true").failed(125, "the image wants too many volumes", "more than 100")
    assert set(os.listdir(STORE / "volumes")) == before


def test_an_archive_with_more_than_there_is_room_for(tmp_path):
    """Before a byte of it is written."""
    free = shutil.disk_usage(STORE).free
    path = tmp_path / "large.tar"
    path.write_bytes(archive_of(("index.json", 0), ("blobs/sha256/" + "0" * 64, free)))
    with open(path, "ab") as file:
        file.truncate(free + 10_000)
    sctr("load", "-q", "-i", path).failed(125, "room")


def test_the_store_is_closed_to_others_whatever_the_umask():
    home = Path("/tmp") / unique_name("data")
    store = home / ".local/share/sctr"
    home.mkdir(0o777)
    os.chown(home, 1000, 1000)
    command = f"umask 0; HOME={home} exec setpriv --reuid=guest --regid=guest --clear-groups sctr system prune"
    try:
        subprocess.run(["sh", "-c", command], check=True, capture_output=True)
        for path in [store, *store.iterdir()]:
            assert path.stat().st_mode & 0o022 == 0, path
    finally:
        shutil.rmtree(home)


@pytest.mark.parametrize("part", ["", "layers", "blobs", "images", "tmp"])
def test_a_store_that_others_may_write_to_is_not_used(part):
    """What is in it could be anything."""
    path = STORE / part
    mode = path.stat().st_mode & 0o7777
    try:
        path.chmod(mode | 0o002)
        sctr("system", "prune").failed(125, str(path).rstrip("/"), "others")
        path.chmod(mode)
        os.chown(path, 1000, -1)
        sctr("system", "prune").failed(125, str(path).rstrip("/"), "others")
    finally:
        path.chmod(mode)
        os.chown(path, 0, -1)
    sctr("system", "prune").ok()


def test_names_that_are_paths(load):
    name = load(Image(base_layer()))
    for bad in ("../x", "a/../../b:1", "/etc", "localhost/x\n:1", "localhost/" + "a" * 300, "x:" + "t" * 200):
        sctr("tag", name, bad).failed(125, "invalid")
    long = f"localhost/{unique_name('a')}{'b' * 200}:1"
    done = sctr("tag", name, long)
    if done.status == 0:
        sctr("rmi", long).ok()
