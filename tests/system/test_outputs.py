# SPDX-License-Identifier: LGPL-2.1-or-later
"""Archives that people name a file for (-o): it is there when it is complete, and an old one as it was until then."""

import contextlib
import os
import pwd
import signal
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

import harness
from harness import eventually, sctr, unique_name
from made_images import Image, base_layer
from store import STORE, load, nothing_stays_in_the_store  # noqa: F401 (fixtures)

VERBS = ("save", "export", "volume export")
ENDLESS = 1 << 40


@pytest.fixture
def words(request, load):
    """Of a verb that writes an archive, and a file in it that can be made one without end."""
    name, endless = unique_name("o"), None
    image = load(Image(base_layer().dir("d")))
    if request.param == "save":
        yield ["save", image], None
        return
    if request.param == "export":
        sctr("run", "--rm=false", "--name", name, image, "touch", "/d/x").ok()
        endless = STORE / "roots" / name / "upper/d/x"
        yield ["export", name], endless
        sctr("rm", name).ok()
        return
    sctr("volume", "create", name).ok()
    endless = STORE / "volumes" / name / "data/x"
    endless.write_text("x" * (1 << 17))
    yield ["volume", "export", name], endless
    sctr("volume", "rm", name).ok()


@pytest.fixture
def place(tmp_path):
    """A directory with nothing in it."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


every_verb = pytest.mark.parametrize("words", VERBS, indirect=True)
endless_verb = pytest.mark.parametrize("words", VERBS[1:], indirect=True)


def is_archive(path):
    with tarfile.open(path) as archive:
        return bool(archive.getnames())


@every_verb
def test_a_new_file_and_an_old_one(words, place):
    words, _ = words
    out = place / "out.tar"
    sctr(*words, "-o", out, preexec_fn=lambda: os.umask(0o027)).ok()
    assert is_archive(out) and stat.S_IMODE(out.stat().st_mode) == 0o640
    out.write_text("old")
    out.chmod(0o606)
    os.chown(out, 5, 6)
    sctr(*words, "-o", "out.tar", cwd=place).ok()
    assert is_archive(out)
    info = out.stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o606, 5, 6)
    assert os.listdir(place) == ["out.tar"]


@every_verb
def test_a_link_leads_to_the_file(words, place):
    words, _ = words
    (place / "far").mkdir()
    (place / "far/old").write_text("old")
    for name in ("old", "new"):
        (place / name).symlink_to(f"far/{name}")
        sctr(*words, "-o", place / name).ok()
        assert (place / name).is_symlink() and is_archive(place / "far" / name)
    assert sorted(os.listdir(place / "far")) == ["new", "old"]


@every_verb
def test_what_is_no_file_is_written_as_it_goes(words, place):
    words, _ = words
    os.mkfifo(place / "fifo")
    process = subprocess.Popen(["sctr", *words, "-o", place / "fifo"])
    (place / "copy").write_bytes((place / "fifo").read_bytes())
    assert process.wait(20) == 0 and is_archive(place / "copy") and (place / "fifo").is_fifo()
    sctr(*words, "-o", "/dev/null").ok()
    assert Path("/dev/null").is_char_device()
    for named in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        with (place / "standard").open("w+b") as file:
            file.write(b"kept")
            file.flush()
            inode = os.fstat(file.fileno()).st_ino
            assert subprocess.run(["sctr", *words, "-o", named], stdout=file, cwd=place).returncode == 0
        assert (place / "standard").stat().st_ino == inode
        assert not (place / "-").exists()
    with (place / "standard").open("wb") as file:
        subprocess.run(["sctr", *words, "-o", "-"], stdout=file, check=True)
    assert is_archive(place / "standard")


@every_verb
def test_mistakes(words, place):
    words, _ = words
    sctr(*words, "-o", place).failed(125, "cannot write", str(place), "directory")
    sctr(*words, "-o", place / "none/x").failed(125, f"cannot write: {place}/none/x: No such file")
    sctr(*words, "-o", "/dev/full").failed(125, "cannot write: /dev/full", "No space left")
    assert os.listdir(place) == []


@contextlib.contextmanager
def mounted(place, *words):
    place.mkdir()
    subprocess.run(["mount", *words, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@every_verb
def test_a_full_disk(words, place):
    words, _ = words
    with mounted(place / "small", "-t", "tmpfs", "-o", "size=64k", "none") as small:
        (small / "old").write_text("old")
        for name in ("old", "new"):
            sctr(*words, "-o", small / name).failed(125, f"cannot write: {small}/{name}", "No space left")
        assert os.listdir(small) == ["old"] and (small / "old").read_text() == "old"


def working(process):
    """The sctr-layer that writes the archive."""
    for pid in harness.children(process.pid):
        with contextlib.suppress(OSError):
            if b"sctr-layer" in Path(f"/proc/{pid}/cmdline").read_bytes() and int(
                dict(line.split(":") for line in Path(f"/proc/{pid}/io").read_text().splitlines())["wchar"]
            ) > 1 << 16:
                return pid
    return None


@contextlib.contextmanager
def file_systems(top):
    """tmpfs, overlayfs, and whatever the tests are on."""
    for name in ("l", "u", "w", "plain"):
        (top / name).mkdir()
    overlay = f"lowerdir={top}/l,upperdir={top}/u,workdir={top}/w"
    (top / "l/old").write_text("old")
    with mounted(top / "overlay", "-t", "overlay", "-o", overlay, "none") as layered:
        with mounted(top / "tmpfs", "-t", "tmpfs", "none") as memory:
            for place in (memory, top / "plain"):
                (place / "old").write_text("old")
            yield memory, layered, top / "plain"


@endless_verb
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_an_end_by_a_signal(words, number, tmp_path):
    words, endless = words
    with endless.open("r+b") as file:
        file.truncate(ENDLESS)
    with file_systems(tmp_path) as places:
        for place in places:
            for name in ("old", "new"):
                process = subprocess.Popen(["sctr", *words, "-o", place / name])
                eventually(lambda: working(process), what="the beginning of the archive")
                worker = working(process)
                os.kill(process.pid, number)
                assert process.wait(20) == -number
                eventually(lambda: not Path(f"/proc/{worker}/fd").exists(), what="the end of the tool")
                assert os.listdir(place) == ["old"] and (place / "old").read_text() == "old"


@endless_verb
def test_the_end_of_the_tool(words, place):
    words, endless = words
    with endless.open("r+b") as file:
        file.truncate(ENDLESS)
    (place / "old").write_text("old")
    for name in ("old", "new"):
        process = subprocess.Popen(["sctr", *words, "-o", place / name], stderr=subprocess.PIPE)
        os.kill(eventually(lambda: working(process), what="the beginning of the archive"), signal.SIGKILL)
        assert b"cannot write: " + bytes(place / name) in process.communicate()[1] and process.returncode == 125
        assert os.listdir(place) == ["old"] and (place / "old").read_text() == "old"


@endless_verb
def test_an_old_one_that_nothing_can_take_the_place_of(words, place):
    """Something is mounted on it, or its directory takes no names: it is written itself."""
    words, _ = words
    for name in ("a", "b"):
        (place / name).write_text("old" * 10000)
    subprocess.run(["mount", "--bind", place / "a", place / "b"], check=True)
    try:
        sctr(*words, "-o", place / "b").ok()
        assert is_archive(place / "b") and (place / "a").read_bytes() == (place / "b").read_bytes()
    finally:
        subprocess.run(["umount", place / "b"], check=True)


@endless_verb
def test_a_stranger_cannot_lead_it_elsewhere(words, place):
    """As the kernel has it (fs.protected_symlinks): no link of another's in a directory like /tmp is followed."""
    words, _ = words
    everybodys = Path("/tmp", unique_name("everybodys"))
    everybodys.mkdir()
    everybodys.chmod(0o1777)
    guest = pwd.getpwnam("guest")
    try:
        protected = Path("/proc/sys/fs/protected_symlinks").read_text() == "1\n"
        for name, target in (("old", place / "old"), ("new", place / "new")):
            (everybodys / name).symlink_to(target)
            os.lchown(everybodys / name, guest.pw_uid, guest.pw_gid)
        (place / "old").write_text("old")
        for name in ("old", "new") if protected else ():
            sctr(*words, "-o", everybodys / name).failed(125, "cannot write", "Permission denied")
        assert os.listdir(place) == ["old"] and (place / "old").read_text() == "old"
    finally:
        for name in ("old", "new"):
            (everybodys / name).unlink()
        everybodys.rmdir()
