# SPDX-License-Identifier: LGPL-2.1-or-later
"""The conformance suite: runtime-tools' validation programs against sctr-oci, in the box."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def nothing_stays():
    """Some programs leave a created container behind when they fail."""
    yield
    ids = subprocess.run(["sctr-oci", "list", "-q"], capture_output=True, text=True, timeout=20).stdout.split()
    for each in ids:
        subprocess.run(["sctr-oci", "delete", "--force", each], timeout=20)
