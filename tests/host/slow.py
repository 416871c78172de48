# SPDX-License-Identifier: LGPL-2.1-or-later
"""A plugin of pytest: leaves out the tests that took long in an earlier run, of which --slow is the JUnit file."""

import xml.etree.ElementTree as ElementTree

LONG = 0.4  # seconds


def pytest_addoption(parser):
    parser.addoption("--slow", help="JUnit file of an earlier run")


def pytest_collection_modifyitems(config, items):
    cases = ElementTree.parse(config.getoption("slow")).getroot().iter("testcase")
    slow = {(case.get("classname").rsplit(".", 1)[-1], case.get("name")) for case in cases if float(case.get("time")) > LONG}
    left_out = [item for item in items if (item.module.__name__, item.name) in slow]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
