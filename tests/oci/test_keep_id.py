# SPDX-License-Identifier: LGPL-2.1-or-later
"""--userns keep-id: a plain user who is himself in his containers, above images that are as ever."""

import io
import os
import shutil
import struct
import tarfile
from pathlib import Path

import pytest

from guest import ACCOUNT
from harness import eventually, unique_name
from made_images import BUSYBOX, Image, Layer, base_layer
from test_rootless_images import STORE, load, sctr, volume  # noqa: F401 (fixtures)

KEEP = ("--userns", "keep-id")
OWN = f"{ACCOUNT.pw_uid}:{ACCOUNT.pw_gid}"
SHOW = 'for f in "$@"; do stat -c "%n %F %a %u:%g %h %s" $f; done'
# vfs_cap_data, revision 2: cap_net_bind_service, effective.
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0).decode("latin-1")


@pytest.fixture
def image(load):
    """With files of ids on both sides of the caller's own."""
    low = Layer().file("gone", "g").dir("d", 0o750, uid=7, gid=8).file("d/old", "o")
    low.file("his", "h", uid=ACCOUNT.pw_uid, gid=ACCOUNT.pw_gid).file("high", "x", uid=60000, gid=60001)
    high = Layer().add(".wh.gone").dir("d", 0o750, uid=7, gid=8).add("d/.wh..wh..opq").file("d/new", "n", uid=9)
    high.file("set", "s", uid=3, gid=4, mode=0o6755).hardlink("link", "set", uid=3, gid=4, mode=0o6755).symlink("soft", "set")
    with open(BUSYBOX, "rb") as program:
        high.dir("capable").file("capable/busybox", program.read(), mode=0o755, pax_headers={"SCHILY.xattr.security.capability": CAPABILITY})
    return load(Image(base_layer(), low, high))


def test_he_is_himself(image):
    assert sctr("run", *KEEP, image, "stat", "-L", "-c", "%u:%g", "/proc/self").ok() == OWN
    assert sctr("run", *KEEP, "-u", "0", image, "id", "-u").ok() == "0"
    assert sctr("run", *KEEP, "-u", "alice", image, "id", "-u").ok() == "1234"
    found = sctr("run", "--userns", "keep-id:uid=200,gid=300", image, "sh", "-c", "id -u; id -g").lines
    assert found == ["200", "300"]
    assert sctr("run", "--userns", "keep-id:uid=0,gid=0", image, "id", "-u").ok() == "0"
    assert sctr("run", "--userns", "keep-id:uid=90000", image, "id", "-u").ok() == "90000"


def test_he_has_a_name(image):
    name = ACCOUNT.pw_name
    assert sctr("run", *KEEP, image, "sh", "-c", "busybox whoami; id -gn; echo $HOME").lines == [name, name, "/"]
    assert sctr("run", *KEEP, "-u", name, image, "id", "-u").ok() == str(ACCOUNT.pw_uid)
    assert sctr("run", image, "busybox", "grep", "-c", f"^{name}:", "/etc/passwd").stdout.strip() == "0"


def test_the_image_has_a_word_about_its_user(load):
    assert sctr("run", *KEEP, load(Image(base_layer(), User="alice")), "id", "-u").ok() == "1234"


def test_the_same_tree_is_seen(image):
    files = ["/", "/d", "/d/new", "/d/old", "/gone", "/his", "/high", "/set", "/link", "/soft", "/home/alice"]
    plain = sctr("run", image, "sh", "-c", SHOW, "x", *files)
    for mode in ("keep-id", "keep-id:uid=8,gid=0", "keep-id:uid=65536"):
        kept = sctr("run", "--userns", mode, "-u", "0", image, "sh", "-c", SHOW, "x", *files)
        assert kept.stdout == plain.stdout and len(kept.lines) == len(files) - 2, mode
    command = ("-u", "alice", image, "/capable/busybox", "grep", "CapEff", "/proc/self/status")
    assert int(sctr("run", *KEEP, *command).ok().split()[1], 16) == 1 << 10


