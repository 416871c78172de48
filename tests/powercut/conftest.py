# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is found after a boot, of what work.py has said before it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))


class Facts:
    """What was begun and done, in order."""

    def __init__(self, text):
        # The last line may be a part of one.
        self.lines = [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def names(self, verb):
        return list(dict.fromkeys(line[2] for line in self.lines if line[1:2] == [verb]))

    def is_done(self, verb, name):
        return ["done", verb, name] in self.lines

    def is_begun(self, verb, name):
        return ["begun", verb, name] in self.lines

    def last(self, name):
        """(begun|done, verb) that was said last of a container."""
        return next((tuple(line[:2]) for line in reversed(self.lines) if line[2] == name), None)


@pytest.fixture(scope="session")
def facts():
    return Facts(Path("/run/facts").read_text())
