# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images that are made here: no test needs a network or a registry."""

import shutil

import callers
import rootfs
from harness import host

NAME = "localhost/sctr-test"


def make(directory):
    """A podman image of busybox; returns its name."""
    root = rootfs.build(directory / "root")
    (root / "run").mkdir()
    account = callers.current()
    archive = account.directory() / "root.tar"
    host("tar", "-C", root, "-cf", archive, ".")
    account.run("podman", "import", "--quiet", "--change", "CMD=/bin/sh", archive, NAME)
    shutil.rmtree(archive.parent)
    return NAME
