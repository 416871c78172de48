# SPDX-License-Identifier: LGPL-2.1-or-later
"""What containers write above their image: diff, commit, export; what of it takes space."""

import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest

from harness import eventually, host, make_directories_in_directories, sctr, unique_name
from made_images import BUSYBOX, Image, Layer, base_layer, sha
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


def config_of(name):
    return json.loads(sctr("image", "inspect", name).ok())[0]


LINES = (
    'ENTRYPOINT ["/bin/echo", "-n"]',
    'CMD ["one", "two words"]',
    'ENV PATH=/bin C="two words"',
    "EXPOSE 80 53/udp",
    "LABEL maker=me",
    "USER alice",
    "VOLUME /data",
    "WORKDIR /home/alice",
    "STOPSIGNAL SIGINT",
)


def changes():
    return [word for line in LINES for word in ("--change", line)]


def check_changed(name, tmp_path):
    """As podman and skopeo would see it, and what a container has of it."""
    sctr("save", "--format", "oci-dir", "-o", tmp_path / "layout", name).ok()
    config = json.loads(host("skopeo", "inspect", "--config", f"oci:{tmp_path}/layout"))
    assert config["config"] == {
        "User": "alice",
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Env": ["PATH=/bin", "C=two words"],
        "Entrypoint": ["/bin/echo", "-n"],
        "Cmd": ["one", "two words"],
        "Volumes": {"/data": {}},
        "WorkingDir": "/home/alice",
        "Labels": {"maker": "me"},
        "StopSignal": "SIGINT",
    }
    assert sctr("run", name).ok() == "one two words"
    assert sctr("run", "--entrypoint", "sh", name, "-c", "id -un; pwd; echo $C").lines == [
        "alice", "/home/alice", "two words",
    ]  # fmt: skip
    return config


def test_commit_with_changes(stored, pulled, tmp_path):
    name = f"localhost/{unique_name('m')}:1"
    sctr("commit", *changes(), "-a", "Me <me@example.org>", "-m", "why", stored, name).ok()
    pulled.append(name)
    config = check_changed(name, tmp_path)
    assert config["author"] == "Me <me@example.org>"
    assert config["history"][-1]["comment"] == "why"


