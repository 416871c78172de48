# SPDX-License-Identifier: LGPL-2.1-or-later
"""The clients suite: podman, buildah and containerd with sctr-oci, on a real systemd host, as root and as guest."""

import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "oci", HERE.parent / "system"):
    sys.path.insert(0, str(folder))

from fixtures import *  # noqa: E402,F401,F403

import callers  # noqa: E402
import images  # noqa: E402
import podman as engine_podman  # noqa: E402
import remains  # noqa: E402
from podman import podman  # noqa: E402


@pytest.fixture(scope="session", autouse=True, params=list(callers.ALL))
def account(request):
    """Whose podman it is."""
    yield callers.choose(request.param)
    if request.param == "guest":
        callers.end_pause_process()


@pytest.fixture
def place(account):
    """A directory of the account's."""
    path = account.directory()
    yield path
    account.run("podman", "unshare", "rm", "-rf", path) if not account.is_root else shutil.rmtree(path)


@pytest.fixture(scope="session")
def image(account, tmp_path_factory):
    """The name of an image with busybox, used once so that podman has made what it keeps."""
    name = images.make(tmp_path_factory.mktemp("image"))
    podman("run", "--rm", name, "true").ok()
    yield name
    podman("rmi", "--force", name)


@pytest.fixture(scope="session")
def look_for_leftovers(image):
    return remains.now


@pytest.fixture
def container(image):
    """container(FLAG..., command=...): a podman container in the background, removed after the test."""
    made = []

    def run(*flags, **options):
        made.append(engine_podman.Container(image, *flags, **options))
        return made[-1]

    yield run
    for each in made:
        each.remove()
