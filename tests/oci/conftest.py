# SPDX-License-Identifier: LGPL-2.1-or-later
"""The oci suite: sctr-oci as engines call it, on a real systemd host, as root."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

from fixtures import *  # noqa: E402,F401,F403

import breakpoints  # noqa: E402
import engine  # noqa: E402

if not breakpoints.fire():
    # criu would wait for one for ever. It can do without: FI_NO_BREAKPOINTS in its fault-injection.h.
    os.environ["CRIU_FAULT"] = "130"


@pytest.fixture
def bundle(rootfs, tmp_path):
    """bundle(ARGS, CHANGE...): a bundle whose config.json runs ARGS; see engine.make_bundle."""
    return lambda *args, **options: engine.make_bundle(tmp_path, rootfs, *args, **options)


@pytest.fixture
def container(bundle):
    """container(ARGS, ...): a created container, deleted after the test."""
    made = []

    def create(*args, flags=(), **options):
        made.append(engine.Container(bundle(*args, **options)))
        made[-1].create(*flags)
        return made[-1]

    yield create
    for each in made:
        engine.oci("delete", "--force", each.id)
        each.reap()