def test_commit_of_a_directory_with_changes(own_rootfs, pulled, tmp_path):
    (own_rootfs / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nalice:x:1234:50::/home/alice:/bin/sh\n")
    (own_rootfs / "home/alice").mkdir(parents=True, exist_ok=True)
    container = unique_name("c")
    sctr("run", "-d", "--name", container, "--rootfs", own_rootfs, "sh", "-c", "sleep 1000").ok()
    name = f"localhost/{unique_name('m')}:1"
    try:
        sctr("commit", *changes(), container, name).ok()
    finally:
        sctr("rm", "-f", container).ok()
    pulled.append(name)
    check_changed(name, tmp_path)


def test_import_with_changes(pulled, tmp_path):
    (tmp_path / "root.tar").write_bytes(base_layer().bytes())
    name = f"localhost/{unique_name('m')}:1"
    sctr("import", *changes(), tmp_path / "root.tar", name).ok()
    pulled.append(name)
    check_changed(name, tmp_path)


def test_an_entrypoint_is_without_the_command_for_another(load, pulled):
    container = unique_name("c")
    sctr("run", "--rm=false", "--name", container, load(Image(base_layer(), Cmd=["x"])), "true").ok()
    for words in (["--entrypoint", "echo"], ["-c", 'ENTRYPOINT ["echo"]'], ["-c", 'ENTRYPOINT ["echo"]', "--cmd", "y"]):
        pulled.append(f"localhost/{unique_name('m')}:1")
        sctr("commit", *words, container, pulled[-1]).ok()
        assert sctr("run", pulled[-1]).ok() == ("y" if "y" in words else "")
    sctr("rm", container).ok()


@pytest.mark.parametrize("line", ["RUN make", "CMD", "EXPOSE many", "ENV A", "HEALTHCHECK NONE", b"USER \xff"])
def test_changes_that_make_no_sense(line, stored, tmp_path):
    """Nothing is packed for them, as the store shows."""
    sctr("commit", "--change", line, stored).failed(125, "invalid value", "--change")
    (tmp_path / "root.tar").write_bytes(base_layer().bytes())
    sctr("import", "--change", line, tmp_path / "root.tar", "none").failed(125, "invalid value", "--change")


def test_commit_beside_prune(stored, pulled):
    """What commit has told of is there, whoever takes images without names away meanwhile."""
    pulled.append(f"localhost/{stored}:1")
    done = threading.Event()

    def prune():
        while not done.is_set():
            sctr("system", "prune").ok()

    pruning = threading.Thread(target=prune)
    pruning.start()
    try:
        for i in range(10):
            made = sctr("commit", "-m", str(i), stored, pulled[-1]).ok()
            assert sctr("image", "inspect", "--format", "{{.Id}}", pulled[-1]).ok().endswith(made)
    finally:
        done.set()
        pruning.join()


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
        "Images", "Containers", "Volumes",
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
        host("journalctl", "--sync")
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
    make_directories_in_directories(STORE / f"roots/{stored}/upper", 1000, "deep")
    for words in (["diff", stored], ["export", stored], ["cp", f"{stored}:/deep", "-"], ["commit", stored]):
        sctr(*words).failed(125, "/deep/deep", "a path longer than 4095 bytes")


def test_images_by_filters(load):
    first = load(Image(base_layer(), Labels={"app": "web"}))
    second = load(Image(base_layer(), Layer().file("x", "y"), Labels={"app": "db"}))
    container = unique_name("c")
    sctr("run", "--rm=false", "--name", container, first, "true").ok()
    newer = sctr("commit", container).ok()  # it has no name
    sctr("rm", container).ok()

    def listed(*filters):
        words = [word for text in filters for word in ("--filter", text)]
        return {image["id"] for image in json.loads(sctr("images", "--json", *words).ok())}

    ids = {name: config_of(name)["id"] for name in (first, second)}
    short = first.removeprefix("localhost/").removesuffix(":1")
    assert listed(f"reference={short}") == listed(f"reference=localhost/[{short[0]}]{short[1:]}:*") == {ids[first]}
    assert listed("dangling=true") == {newer}
    assert {ids[first], newer} <= listed("label=app=web")
    assert ids[second] not in listed("label=app=web")
    assert newer in listed(f"since={first}")
    assert not set(ids.values()) & listed(f"since={first}")
    assert set(ids.values()) <= listed(f"before={newer}")
    assert listed("label=app=web", "dangling=true") == {newer}
    sctr("images", "--filter", "colour=red").failed(125, "--filter", "reference", "since")
    sctr("images", "--filter", "since=localhost/none:1").failed(125, "no such image")
    sctr("rmi", newer).ok()


def test_volumes_by_filters(load):
    prefix, container = unique_name("v"), unique_name("c")
    one, two = f"{prefix}-one", f"{prefix}-two"
    sctr("volume", "create", "--label", "app=web", one).ok()
    sctr("volume", "create", two).ok()
    sctr("create", "--name", container, "-v", f"{one}:/data", load(Image(base_layer())), "true").ok()

    def listed(*filters):
        words = [word for text in (f"name={prefix}", *filters) for word in ("--filter", text)]
        return sctr("volume", "ls", "-q", *words).lines

    assert listed() == listed("driver=local") == [one, two]
    assert listed("label=app=web") == listed("dangling=false") == [one]
    assert listed("label!=app") == listed("dangling=true") == [two]
    assert listed("driver=nfs") == []
    sctr("volume", "ls", "--filter", "size=1").failed(125, "--filter", "dangling")
    sctr("volume", "prune", "--filter", "dangling=perhaps").failed(125, "--filter", "true false")
    sctr("volume", "prune", "--all", "--filter", f"name={prefix}", "--filter", "label=app").ok()
    assert listed() == [one, two]  # the first is mounted, the second has no such label
    sctr("rm", container).ok()
    sctr("volume", "prune", "--all", "--filter", f"name={prefix}", "--filter", "label=app").ok()
    assert listed() == [two]
    sctr("volume", "prune", "--all", "--filter", f"name={two}").ok()
    assert listed() == []


def test_check_while_a_load_puts_a_recipe_in_the_place_of_a_blob(load, tmp_path):
    """A load that fetched the blob of an image which another has stored meanwhile replaces it once more."""
    shim = tmp_path / "replace.so"
    source = Path(__file__).with_name("replace_on_look.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wno-unused-result", "-o", shim, source], check=True)
    image = Image(base_layer(), Layer().file("x", b"y" * 100_000))
    load(image)
    link = STORE / "blobs/sha256" / sha(image.compress(image.layers[1]))
    target = link.readlink()
    try:
        link.unlink()
        link.write_bytes(image.compress(image.layers[1]))
        environment = {**os.environ, "LD_PRELOAD": str(shim), "REPLACED": str(link), "TARGET": str(target)}
        assert sctr("system", "check", env=environment).ok() == ""
        link.unlink()
        link.write_bytes(b"damaged")
        done = sctr("system", "check")
        assert done.status == 1 and "is damaged" in done.stdout
    finally:
        link.unlink()
        link.symlink_to(target)
    assert sctr("system", "check").ok() == ""
