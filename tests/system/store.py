# SPDX-License-Identifier: LGPL-2.1-or-later
"""The store of images, for the tests that use it: what they put there goes with them."""

from pathlib import Path

import pytest

from harness import sctr, unique_name

STORE = Path("/var/lib/sctr")


@pytest.fixture
def load(tmp_path):
    """load(IMAGE): its name in the store, from which it goes with the test."""
    names = []

    def load_image(image, name=None):
        name = name or f"localhost/{unique_name('i')}:1"
        path = image.write_archive(tmp_path / f"{len(names)}.tar", name)
        assert sctr("load", "-q", "-i", path).ok() == name
        names.append(name)
        assert sctr("system", "check").ok() == ""  # whatever odd layers it has
        return name

    yield load_image
    for name in names:
        sctr("rmi", name)


@pytest.fixture
def pulled():
    """Names that go with the test."""
    names = []
    yield names
    for name in names:
        sctr("rmi", name)


def store_files():
    found = set()
    for part in ("blobs/sha256", "layers", "images", "names", "roots", "volumes", "tmp"):
        found.update(str(path) for path in (STORE / part).glob("*"))
    return found


@pytest.fixture(autouse=True)
def nothing_stays_in_the_store():
    before = store_files()
    yield
    left = store_files() - before
    assert not left, f"left in the store: {sorted(left)}"
