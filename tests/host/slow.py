# SPDX-License-Identifier: LGPL-2.1-or-later
"""A plugin of pytest: leaves out tests that took long in an earlier run, of which --slow is the JUnit file. Of the cases of one
function the shortest stays, unless that took very long."""

import xml.etree.ElementTree as ElementTree

LONG, VERY_LONG = 0.2, 2.0  # seconds


def pytest_addoption(parser):
    parser.addoption("--slow", help="JUnit file of an earlier run")


def left_out(times):
    """Those of {(module, name of the test and its case): seconds}."""
    shortest = {}
    for key, time in times.items():
        function = (key[0], key[1].split("[")[0])
        shortest[function] = min(shortest.get(function, (time, key)), (time, key))
    kept = {key for time, key in shortest.values() if time <= VERY_LONG}
    return {key for key, time in times.items() if time > LONG} - kept


def pytest_collection_modifyitems(config, items):
    cases = ElementTree.parse(config.getoption("slow")).getroot().iter("testcase")
    slow = left_out({(case.get("classname").rsplit(".", 1)[-1], case.get("name")): float(case.get("time")) for case in cases})
    gone = [item for item in items if (item.module.__name__, item.name) in slow]
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if item not in gone]
