#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of src/ that tests have run.

    coverage.py open DATA                             prepares the directory to which programs that count write
    coverage.py sum DATA BUILD TESTS RESULTS LLVM     writes RESULTS/coverage.xml and coverage.note; see coverage.sh.
                                                      The product is of BUILD, unit tests are of TESTS
"""

import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

LIMIT = 85  # per cent
NAMED = 15  # files
PROGRAMS = ["sctr", "sctr-oci", "sctr-init", "sctr-generator", "sctr-layer"]


def unit_tests(build):
    tests = json.loads((build / "meson-info" / "intro-tests.json").read_text())
    return [test["cmd"][0] for test in tests if test["suite"] == ["sctr:unit"]]


def open_data(directory):
    """Whatever the umask of a program: what it makes there is everybody's; posix_acl_xattr in the kernel's headers."""
    user, group, other, nobody, rw = 1, 4, 0x20, 0xFFFFFFFF, 6
    entries = [(user, rw), (group, rw), (other, rw)]
    value = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, right, nobody) for tag, right in entries)
    os.setxattr(directory, "system.posix_acl_default", value)


def summary(data, build, tests, llvm):
    """{file below src/: (lines, covered lines)}."""
    merged = data / "all.profdata"
    raw = sorted(data.glob("*.profraw"))
    subprocess.run([llvm / "llvm-profdata", "merge", "-sparse", "-o", merged, *raw], check=True)
    programs = [*(build / "src" / name for name in PROGRAMS), *unit_tests(tests)]
    words = [llvm / "llvm-cov", "export", "-summary-only", "-instr-profile", merged, programs[0]]
    for program in programs[1:]:
        words += ["-object", program]
    files = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)["data"][0]["files"]
    found = {}
    for file in files:
        name = os.path.normpath(build / file["filename"])
        if name.startswith("/src/src/"):
            lines = file["summary"]["lines"]
            found[name.removeprefix("/src/")] = (lines["count"], lines["covered"])
    return found


def passed(results):
    counts = (results / "coverage-unit.out").read_text()
    yield f"unit: {re.search(r'^Ok: *([0-9]+)', counts, re.MULTILINE)[1]} programs passed"
    for folder in ("system", "oci"):
        yield f"{folder}: {(results / f'coverage-{folder}.out').read_text().splitlines()[-1].strip('= ')}"


def sum_up(data, build, tests, results, llvm):
    files = summary(data, build, tests, llvm)
    count, covered = (sum(part) for part in zip(*files.values()))
    figure = 100 * covered / count
    missing = sorted(files.items(), key=lambda item: item[1][1] - item[1][0])
    lines = [f"coverage: {figure:.1f} % of the {count} lines in src/ that make code ({'; '.join(passed(results))})"]
    lines += [f"  {total - ran:4} of {total:4} lines not run: {name}" for name, (total, ran) in missing[:NAMED]]
    (results / "coverage.note").write_text("\n".join(lines) + "\n")
    failure = f"<failure>{figure:.1f} % is below {LIMIT} %</failure>" if figure < LIMIT else ""
    (results / "coverage.xml").write_text(
        f'<testsuite name="coverage"><testcase name="lines of src/ that tests run">{failure}</testcase></testsuite>'
    )


if sys.argv[1] == "open":
    open_data(sys.argv[2])
else:
    sum_up(*map(Path, sys.argv[2:]))
