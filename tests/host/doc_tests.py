# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether each promise of docs/security.md and docs/reliability.md names tests, and whether these exist.

In backticks a test is a file or directory below tests/ (`system/test_faults.py`, `unit/oci_*`, `powercut/`), a function of
one (`test_system_…`), an attack of tests/oci/attacks.py (`proc_is_…`), or in a table's column of fuzz targets a part of the
name of one. `…` stands for any letters.
"""

import fnmatch
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
DOCS = ("docs/security.md", "docs/reliability.md")
SUITES = "clients|conformance|dbus|fuzz|host|long|ns|oci|powercut|system|unit|vm"


def functions(*files):
    found = set()
    for file in files:
        found.update(re.findall(r"^(?:    )?def (\w+)", file.read_text(), re.MULTILINE))
    return found


CASES = functions(*TESTS.glob("*/test_*.py"))
ATTACKS = functions(TESTS / "oci/attacks.py")
TARGETS = {path.name.removesuffix("_fuzz.cpp") for path in TESTS.glob("fuzz/*_fuzz.cpp")}


def exists(name, heading):
    """None for what is no name of a test."""
    pattern = name.replace("…", "*").replace("...", "*")
    if re.fullmatch(rf"(tests/)?({SUITES})/[\w*./-]*", pattern):
        return any(TESTS.glob(pattern.removeprefix("tests/").rstrip("/")))
    if re.fullmatch(r"test_[\w*]+\.py", pattern):
        return any(TESTS.glob(f"*/{pattern}"))
    if re.fullmatch(r"test_[\w*]+", pattern):
        return bool(fnmatch.filter(CASES, pattern))
    if heading.startswith("Fuzz target"):
        return pattern in TARGETS
    if heading.startswith("Test") and re.fullmatch(r"[\w*]+", pattern):
        return bool(fnmatch.filter(ATTACKS, pattern)) or pattern in TARGETS
    return None


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def problems(doc):
    headings = []
    for number, line in enumerate((ROOT / doc).read_text().splitlines(), 1):
        where = f"{doc}:{number}"
        if not line.startswith("|"):
            headings = []
            row = [("", line)]
        elif not headings:
            headings = cells(line)
            continue
        else:
            row = list(zip(headings, cells(line), strict=False))
        for heading, cell in row:
            named = {name: exists(name, heading) for name in re.findall(r"`([^`]+)`", cell)}
            is_rule = set(cell) <= {"-"} and cell
            if heading.startswith("Test") and not is_rule and not cell.startswith("the same") and True not in named.values():
                yield f"{where}: a promise without a test"
            yield from (f"{where}: there is no test {name}" for name, found in named.items() if found is False)


def main():
    found = [problem for doc in DOCS for problem in problems(doc)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
