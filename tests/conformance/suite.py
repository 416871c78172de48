# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the programs of opencontainers/runtime-tools `validation` and judges what they print.

suite.py DIRECTORY RUNTIME...: prints what each runtime passes, for docs/conformance.md.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

NOT_TESTS = {"runtimetest", "util"}
RESULT = re.compile(r"^(ok|not ok) \d+(.*)$", re.MULTILINE)
# Most of a program's time is spent in sleeps of one second.
AT_ONCE = 4


@dataclass
class Outcome:
    status: int
    output: str

    @property
    def failures(self):
        """The lines of tests that failed."""
        return [rest.strip() for word, rest in RESULT.findall(self.output) if word == "not ok" and "# TODO" not in rest]

    @property
    def passed(self):
        # Some only use their exit status, and print the plan 1..0.
        return self.status == 0 and not self.failures

    @property
    def why(self):
        """One line on why it did not pass."""
        last = (self.output.strip().splitlines() or ["it prints nothing"])[-1]
        return self.failures[0] if self.failures else f"status {self.status}: {last}"


def programs(directory):
    names = {path.name for path in Path(directory).iterdir() if os.access(path, os.X_OK) and path.is_file()}
    return sorted(names - NOT_TESTS)


def run(directory, name, runtime):
    bundles = tempfile.mkdtemp(prefix="sctr-conformance-", dir="/var/tmp")
    environment = {**os.environ, "RUNTIME": shutil.which(runtime), "TMPDIR": bundles}
    try:
        done = subprocess.run(
            [f"./{name}"], cwd=directory, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout.decode(errors="replace"))
    except subprocess.TimeoutExpired as late:
        return Outcome(-1, (late.stdout or b"").decode(errors="replace") + "\nit does not end")
    finally:
        shutil.rmtree(bundles, ignore_errors=True)


def run_all(directory, runtime):
    names = programs(directory)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(names, pool.map(lambda name: run(directory, name, runtime), names)))


def main(directory, *runtimes):
    outcomes = {runtime: run_all(directory, runtime) for runtime in runtimes}
    print(f"| program | {' | '.join(runtimes)} |\n|---|{'---|' * len(runtimes)}")
    for name in programs(directory):
        cells = ["passes" if outcomes[runtime][name].passed else outcomes[runtime][name].why for runtime in runtimes]
        print(f"| {name} | {' | '.join(cells)} |")
    for runtime in runtimes:
        print(f"{runtime}: {sum(each.passed for each in outcomes[runtime].values())} of {len(outcomes[runtime])}")


if __name__ == "__main__":
    main(*sys.argv[1:])
