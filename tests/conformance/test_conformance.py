# SPDX-License-Identifier: LGPL-2.1-or-later
"""sctr-oci passes every program of the compliance suite but those in expected.json, and none of these by surprise."""

import json
from pathlib import Path

import pytest

import suite

HERE = Path(__file__).parent
DIRECTORY = Path("/build/conformance/bin")
EXPECTED = json.loads((HERE / "expected.json").read_text())
HOST_DEPENDENT = json.loads((HERE / "host_dependent.json").read_text())


@pytest.fixture(scope="session")
def outcomes():
    return suite.run_all(DIRECTORY, "sctr-oci")


@pytest.mark.parametrize("name", suite.programs(DIRECTORY))
def test_program(outcomes, name):
    outcome = outcomes[name]
    if name in EXPECTED:
        assert not outcome.passed, f"{name} passes: take it out of expected.json and docs/conformance.md"
    elif name in HOST_DEPENDENT and not outcome.passed:
        pytest.skip(HOST_DEPENDENT[name])
    else:
        assert outcome.passed, f"{outcome.why}\n{outcome.output[-4000:]}"


def test_the_lists_name_programs():
    assert {*EXPECTED, *HOST_DEPENDENT} <= set(suite.programs(DIRECTORY))
    assert not set(EXPECTED) & set(HOST_DEPENDENT)


def test_each_exception_is_documented():
    text = (HERE.parent.parent / "docs/conformance.md").read_text()
    assert [name for name in (*EXPECTED, *HOST_DEPENDENT) if f"| {name} |" not in text] == []