def test_his_files_are_his(image):
    """What he has on the host is his own inside, whatever other ids there are."""
    place = Path(ACCOUNT.pw_dir) / unique_name("bound")
    place.mkdir()
    os.chown(place, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
    try:
        assert sctr("run", *KEEP, "-v", f"{place}:/b", image, "sh", "-c", "touch /b/made; stat -c %u:%g /b /b/made").lines == [OWN, OWN]
        assert (place / "made").stat().st_uid == ACCOUNT.pw_uid
        assert sctr("run", *KEEP, image, "touch", "/etc/x").status == 1
    finally:
        (place / "made").unlink(missing_ok=True)
        place.rmdir()


def test_over_its_life(image):
    name = unique_name("k")
    script = "echo hi > /made; busybox chown 5:6 /made; rm /his; sleep 1000"
    sctr("run", "-d", "--name", name, *KEEP, "-u", "0", image, "sh", "-c", script).ok()
    try:
        eventually(lambda: "D /his" in sctr("diff", name).lines)
        assert sctr("exec", name, "stat", "-c", "%u:%g", "/made", "/d").lines == ["5:6", "7:8"]
        assert sctr("exec", "-u", OWN, name, "id", "-u").ok() == str(ACCOUNT.pw_uid)
        made = f"localhost/{name}:1"
        sctr("commit", name, made).ok()
        sctr("stop", "-t", "0", name).ok()
        archive = tarfile.open(fileobj=io.BytesIO(sctr("export", name).out))
        owners = {member.name.removeprefix("./"): (member.uid, member.gid) for member in archive.getmembers()}
        assert owners["made"] == (5, 6) and owners["d"] == (7, 8) and owners["bin"] == (0, 0)
        copied = tarfile.open(fileobj=io.BytesIO(sctr("cp", "-a", f"{name}:/made", "-").out))
        assert [(member.uid, member.gid) for member in copied.getmembers()] == [(5, 6)]
        sctr("start", name).ok()
        assert sctr("exec", name, "stat", "-c", "%u:%g", "/made", "/etc/group").lines == ["5:6", "0:0"]
        assert sctr("exec", name, "busybox", "grep", "-c", f"^{ACCOUNT.pw_name}:", "/etc/passwd").ok() == "1"
    finally:
        sctr("rm", "-f", name).ok()
    try:
        for flags in ((), KEEP):
            found = sctr("run", *flags, "-u", "0", made, "stat", "-c", "%u:%g", "/made", "/d", "/bin")
            assert found.lines == ["5:6", "7:8", "0:0"], flags
    finally:
        sctr("rmi", made).ok()


def test_volumes(image, volume):
    command = ("stat", "-c", "%u:%g %a", "/d", "/d/new")
    assert sctr("run", *KEEP, "-v", f"{volume}:/d", "-u", "0", image, *command).lines == ["7:8 750", "9:0 644"]
    assert sctr("run", *KEEP, "-v", "/d", "-u", "0", image, *command).lines == ["7:8 750", "9:0 644"]
    given = sctr("run", *KEEP, "-v", f"{volume}:/v:U", image, "sh", "-c", "touch /v/made; stat -c %u:%g /v /v/made")
    assert given.lines == [OWN, OWN]


def test_mounted_images(image, load):
    other = load(Image(Layer().dir("o", uid=7, gid=8).file("o/f", "f", uid=ACCOUNT.pw_uid)))
    for kind in ("ro", "rw"):
        mount = ("--mount", f"type=image,source={other},destination=/i,{kind}")
        found = sctr("run", *KEEP, *mount, image, "stat", "-c", "%u:%g", "/i", "/i/o", "/i/o/f")
        assert found.lines == ["0:0", "7:8", f"{ACCOUNT.pw_uid}:0"], kind


def kept():
    return sorted(path.name for path in (STORE / "layers").glob("*/kept-*"))


def test_layers_are_made_once_and_go_with_the_image(load):
    name = load(Image(base_layer(), Layer().file("x", "y", uid=7)))
    first = sctr("run", *KEEP, name, "true")
    assert first.status == 0 and kept() == [f"kept-{ACCOUNT.pw_uid}-{ACCOUNT.pw_gid}"] * 2
    before = [path.stat().st_ino for path in (STORE / "layers").glob("*/kept-*")]
    sctr("run", *KEEP, name, "true").ok()
    assert [path.stat().st_ino for path in (STORE / "layers").glob("*/kept-*")] == before
    sctr("system", "check").ok()
    # The fixture of the image removes it, and finds no layer left.


@pytest.mark.parametrize(
    "change, words",
    {
        "content": (lambda file: file.write_text("z"), "content"),
        "owner": (lambda file: os.chown(file, 0, 0), "owner"),
        "missing": (lambda file: file.unlink(), "No such file"),
    }.values(),
    ids=["content", "owner", "missing"],
)
def test_a_copy_that_has_changed(load, change, words):
    name = load(Image(base_layer(), Layer().file("x", "y", uid=7)))
    sctr("run", *KEEP, name, "true").ok()
    file = next((STORE / "layers").glob("*/kept-*/diff/x"))
    times = file.stat()
    change(file)
    if file.exists():
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    found = sctr("system", "check")
    assert found.status != 0 and f"kept-{ACCOUNT.pw_uid}-{ACCOUNT.pw_gid}" in found.stdout and words in found.stdout, found
    sctr("system", "check", "--repair")
    assert len(kept()) == 1 and sctr("system", "check").ok() == ""
    assert sctr("run", *KEEP, name, "stat", "-c", "%u %s", "/x").ok() == "7 1" and len(kept()) == 2


def test_a_changed_copy_stays_where_a_container_runs(load):
    name = load(Image(base_layer(), Layer().file("x", "y")))
    container = unique_name("kept")
    sctr("run", "-d", "--name", container, *KEEP, "--network", "none", name, "sleep", "1000").ok()
    try:
        next((STORE / "layers").glob("*/kept-*/diff/x")).write_text("z")
        found = sctr("system", "check", "--repair")
        assert "a container runs on it" in found.stdout and len(kept()) == 2, found
        assert sctr("exec", container, "cat", "/x").ok() == "z"
    finally:
        sctr("rm", "-f", container).ok()
    sctr("system", "check", "--repair")
    assert len(kept()) == 1


def test_a_directory():
    """As it is: its files are not given other ids."""
    place = Path(ACCOUNT.pw_dir) / unique_name("root")
    (place / "bin").mkdir(parents=True)
    (place / "bin/busybox").write_bytes(Path(BUSYBOX).read_bytes())
    (place / "bin/busybox").chmod(0o755)
    for path in (place, place / "bin", place / "bin/busybox"):
        os.chown(path, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
    try:
        for root in (place, f"{place}:O"):
            command = ("run", *KEEP, "--network", "none", "--rootfs", root, "/bin/busybox", "stat", "-L", "-c", "%u:%g", "/bin", "/proc/self")
            assert sctr(*command).lines == [OWN, OWN], root
    finally:
        shutil.rmtree(place)


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--userns", "keep-id:uid=x"], ["keep-id:uid", "'x'"]),
        (["--userns", "keep-id:uid=4294967295"], ["keep-id:uid"]),
        (["--userns", "keep-id:size=4"], ["keep-id:size=4", "uid=NUMBER"]),
        (["--userns", "keep-id:"], None),
        (["--userns", "keep-id", "--uidmap", "0:100000:10"], ["--uidmap", "keep-id"]),
        (["--userns", "keep-id", "-u", "70000"], ["70000", "/etc/subuid"]),
        (["--userns", "nomap"], ["nomap", "keep-id"]),
    ],
)
def test_bad_values(image, flags, words):
    result = sctr("run", *flags, image, "true")
    if words is None:
        result.ok()
    else:
        result.failed(125, *words)
