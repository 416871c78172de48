# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small root file system of busybox, with accounts and files that tests ask for."""

import os
import shutil
import subprocess
from pathlib import Path

BUSYBOX = "/bin/busybox"

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
alice:x:1234:50:Alice:/home/alice:/bin/sh
bob:x:1235:60::/home/bob:/bin/sh
4321:x:77:78::/:/bin/sh
broken line
nobody:x:65534:65534::/nonexistent:/bin/false
"""

GROUP = """\
root:x:0:
tty:x:5:
staff:x:50:bob
users:x:60:
wheel:x:99:alice,bob
nogroup:x:65534:
"""


def foreign_program():
    """An ELF header of an architecture that nobody has here (EM_S390 or EM_AARCH64)."""
    image = bytearray(Path(BUSYBOX).read_bytes()[:4096])
    image[18:20] = (22 if os.uname().machine == "aarch64" else 183).to_bytes(2, "little")
    return bytes(image)


FILES = {
    "etc/passwd": (PASSWD.encode(), 0o644),
    "etc/group": (GROUP.encode(), 0o644),
    # The first container would make them as root: those with other ids could not, if they came before.
    "etc/hostname": (b"", 0o644),
    "etc/hosts": (b"", 0o644),
    "etc/resolv.conf": (b"", 0o644),
    "bin/notexec": (b"#!/bin/sh\necho no\n", 0o644),
    "bin/noshebang": (b"echo no\n", 0o755),
    "bin/badinterpreter": (b"#!/no/such/interpreter\n", 0o755),
    "bin/script": (b'#!/bin/sh\necho "script $@"\n', 0o755),
    "home/alice/hello": (b"hello\n", 0o600),
}

DIRECTORIES = {
    "bin": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "home/alice": 0o700,
    "proc": 0o755,
    "root": 0o700,
    "sys": 0o755,
    "tmp": 0o1777,
    "usr/bin": 0o755,
    "var": 0o755,
}


def build(path):
    path = Path(path)
    for name, mode in DIRECTORIES.items():
        (path / name).mkdir(parents=True, exist_ok=True)
        (path / name).chmod(mode)
    shutil.copy2(BUSYBOX, path / "bin/busybox")
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    for applet in set(applets.stdout.split()) - {"busybox"}:
        (path / "bin" / applet).symlink_to("busybox")
    for name, (content, mode) in FILES.items():
        (path / name).write_bytes(content)
        (path / name).chmod(mode)
    (path / "bin/foreign").write_bytes(foreign_program())
    (path / "bin/foreign").chmod(0o755)
    for name in ("home/alice", "home/alice/hello"):
        os.chown(path / name, 1234, 50)
    path.chmod(0o755)
    return path


def add_probe(path):
    """Compiles the program that makes single system calls inside a container."""
    source = Path(__file__).with_name("probe.c")
    subprocess.run(
        ["cc", "-static", "-O1", "-Wall", "-o", path / "bin/probe", source], check=True
    )
