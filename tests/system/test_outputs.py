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
    endless.write_text("")
    yield ["volume", "export", name], endless
    sctr("volume", "rm", name).ok()


every_verb = pytest.mark.parametrize("words", VERBS, indirect=True)
endless_verb = pytest.mark.parametrize("words", VERBS[1:], indirect=True)


def is_archive(path):
    with tarfile.open(path) as archive:
        return bool(archive.getnames())


@every_verb
def test_a_new_file_and_an_old_one(words, tmp_path):
    words, _ = words
    out = tmp_path / "out.tar"
    sctr(*words, "-o", out, preexec_fn=lambda: os.umask(0o027)).ok()
    assert is_archive(out) and stat.S_IMODE(out.stat().st_mode) == 0o640
    out.write_text("old")
    out.chmod(0o606)
    os.chown(out, 5, 6)
    sctr(*words, "-o", "out.tar", cwd=tmp_path).ok()
    assert is_archive(out)
    info = out.stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o606, 5, 6)
    assert os.listdir(tmp_path) == ["out.tar"]


@every_verb
def test_a_link_leads_to_the_file(words, tmp_path):
    words, _ = words
    (tmp_path / "far").mkdir()
    (tmp_path / "far/old").write_text("old")
    for name in ("old", "new"):
        (tmp_path / name).symlink_to(f"far/{name}")
        sctr(*words, "-o", tmp_path / name).ok()
        assert (tmp_path / name).is_symlink() and is_archive(tmp_path / "far" / name)
    assert sorted(os.listdir(tmp_path / "far")) == ["new", "old"]


@every_verb
def test_what_is_no_file_is_written_as_it_goes(words, tmp_path):
    words, _ = words
    os.mkfifo(tmp_path / "fifo")
    process = subprocess.Popen(["sctr", *words, "-o", tmp_path / "fifo"])
    (tmp_path / "copy").write_bytes((tmp_path / "fifo").read_bytes())
    assert process.wait(20) == 0 and is_archive(tmp_path / "copy") and (tmp_path / "fifo").is_fifo()
    sctr(*words, "-o", "/dev/null").ok()
    assert Path("/dev/null").is_char_device()
    for place in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        with (tmp_path / "standard").open("w+b") as file:
            file.write(b"kept")
            file.flush()
            inode = os.fstat(file.fileno()).st_ino
            assert subprocess.run(["sctr", *words, "-o", place], stdout=file, cwd=tmp_path).returncode == 0
        assert (tmp_path / "standard").stat().st_ino == inode
        assert not (tmp_path / "-").exists()
    with (tmp_path / "standard").open("wb") as file:
        subprocess.run(["sctr", *words, "-o", "-"], stdout=file, check=True)
    assert is_archive(tmp_path / "standard")


@every_verb
def test_mistakes(words, tmp_path):
    words, _ = words
    sctr(*words, "-o", tmp_path).failed(125, "cannot write", str(tmp_path), "directory")
    sctr(*words, "-o", tmp_path / "none/x").failed(125, f"cannot write: {tmp_path}/none/x: No such file")
    sctr(*words, "-o", "/dev/full").failed(125, "cannot write: /dev/full", "No space left")
    assert os.listdir(tmp_path) == []


@contextlib.contextmanager
def mounted(place, *words):
    place.mkdir()
    subprocess.run(["mount", *words, place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@every_verb
def test_a_full_disk(words, tmp_path):
    words, _ = words
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=64k", "none") as small:
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
def file_systems(tmp_path):
    """tmpfs, overlayfs, and whatever the tests are on."""
    for name in ("l", "u", "w", "plain"):
        (tmp_path / name).mkdir()
    overlay = f"lowerdir={tmp_path}/l,upperdir={tmp_path}/u,workdir={tmp_path}/w"
    (tmp_path / "l/old").write_text("old")
    with mounted(tmp_path / "overlay", "-t", "overlay", "-o", overlay, "none") as layered:
        with mounted(tmp_path / "tmpfs", "-t", "tmpfs", "none") as memory:
            for place in (memory, tmp_path / "plain"):
                (place / "old").write_text("old")
            yield memory, layered, tmp_path / "plain"


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
def test_the_end_of_the_tool(words, tmp_path):
    words, endless = words
    with endless.open("r+b") as file:
        file.truncate(ENDLESS)
    (tmp_path / "old").write_text("old")
    for name in ("old", "new"):
        process = subprocess.Popen(["sctr", *words, "-o", tmp_path / name], stderr=subprocess.PIPE)
        os.kill(eventually(lambda: working(process), what="the beginning of the archive"), signal.SIGKILL)
        assert b"cannot write: " + bytes(tmp_path / name) in process.communicate()[1] and process.returncode == 125
        assert os.listdir(tmp_path) == ["old"] and (tmp_path / "old").read_text() == "old"


@endless_verb
def test_an_old_one_that_nothing_can_take_the_place_of(words, tmp_path):
    """Something is mounted on it, or its directory takes no names: it is written itself."""
    words, _ = words
    for name in ("a", "b"):
        (tmp_path / name).write_text("old" * 10000)
    subprocess.run(["mount", "--bind", tmp_path / "a", tmp_path / "b"], check=True)
    try:
        sctr(*words, "-o", tmp_path / "b").ok()
        assert is_archive(tmp_path / "b") and (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    finally:
        subprocess.run(["umount", tmp_path / "b"], check=True)


@endless_verb
def test_a_stranger_cannot_lead_it_elsewhere(words, tmp_path):
    """As the kernel has it (fs.protected_symlinks): no link of another's in a directory like /tmp is followed."""
    words, _ = words
    everybodys = Path("/tmp", unique_name("everybodys"))
    everybodys.mkdir()
    everybodys.chmod(0o1777)
    guest = pwd.getpwnam("guest")
    try:
        protected = Path("/proc/sys/fs/protected_symlinks").read_text() == "1\n"
        for name, target in (("old", tmp_path / "old"), ("new", tmp_path / "new")):
            (everybodys / name).symlink_to(target)
            os.lchown(everybodys / name, guest.pw_uid, guest.pw_gid)
        (tmp_path / "old").write_text("old")
        for name in ("old", "new") if protected else ():
            sctr(*words, "-o", everybodys / name).failed(125, "cannot write", "Permission denied")
        assert os.listdir(tmp_path) == ["old"] and (tmp_path / "old").read_text() == "old"
    finally:
        for name in ("old", "new"):
            (everybodys / name).unlink()
        everybodys.rmdir()
