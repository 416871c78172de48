# SPDX-License-Identifier: LGPL-2.1-or-later
"""sctr cp that fails in the middle: what it made is gone again, what was there before is as it was, and the error names
what was typed."""

import contextlib
import io
import os
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

import harness
from harness import eventually, sctr, unique_name
from made_images import Image, base_layer
from store import STORE, load, nothing_stays_in_the_store  # noqa: F401 (fixtures)

MIB = 1 << 20


def tree_of(top):
    """All names below with what they hold, links not followed."""
    found = {}
    for path in sorted(Path(top).rglob("*")):
        info = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        found[str(path.relative_to(top))] = (oct(info.st_mode), info.st_ino, content)
    return found


@pytest.fixture
def image(load):
    layer = base_layer().dir("d").file("d/one", "1").dir("d/sub").file("d/sub/two", "2").dir("t").dir("var/tmp")
    layer.file("d/zbig", "z" * (2 * MIB))
    for name in ("mkdir", "truncate", "find", "mv", "ln"):
        layer.symlink(f"bin/{name}", "busybox")
    return load(Image(layer, Cmd=["sh", "-c", harness.WAIT]))


@contextlib.contextmanager
def running(*words):
    name = unique_name("c")
    process = subprocess.Popen(["sctr", "run", "--name", name, *words], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        yield name
    finally:
        sctr("kill", name).ok()
        process.wait(20)
        process.stdout.close()


@pytest.fixture
def container(image):
    with running("--tmpfs", "/t:size=1m", image) as name:
        yield name


@pytest.fixture
def small(tmp_path):
    """A disk that is soon full, with something on it."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], check=True)
    (place / "d/sub").mkdir(parents=True)
    (place / "d/one").write_text("old")
    (place / "d").chmod(0o700)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def source(tmp_path):
    top = tmp_path / "source"
    (top / "sub").mkdir(parents=True)
    (top / "one").write_text("new")
    (top / "sub/link").symlink_to("../one")
    os.mkfifo(top / "sub/fifo")
    os.link(top / "one", top / "sub/same")
    (top / "zbig").write_bytes(b"z" * 2 * MIB)
    return top


def test_a_full_disk_of_the_host(container, small):
    before = tree_of(small)
    for target in (f"{small}", f"{small}/new", f"{small}/d/."):
        source = f"{container}:/d/." if target.endswith(".") else f"{container}:/d"
        where = target.rstrip(".").rstrip("/") + ("/d/zbig" if target == f"{small}" else "/zbig")
        sctr("cp", source, target).failed(125, f"cannot copy: {where}: No space left on device")
        assert tree_of(small) == before
    sctr("cp", f"{container}:/d/zbig", small / "d/one").failed(125, f"{small}/d/one: No space")
    assert tree_of(small) == before


def test_a_full_disk_of_the_container(container, source):
    def look():
        return sctr("exec", container, "sh", "-c", "find /t; cat /t/source/one").ok()

    sctr("exec", container, "sh", "-c", "mkdir /t/source && echo old > /t/source/one").ok()
    before = look()
    sctr("cp", source, f"{container}:/t").failed(125, f"cannot copy: {container}:/t/source/zbig: No space left on device")
    assert look() == before
    sctr("cp", source, f"{container}:t/new").failed(125, f"{container}:t/new/zbig: No space")
    assert look() == before
    sctr("cp", source / "zbig", f"{container}:/t/source/one").failed(125, f"{container}:/t/source/one: No space")
    assert look() == before


def test_a_target_that_is_refused_in_the_middle(container, source, tmp_path):
    """A directory where a file is, and a file where a directory is: both come after others."""
    target = tmp_path / "target"
    (target / "zbig").mkdir(parents=True)
    (target / "one").write_text("old")
    before = tree_of(target)
    sctr("cp", f"{container}:/d/.", target).failed(125, f"{target}/zbig", "a directory is there")
    assert tree_of(target) == before
    (target / "zbig").rmdir()
    (target / "sub").write_text("no directory")
    before = tree_of(target)
    sctr("cp", f"{container}:/d/.", target).failed(125, f"{target}/sub", "a directory comes")
    assert tree_of(target) == before


def test_all_is_replaced_in_the_end(container, source, tmp_path):
    target = tmp_path / "target"
    (target / "sub").mkdir(parents=True)
    (target / "one").write_text("old")
    (target / "sub/link").write_text("old")
    (target / "kept").write_text("kept")
    (target / "sub/same").symlink_to("/etc/passwd")
    sctr("cp", f"{source}/.", f"{container}:/var/tmp/x").ok()
    sctr("cp", f"{container}:/var/tmp/x/.", target).ok()
    assert sorted(tree_of(target)) == ["kept", "one", "sub", "sub/fifo", "sub/link", "sub/same", "zbig"]
    assert (target / "one").read_text() == "new" and os.readlink(target / "sub/link") == "../one"
    assert (target / "one").stat().st_ino == (target / "sub/same").lstat().st_ino
    assert (target / "kept").read_text() == "kept" and (target / "zbig").stat().st_size == 2 * MIB


def test_a_source_that_becomes_shorter(image):
    """What was there of it is no copy of it, and zeros in its place even less."""
    with running(image) as name:
        process = subprocess.Popen(["sctr", "cp", f"{name}:/d", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first = process.stdout.read(1024)
        sctr("exec", name, "sh", "-c", ": > /d/zbig").ok()
        rest, said = process.communicate(timeout=20)
        assert process.returncode == 125 and f"{name}:/d/zbig".encode() in said and b"shorter" in said
        assert not (first + rest).endswith(bytes(1024))


def test_a_source_that_is_not_there(container, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    sctr("cp", f"{container}:none/x", place / "new").failed(125, f"cannot copy: {container}:none/x: No such file")
    sctr("cp", place / "none", f"{container}:/d").failed(125, f"cannot copy: {place}/none: No such file")
    sctr("cp", "none", f"{container}:/d", cwd=place).failed(125, "cannot copy: none: No such file")
    sctr("cp", f"{container}:/d", "none/x", cwd=place).failed(125, "cannot copy: none/x: No such file")
    assert list(place.iterdir()) == []


def test_an_archive_that_is_cut_off(container, source):
    packed = subprocess.run(["tar", "-C", source, "-c", "."], capture_output=True, check=True).stdout
    look = ["find", "/d", "-exec", "stat", "-c", "%n %a %i", "{}", ";"]
    before = sctr("exec", container, *look).ok()
    for cut in (packed[: MIB], packed[: packed.index(b"zbig") + 100]):
        sctr("cp", "-", f"{container}:/d", input=cut).failed(125, f"{container}:/d")
        assert sctr("exec", container, *look).ok() == before


def worker(process, verb):
    """The pid of the sctr-layer that does this, which sctr has started."""
    for pid in harness.children(process.pid):
        with contextlib.suppress(OSError):
            if verb.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return None


WAYS = [("copy-from", signal.SIGKILL), ("copy-to", signal.SIGKILL), ("copy-to", signal.SIGTERM)]
WAYS += [(None, number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)]


def is_now(directory, tree):
    with contextlib.suppress(FileNotFoundError):  # a name that went while they were read
        return tree_of(directory) == tree
    return False


@contextlib.contextmanager
def in_the_middle(process, is_begun):
    try:
        eventually(is_begun, what="the first file")
        yield
        process.wait(20)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("who, number", WAYS, ids=lambda value: getattr(value, "name", value or "sctr"))
def test_an_end_by_a_signal(container, tmp_path, who, number):
    """Of either tool, and of sctr itself. What is copied is without end: the file has a hole of that size."""
    sctr("exec", container, "sh", "-c", "mkdir /e && echo new > /e/a && truncate -s 1099511627776 /e/z").ok()
    target = tmp_path / "target"
    (target / "e").mkdir(parents=True)
    (target / "e/a").write_text("old")
    before = tree_of(target)
    process = subprocess.Popen(["sctr", "cp", f"{container}:/e", target], stderr=subprocess.PIPE)
    with in_the_middle(process, lambda: len(list((target / "e").iterdir())) > 1 and worker(process, "copy-to")):
        os.kill(worker(process, who) if who else process.pid, number)
        said = process.stderr.read().decode()
    if who:
        typed = f"{container}:/e" if who == "copy-from" else str(target)
        assert process.returncode == 125 and f"cannot copy: {typed}" in said and "signal" in said, said
        assert "sctr-layer" not in said and tree_of(target) == before
    elif number == signal.SIGKILL:
        eventually(lambda: is_now(target, before), what="that all is as it was")
    else:
        assert process.returncode == -number and tree_of(target) == before, (process.returncode, said)


@pytest.mark.parametrize("verb", ["copy-from", "copy-to"])
def test_an_end_by_a_signal_on_the_way_in(container, tmp_path, verb):
    (tmp_path / "s").mkdir()
    (tmp_path / "s/a").write_text("new")
    with (tmp_path / "s/z").open("wb") as file:
        file.truncate(1 << 40)
    look = ["find", "/var/tmp"]
    before = sctr("exec", container, *look).ok()
    process = subprocess.Popen(["sctr", "cp", "s", f"{container}:/var/tmp"], cwd=tmp_path, stderr=subprocess.PIPE)
    with in_the_middle(process, lambda: sctr("exec", container, *look).ok() != before and worker(process, verb)):
        os.kill(worker(process, verb), signal.SIGKILL)
        said = process.stderr.read().decode()
    assert process.returncode == 125 and ("cannot copy: s:" if verb == "copy-from" else f"{container}:/var/tmp:") in said
    assert sctr("exec", container, *look).ok() == before


def test_a_stored_one_has_nothing_of_it(image, tmp_path):
    """Its files are mounted anew for what takes back, and the names found again."""
    (tmp_path / "s/sub").mkdir(parents=True)
    (tmp_path / "s/sub/a").write_text("new")
    with (tmp_path / "s/z").open("wb") as file:
        file.truncate(1 << 40)
    name = unique_name("c")
    sctr("create", "--name", name, image).ok()
    try:
        upper = STORE / "roots" / name / "upper"
        process = subprocess.Popen(["sctr", "cp", tmp_path / "s", f"{name}:/d/one/../sub"], stderr=subprocess.PIPE)
        process.communicate()
        assert process.returncode == 125
        process = subprocess.Popen(["sctr", "cp", tmp_path / "s", f"{name}:/d/sub"], stderr=subprocess.PIPE)
        with in_the_middle(process, lambda: (upper / "d/sub/s/sub/a").exists()):
            os.kill(worker(process, "copy-to"), signal.SIGKILL)
        assert process.returncode == 125
        assert [path.name for path in upper.rglob("*") if not path.is_dir()] == [] and not (upper / "d/sub/s").exists()
    finally:
        sctr("rm", name).ok()


def test_what_the_container_puts_there_meanwhile_stays(container, tmp_path):
    """Its file in a directory that the copy made; and a link in the place of such a directory leads nowhere."""
    source, outside = tmp_path / "s", tmp_path / "outside"
    for place in (source / "own", source / "swapped", outside):
        place.mkdir(parents=True)
        (place / "a").write_text("x")
    with (source / "z").open("wb") as file:
        file.truncate(1 << 40)
    process = subprocess.Popen(["sctr", "cp", source, f"{container}:/var/tmp"], stderr=subprocess.PIPE)
    is_begun = ["sh", "-c", "test -e /var/tmp/s/swapped/a && set -- /var/tmp/s/.sctr-cp* && test -e $1"]
    with in_the_middle(process, lambda: sctr("exec", container, *is_begun).status == 0):
        change = "cd /var/tmp/s && echo mine > own/mine && mv swapped moved && mkdir /other && echo o > /other/a && ln -s /other swapped"
        sctr("exec", container, "sh", "-c", change).ok()
        os.kill(worker(process, "copy-to"), signal.SIGKILL)
    assert process.returncode == 125
    assert sctr("exec", container, "cat", "/var/tmp/s/own/mine", "/other/a").ok() == "mine\no"
    assert sctr("exec", container, "sh", "-c", "ls -a /var/tmp/s").ok().split() == [".", "..", "moved", "own", "swapped"]


def test_streams_out_end_without_a_mark(container):
    """Whoever unpacks the half of it must see that it is one."""
    process = subprocess.Popen(["sctr", "cp", f"{container}:/d", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(512)
    os.kill(eventually(lambda: worker(process, "copy-from")), signal.SIGKILL)
    rest, said = process.communicate(timeout=20)
    assert process.returncode == 125 and f"cannot copy: {container}:/d".encode() in said and b"signal" in said
    with pytest.raises(tarfile.ReadError), tarfile.open(fileobj=io.BytesIO(rest)) as archive:
        archive.getmembers()
