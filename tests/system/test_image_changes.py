# SPDX-License-Identifier: LGPL-2.1-or-later
"""What containers write above their image: diff, commit, export; what of it takes space."""

import io
import json
import os
import subprocess
import sys
import time
import tarfile
from pathlib import Path

import pytest

from harness import eventually, sctr, unique_name
from made_images import BUSYBOX, Image, Layer, base_layer
from store import STORE, load, nothing_stays_in_the_store, pulled  # noqa: F401 (fixtures)


@pytest.fixture
def stored(load):
    """A stored container that has changed its files, and ended."""
    lower = base_layer().file("gone", "g").file("changed", "c").file("d/old", "o")
    name = load(Image(lower, Cmd=["sh", "-c", "rm /gone; echo new > /changed; rm -r /d; busybox mkdir /d; touch /d/new"]))
    container = unique_name("c")
    sctr("run", "-d", "--name", container, name).ok()
    sctr("wait", container).ok()
    yield container
    sctr("rm", container).ok()


def test_diff(stored):
    assert sctr("diff", stored).lines == ["C /changed", "C /d", "A /d/new", "D /gone"]
    sctr("diff", "none").failed(125, "none")


def test_what_a_container_in_the_foreground_has_left(load, pulled, tmp_path):
    container = unique_name("c")
    sctr("run", "--rm=false", "--name", container, load(Image(base_layer())), "sh", "-c", "echo new > /new").ok()
    assert sctr("diff", container).lines == ["A /new"]
    sctr("cp", f"{container}:/new", tmp_path).ok()
    assert (tmp_path / "new").read_text() == "new\n"
    sctr("export", "-o", tmp_path / "all.tar", container).ok()
    with tarfile.open(tmp_path / "all.tar") as archive:
        assert "new" in [name.removeprefix("./") for name in archive.getnames()]
    pulled.append(f"localhost/{container}:1")
    sctr("commit", container, pulled[-1]).ok()
    assert sctr("run", pulled[-1], "cat", "/new").ok() == "new"
    sctr("rm", container).ok()
    sctr("diff", container).failed(125, "does not exist")


def test_diff_is_without_what_was_made_to_mount_on(load):
    bare = Layer().dir("bin").file("bin/sh", Path(BUSYBOX).read_bytes(), mode=0o755)
    container = unique_name("c")
    sctr("run", "-d", "--name", container, load(Image(bare)), "sh", "-c", "echo new > /new").ok()
    sctr("wait", container).ok()
    assert sctr("diff", container).lines == ["A /new"]
    sctr("rm", container).ok()


def test_commit(stored, pulled):
    name = f"localhost/{unique_name('m')}:1"
    image = sctr("commit", "--cmd", "ls", "--cmd", "/d", "-e", "A=b", "-m", "why", stored, name).ok()
    pulled.append(name)
    assert sctr("run", name).ok() == "new"
    assert sctr("run", name, "sh", "-c", "cat /changed; ls /gone; echo $A").ok().splitlines() == ["new", "b"]
    assert json.loads(sctr("image", "inspect", name).ok())[0]["id"] == image


@pytest.mark.parametrize("flag", ["--author", "--message", "--cmd", "--entrypoint", "--env", "--user", "--workdir"])
def test_commit_of_bytes_that_are_no_text(stored, flag):
    """Nothing is packed for them."""
    sctr("commit", flag, b"A=\xff", stored).failed(125, "cannot make the image", "it is not UTF-8")


def test_export(stored, tmp_path):
    path = tmp_path / "out.tar"
    sctr("export", "-o", path, stored).ok()
    with tarfile.open(path) as archive:
        names = {name.removeprefix("./") for name in archive.getnames()}
        assert {"d/new", "bin/busybox", "changed"} <= names and not {"gone", "d/old"} & names
        assert archive.extractfile("changed").read() == b"new\n"


def test_system(load, tmp_path):
    name = load(Image(base_layer(), Cmd=["echo", "x"]))
    assert [line.split()[0] for line in sctr("system", "df").lines[1:]] == [
        "layers", "blobs/sha256", "roots", "volumes", "tmp",
    ]  # fmt: skip
    assert sctr("system", "check").ok() == ""
    image = json.loads(sctr("image", "inspect", name).ok())[0]
    blob = STORE / "blobs/sha256" / image["manifest"]["config"]["digest"].removeprefix("sha256:")
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-1] + b"?")
    found = sctr("system", "check")
    assert found.status == 1 and "damaged" in found.stdout
    sctr("system", "check", "--repair").ok()
    assert not blob.exists() and sctr("run", name).ok() == "x"
    blob.write_bytes(whole)
    (STORE / "names/localhost%2Fdangling:1").symlink_to("../images/" + "0" * 64)
    assert "leads to no image" in sctr("system", "check").stdout
    sctr("system", "check", "--repair").ok()
    assert sctr("system", "check").ok() == ""
    sctr("system", "prune", "-f").ok()
    assert sctr("run", name).ok() == "x"
    sctr("system", "nothing").failed(125, "df, prune or check")


