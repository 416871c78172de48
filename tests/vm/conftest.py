# SPDX-License-Identifier: LGPL-2.1-or-later
"""The vm suite: limits that a kernel must enforce, on a host with real cgroup controllers."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

import fixtures  # noqa: E402
import harness  # noqa: E402
from fixtures import *  # noqa: E402,F401,F403


@pytest.fixture(autouse=True)
def real_controllers(request, need_controller):
    """Each test names what it needs: @pytest.mark.controllers("memory")."""
    for mark in request.node.iter_markers("controllers"):
        for name in mark.args:
            need_controller(name)


def pytest_configure(config):
    fixtures.pytest_configure(config)
    config.addinivalue_line("markers", "controllers(NAME...): cgroup v2 controllers that are needed")


def pytest_runtest_setup():
    # Tests of networks name theirs, and the default one takes an emulated CPU long.
    harness.network = "none"
