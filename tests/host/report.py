"""Sums up a directory of test results: prints failures and skips, then "N passed, N failed, N skipped".

SUITE.xml is JUnit's format (meson, pytest), SUITE.json meson's own log of the test programs.
SUITE.could-not-run holds why a suite gave no result, SUITE.note what is worth to be read each time.
"""

import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    """("passed" | "failed" | "skipped", what the test said)."""
    failures = case.findall("failure") + case.findall("error")
    if failures:
        said = [part for node in failures for part in (node.get("message"), node.text)]
        said += [node.text for node in case if node.tag in ("system-out", "system-err")]
        return "failed", "\n".join(dict.fromkeys(part for part in said if part))
    skip = case.find("skipped")
    if skip is not None:
        return "skipped", skip.get("message") or skip.text or "no reason given"
    if case.get("status") == "notrun":
        return "skipped", "disabled"
    return "passed", ""


def cases(path):
    """(name, state, said) of each case of a JUnit file."""
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        for case in suite.findall("testcase"):
            name = ".".join(part for part in (case.get("classname"), case.get("name")) if part)
            # meson puts the name of a gtest program on the suite only
            yield f"{suite.get('name', '')} {name}".strip(), *outcome(case)


def silent_failures(path, failed_names):
    """Programs that failed though no case of theirs did: a crash, a leak found at the end, a timeout."""
    for line in path.read_text().splitlines():
        test = json.loads(line)
        # "project:suite / name" in the log, "project.name.Suite" on the cases
        name = test["name"].rsplit(" / ", 1)[-1]
        if test["result"] in ("OK", "SKIP", "EXPECTEDFAIL"):
            continue
        if not any(f".{name}." in failed or failed.endswith(f".{name}") for failed in failed_names):
            output = test.get("stdout", "") + test.get("stderr", "")
            yield name, f"{test['result']}, exit status {test['returncode']}\n{output[-8000:]}"


def read_suite(path):
    results = list(cases(path))
    log = path.with_suffix(".json")
    if log.exists():
        failed = [name for name, state, _ in results if state == "failed"]
        results += [(name, "failed", said) for name, said in silent_failures(log, failed)]
    return results


def main():
    directory = pathlib.Path(sys.argv[1])
    for note in sorted(directory.glob("*.note")):
        print(note.read_text(), end="")
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for path in sorted(directory.iterdir()):
        if path.suffix == ".could-not-run":
            results = [("the suite could not run", "failed", path.read_text())]
        elif path.suffix == ".xml":
            results = read_suite(path)
        else:
            continue
        for name, state, said in results:
            counts[state] += 1
            if state == "failed":
                print(f"FAILED {path.stem}: {name}\n{said}\n")
            elif state == "skipped":
                print(f"skipped {path.stem}: {name}: {' '.join(said.split())}")
    print(", ".join(f"{count} {state}" for state, count in counts.items()))
    return 1 if counts["failed"] else 0


sys.exit(main())