@pytest.mark.parametrize("above", [True, False], ids=["above it", "in it"])
def test_a_container_of_a_directory(own_rootfs, pulled, above):
    """Its image is all of its files: there is nothing below that others have, too."""
    name = unique_name("dir")
    root = f"{own_rootfs}:O" if above else str(own_rootfs)
    script = "echo new > /made; rm /etc/group; busybox chown 5:6 /made"
    sctr("run", "-d", "--name", name, "--network", "none", "--rootfs", root, "sh", "-c", script).ok()
    sctr("wait", name).ok()
    if above:
        assert {"A /made", "D /etc/group"} <= set(sctr("diff", name).lines)
        assert not (own_rootfs / "made").exists()
    else:
        sctr("diff", name).failed(125, str(own_rootfs), "--rootfs DIR:O")
    with tarfile.open(fileobj=io.BytesIO(sctr("export", name).out)) as archive:
        members = {member.name.removeprefix("./"): member for member in archive.getmembers()}
    assert members["made"].uid == 5 and "bin/busybox" in members and "etc/group" not in members
    pulled.append(f"localhost/{name}:1")
    sctr("commit", "-a", "me", "-m", "why", "--cmd", "cat", "--cmd", "/made", "-e", "A=b", "-u", "5", name, pulled[-1]).ok()
    sctr("rm", name).ok()
    assert sctr("run", pulled[-1]).ok() == "new"
    assert sctr("run", pulled[-1], "sh", "-c", "id -u; echo $A; stat -c %u:%g /made; ls /etc/group").lines == ["5", "b", "5:6"]
    assert "sctr commit" in sctr("image", "history", pulled[-1]).lines[1]
    config = json.loads(sctr("image", "inspect", pulled[-1]).ok())[0]["config"]
    assert config["author"] == "me" and config["history"][0]["comment"] == "why"


def test_commit_pauses(load, pulled):
    """While it is copied, and in whatever state it was before it is afterwards."""
    container = unique_name("c")
    sctr("run", "-d", "--name", container, load(Image(base_layer())), "sh", "-c", "busybox seq 1 200000 > /big; touch /go; sleep 1000").ok()
    eventually(lambda: "A /go" in sctr("diff", container).lines)
    for flags, events in ([(), ["pause", "unpause"]], [("--pause=false",), []]):
        since = f"@{time.time():.6f}"
        pulled.append(f"localhost/{container}:{len(pulled)}")
        sctr("commit", *flags, container, pulled[-1]).ok()
        lines = sctr("events", "--since", since, "--until", "now", "--json").lines
        seen = [json.loads(line) for line in lines]
        assert [event["event"] for event in seen if event["name"] == container] == events
        assert json.loads(sctr("inspect", container).ok())[0]["status"] == "running"
    sctr("pause", container).ok()
    pulled.append(f"localhost/{container}:paused")
    sctr("commit", container, pulled[-1]).ok()
    assert json.loads(sctr("inspect", container).ok())[0]["status"] == "paused"
    sctr("rm", "-f", container).ok()


CHURN = """
import os, sys
os.chdir(sys.argv[1])
while True:
    for number in range(50):
        os.makedirs(f"{number}/below")
    for number in range(50):
        os.removedirs(f"{number}/below")
"""


def test_what_comes_and_goes_meanwhile_is_no_error(stored):
    """As the temporary files of a container that runs."""
    upper = STORE / f"roots/{stored}/upper/tmp"
    upper.mkdir(exist_ok=True)
    (upper / "stays").write_text("")
    churn = subprocess.Popen([sys.executable, "-c", CHURN, upper])
    try:
        eventually(lambda: (upper / "0").exists(), what="the first directory")
        for _ in range(20):
            assert "A /tmp/stays" in sctr("diff", stored).ok().split("\n")
            sctr("cp", f"{stored}:/tmp", "-").ok()
    finally:
        churn.kill()
        churn.wait()


def test_a_tree_that_is_deeper_than_any_archive(stored):
    """Whatever a container makes, the host's programs end with an error of theirs."""
    here = os.open(STORE / f"roots/{stored}/upper", os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(1000):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    for words in (["diff", stored], ["export", stored], ["cp", f"{stored}:/deep", "-"], ["commit", stored]):
        sctr(*words).failed(125, "/deep/deep", "a path longer than 4095 bytes")
