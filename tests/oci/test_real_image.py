# SPDX-License-Identifier: LGPL-2.1-or-later
"""An image as people have them: Debian and layers above it, built by buildah, in a registry on loopback."""

import json
import shutil
import subprocess

import pytest

import guest
import harness
from harness import unique_name
from registry import Registry
from test_image_layers import tree_of
from test_rootless_images import STORE

BUILT = """
FROM scratch
ADD root.tar /
COPY --chmod=4755 hello /usr/local/bin/hello
COPY data /srv/data
ENV GREETING=hello
USER nobody
CMD ["/usr/local/bin/hello"]
"""


@pytest.fixture
def pushed(tmp_path):
    """Its name in the registry."""
    root = "/srv/rootfs/debian"
    subprocess.run(["tar", "-C", root, "--exclude=./dev/*", "--xattrs", "-cf", tmp_path / "root.tar", "."], check=True)
    (tmp_path / "hello").write_text("#!/bin/sh\necho $GREETING from $(id -un), $(cat /srv/data/who)\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/who").write_text("Debian")
    (tmp_path / "Containerfile").write_text(BUILT)
    with Registry() as registry, registry.without_tls():
        name = f"{registry.address}/real/{unique_name('image')}:1"
        harness.host("buildah", "build", "-q", "--layers", "-t", name, tmp_path, timeout=120)
        try:
            harness.host("buildah", "push", "-q", "--tls-verify=false", name, timeout=120)
        finally:
            harness.host("buildah", "rmi", "--all", "--force")
        yield name


def test_it_runs_by_one_command(pushed):
    try:
        assert harness.sctr("run", pushed, timeout=120).ok() == "hello from nobody, Debian"
        assert guest.guest("sctr", "run", pushed, timeout=120).ok() == "hello from nobody, Debian"
    finally:
        harness.sctr("rmi", pushed)
        guest.guest("sctr", "rmi", pushed)
        shutil.rmtree(STORE, ignore_errors=True)


def test_its_tree_is_podmans(pushed):
    harness.sctr("pull", "-q", pushed, timeout=120).ok()
    try:
        harness.host("podman", "pull", "-q", "--tls-verify=false", pushed, timeout=120)
        theirs = tree_of(harness.host("podman", "image", "mount", pushed).strip())
        layers = json.loads(harness.sctr("image", "inspect", pushed).ok())[0]["layers"]
        mount = f"LIBMOUNT_FORCE_MOUNT2=always mount -t overlay none -o ro,lowerdir={':'.join(layers)} {layers[0]} && exec \"$@\""
        ours = tree_of(layers[0], "unshare", "--mount", "sh", "-c", mount, "sh")
        assert len(layers) == 3 and len(ours) > 3000
        del ours["."], theirs["."]  # podman makes it 0555 where no layer tells of it
        assert ours == theirs
        assert harness.sctr("system", "check", timeout=60).ok() == ""
    finally:
        harness.sctr("rmi", pushed)
        harness.host("podman", "rmi", "-f", pushed)
