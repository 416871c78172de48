# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is left to a process that reads or packs what strangers have packed, if a mistake in libarchive gives it to them."""

import contextlib
import ctypes
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import guest
from harness import DEADLINE, children, eventually, unique_name
from made_images import Layer, sha

LAYER = "/usr/libexec/sctr/sctr-layer"
# Linux 5.19; before that a hard link between directories would always be refused.
HAS_LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1) >= 2
# What Landlock alone keeps closed. The rest are read-only mounts, capabilities and system calls.
LANDLOCKS = {"read", "list"}


@pytest.fixture(scope="module")
def intruder(tmp_path_factory):
    directory = Path(tempfile.mkdtemp(prefix="sctr-intruder-", dir="/var/tmp"))
    source = Path(__file__).with_name("intruder.c")
    for flags, name in ((("-shared", "-fPIC"), "intruder.so"), ((), "intruder")):
        subprocess.run(["cc", "-O1", "-Wall", *flags, "-o", directory / name, source], check=True)
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


class Ground:
    """What sctr-layer works on, and a file that it has nothing to do with; all of it is the account's."""

    def __init__(self, directory, uid, gid):
        self.file = directory / "file"
        self.file.write_text("of the host")
        layer = Layer().dir("d").file("d/f", "x").bytes()
        self.archive = directory / "archive.tar"
        self.archive.write_bytes(layer)
        self.sum = sha(layer)
        self.tree = directory / "work/tree"
        self.tree.mkdir(parents=True)
        self.lower = directory / "lower"
        (self.lower / "d").mkdir(parents=True)
        (self.lower / "d/f").write_text("x")
        for path in [directory, *directory.rglob("*")]:
            os.chown(path, uid, gid)

    def verb(self, name):
        """The words, and what is on standard input."""
        archive = str(self.archive)
        fields = {
            "unpack": (archive, self.sum, self.sum, str(self.tree), f"{self.tree.parent}/x.recipe"),
            "check": (archive, self.sum, self.sum, str(self.tree), ""),
            "verify": (archive, self.sum, str(self.lower)),
        }
        if name in fields:
            return [name if name != "check" else "unpack"], "".join(text + "\0" for text in fields[name]).encode()
        words = {
            "show": [archive, "index.json"],
            "digest": [archive],
            "layout": [archive, self.tree],
            "unpack-layer": [self.tree],
            "unpack-tree": [self.tree],
            "copy-to": [self.tree, "to", "", "whole", "owners", "any", "host"],
            "copy-from": [self.lower, "from", "x", "keep", "host"],
            "fill": [self.tree, "/d", self.lower],
            "pack": [self.lower],
            "pack-tree": [self.lower],
            "export": [self.lower],
        }[name]
        return [name, *words], self.archive.read_bytes()


@pytest.fixture(params=["root", "guest"])
def account(request):
    """Options for subprocess, and words that give a plain user the ids that sctr gives him."""
    if request.param == "root":
        return {"cwd": "/"}, [], (0, 0)
    options = {key: value for key, value in guest.options().items() if key != "stdin"}
    return options, ["unshare", "--map-root-user", "--map-auto"], (guest.ACCOUNT.pw_uid, guest.ACCOUNT.pw_gid)


@pytest.fixture
def ground(account):
    directory = Path(tempfile.mkdtemp(prefix="sctr-ground-", dir="/var/tmp"))
    yield Ground(directory, *account[2])
    shutil.rmtree(directory)


def attempts(command, account, ground, preload=None, stdin=b""):
    """What the intruder could do."""
    options, map_ids, _ = account
    variables = {"INTRUDER_FILE": str(ground.file), **({"LD_PRELOAD": str(preload)} if preload else {})}
    environment = options.get("env", {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
    words = [*map_ids, "env", *(f"{name}={value}" for name, value in variables.items()), *map(str, command)]
    done = subprocess.run(words, input=stdin, capture_output=True, timeout=DEADLINE, **{**options, "env": environment})
    text = done.stderr.decode()
    assert "INTRUDER was here" in text, (done, text)
    return set(re.findall(r"^INTRUDER:(.*)$", text, re.MULTILINE))


def test_the_intruder_can_do_it_where_nothing_confines_it(intruder, account, ground):
    done = attempts([intruder / "intruder"], account, ground)
    wanted = {"read", "write", "create", "rename", "chmod", "chown", "setxattr", "unlink", "list", "unshare"}
    wanted |= {"keyctl", "signal", "socket", "network", "ptrace", "fork", "execve", "memfd", "chroot", "user namespace"}
    if not account[1]:
        wanted |= {"sysctl", "device", "parent", "init", "fsopen", "open_tree"}
    assert wanted <= done


VERBS = ["unpack", "check", "verify", "show", "digest", "layout", "unpack-layer", "unpack-tree", "copy-to", "copy-from"]
VERBS += ["fill", "pack", "pack-tree", "export"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_mistake_in_libarchive_reaches_nothing(intruder, account, ground, verb):
    words, stdin = ground.verb(verb)
    rootless = ["--rootless"] if account[1] else []
    done = attempts([LAYER, *rootless, *words], account, ground, intruder / "intruder.so", stdin)
    assert done - (set() if HAS_LANDLOCK else LANDLOCKS) == set()
    assert ground.file.read_text() == "of the host"
    assert sorted(ground.file.parent.iterdir()) == [
        ground.archive, ground.file, ground.lower, ground.tree.parent,
    ]


def status_of(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)


@contextlib.contextmanager
def waiting_for_input(who):
    """A sctr-layer that unpacks from a pipe with nothing in it yet: its pid."""
    name = unique_name("v")
    options = guest.options() if who == "guest" else {}
    command = ["sctr", "volume"]
    subprocess.run([*command, "create", name], check=True, capture_output=True, **options)
    process = subprocess.Popen([*command, "import", name, "-"], **{**options, "stdin": subprocess.PIPE})
    try:
        eventually(lambda: any(status_of(pid)["Seccomp"] == "2" for pid in children(process.pid)), what="confinement")
        yield children(process.pid)[0]
        process.stdin.write(Layer().file("f", "x").bytes())
        process.stdin.close()
        assert process.wait() == 0
    finally:
        process.kill()
        process.wait()
        subprocess.run([*command, "rm", name], check=True, capture_output=True, **options)


@pytest.mark.parametrize("who", ["root", "guest"])
def test_who_waits_for_an_archive_is_confined(who):
    chown, dac_override, fowner, fsetid, mknod, setfcap = 0, 1, 3, 4, 27, 31
    kept = sum(1 << bit for bit in (chown, dac_override, fowner, fsetid, mknod, setfcap))
    with waiting_for_input(who) as pid:
        status = status_of(pid)
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == kept
        assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        mounts = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
        writable = [line.split() for line in mounts if "ro" not in line.split()[5].split(",")]
        assert [line[4] for line in writable] == ["/"]  # the volume, which lies on the root
        assert "/volumes/" in writable[0][3] and {"nodev", "nosuid", "noexec"} <= set(writable[0][5].split(","))
