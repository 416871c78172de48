# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images of a plain user: unpacked with his subordinate ids, mounted in his user namespace."""

import io
import json
import os
import shutil
import stat
import tarfile
from pathlib import Path

import pytest

import guest
from guest import ACCOUNT
from harness import eventually, unique_name
from made_images import Image, Layer, base_layer
from registry import Registry

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
        assert sctr("system", "check").ok() == ""  # whatever odd layers it has
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


@pytest.fixture
def volume():
    name = unique_name("v")
    yield name
    sctr("volume", "rm", name).ok()


def test_volumes(load, volume):
    lower = base_layer().dir("data", 0o750, uid=7, gid=8).file("data/x", "x", uid=1234)
    name = load(Image(lower, Volumes={"/kept": {}}))
    assert sctr("run", "-v", f"{volume}:/data", name, "stat", "-c", "%a %u %g", "/data", "/data/x").ok() == (
        "750 7 8\n644 1234 0"
    )
    assert sctr("run", "-u", "alice", "-v", f"{volume}:/v:U", name, "sh", "-c", "echo y > /v/x; stat -c %u /v").ok() == "1234"
    assert sctr("run", "-v", f"{volume}:/v", name, "sh", "-c", "cat /v/x; touch /kept/z").ok() == "y"
    assert [each["name"] for each in json.loads(sctr("volume", "ls", "--json").ok())] == [volume]
    try:
        sctr("volume", "export", "-o", Path(ACCOUNT.pw_dir) / "v.tar", volume).ok()
        sctr("volume", "import", volume, Path(ACCOUNT.pw_dir) / "v.tar").ok()
    finally:
        (Path(ACCOUNT.pw_dir) / "v.tar").unlink(missing_ok=True)


def test_cp(load):
    name = load(Image(base_layer().dir("d").file("d/x", "x", uid=1234), Cmd=["sh", "-c", "sleep 60"]))
    container = unique_name("g")
    home = Path(ACCOUNT.pw_dir)
    sctr("run", "-d", "--stop-timeout", "0", "--name", container, name).ok()
    try:
        for _ in ("running", "stopped"):
            sctr("cp", "/etc/hostname", f"{container}:/d/host").ok()
            sctr("cp", f"{container}:/d", home / "copied").ok()
            copied = (home / "copied/x").stat()
            assert (copied.st_uid, copied.st_gid) == (ACCOUNT.pw_uid, ACCOUNT.pw_gid)
            assert (home / "copied/host").read_text() == Path("/etc/hostname").read_text()
            shutil.rmtree(home / "copied")
            sctr("stop", container).ok()
        sctr("cp", "/etc/shadow", f"{container}:/d/").failed(125, "Permission denied")
    finally:
        sctr("rm", "-f", container).ok()


def test_run_fetches():
    """By one command."""
    with Registry() as registry, registry.without_tls():
        name = registry.add("a/guest", "1", Image(base_layer(), Layer().file("x", "y", uid=7), Cmd=["stat", "-c", "%u", "/x"]))
        try:
            assert sctr("run", name).ok() == "7"
        finally:
            sctr("rmi", name)
            shutil.rmtree(STORE, ignore_errors=True)


def test_changes(load):
    """The overlay of a plain user has marks of its own on opaque directories."""
    name = load(Image(base_layer().dir("d").file("d/old", "o").file("gone", "g").file("other", "x", uid=7)))
    container, made = unique_name("g"), f"localhost/{unique_name('g')}:1"
    script = "rm -r /d /gone; busybox mkdir /d; echo n > /d/new; busybox chown 1234:50 /other"
    sctr("run", "-d", "--name", container, name, "sh", "-c", script).ok()
    sctr("wait", container).ok()
    try:
        assert sctr("diff", container).ok().splitlines() == ["C /d", "A /d/new", "D /gone", "C /other"]
        archive = sctr("export", container)
        with tarfile.open(fileobj=io.BytesIO(archive.out)) as tar:
            members = {member.name.removeprefix("./"): member for member in tar.getmembers()}
        assert {"d/new", "other"} <= members.keys() and not {"d/old", "gone"} & members.keys()
        assert (members["other"].uid, members["other"].gid) == (1234, 50)
        sctr("commit", container, made).ok()
        found = sctr("run", made, "sh", "-c", "ls /d; stat -c %u:%g /other; ls /gone")
        assert found.stdout.split() == ["new", "1234:50"] and found.status == 1
    finally:
        sctr("rm", container).ok()
        sctr("rmi", made)


def test_secrets(load):
    name = load(Image(base_layer()))
    home = Path(ACCOUNT.pw_dir)
    (home / "secret").write_text("hunter2")
    try:
        sctr("secret", "create", "pw", home / "secret").ok()
        assert stat.S_IMODE((STORE / "secrets/pw.secret").stat().st_mode) == 0o600
        show = "cat /run/secrets/pw; stat -c ' %u %a' /run/secrets/pw"
        assert sctr("run", "--secret", "pw,uid=1234,mode=0400", name, "sh", "-c", show).ok() == "hunter2 1234 400"
        assert sctr("run", "--secret", "pw,type=env", name, "sh", "-c", "echo $pw").ok() == "hunter2"
        assert sctr("run", "--credential", f"c:{home}/secret", name, "cat", "/run/secrets/c").ok() == "hunter2"
        sctr("run", "--userns", "auto", name, "true").failed(125, "--userns auto", "subordinate")
        assert sctr("run", "--init", name, "sh", "-c", "exit 4").status == 4
        assert sctr("run", "--mount", f"type=image,src={name},dst=/v", name, "stat", "-c", "%u", "/v/home/alice").ok() == "1234"
    finally:
        sctr("secret", "rm", "pw").ok()
        (home / "secret").unlink()


@pytest.mark.parametrize("umask", ["000", "022", "077"])
def test_the_umask_is_nothing_to_the_store(umask):
    """Neither can others write there, nor is it closed to those who only pass through."""
    shutil.rmtree(STORE, ignore_errors=True)
    name = unique_name("g")
    words = f"create --name {name} --network none --rootfs /srv/rootfs/debian true"
    guest.guest("sh", "-c", f"umask {umask}; exec sctr {words}").ok()
    assert stat.S_IMODE(STORE.stat().st_mode) == 0o755
    for path in STORE.iterdir():
        wanted = {"networks": 0o755, "lock": 0o600}.get(path.name, 0o700)
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    sctr("rm", name).ok()
    shutil.rmtree(STORE, ignore_errors=True)
