"""Runs clang-tidy over the sources of a meson build directory: tidy.py BUILD STAMPS [ARG...].

BUILD is configured with unity files: most of clang-tidy's time goes to the headers of libraries, which are
read once for all the sources of such a file. One that passed is read again only when something that it is
made of has changed. STAMPS is the folder of what passed; ARG goes to clang-tidy.
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

PROGRAM = "clang-tidy-19"
INCLUDE = re.compile(rb'^#include ?["<]([^">]+)[">]', re.MULTILINE)  # meson writes <...> in its unity files


class Sources:
    """What a source file is made of. Of libraries only the version counts, which the host's root file system fixes."""

    def __init__(self, folders):
        self.folders = folders

    @functools.cache
    def included(self, path):
        found = []
        for name in INCLUDE.findall(path.read_bytes()):
            candidates = (pathlib.Path(folder, name.decode()) for folder in (path.parent, *self.folders))
            found += [candidate for candidate in candidates if candidate.exists()][:1]  # none: a library's
        return found

    def closure(self, path):
        seen, todo = set(), [path]
        while todo:
            path = todo.pop()
            if path not in seen:
                seen.add(path)
                todo += self.included(path)
        return sorted(seen)


def fingerprint(sources, entry, common):
    """Everything that can change the verdict."""
    digest = hashlib.sha256(common + entry["command"].encode())
    for path in sources.closure(pathlib.Path(entry["directory"], entry["file"])):
        digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def check(build, source, arguments):
    # A unity file includes sources by its nature, and is not where clang-tidy would find its settings.
    settings = ["--config-file=.clang-tidy", "--checks=-bugprone-suspicious-include"]
    command = [PROGRAM, "--quiet", *settings, "-p", build, *arguments, source]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def main():
    build, stamps, *arguments = sys.argv[1:]
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, check=True).stdout
    common = version + pathlib.Path(".clang-tidy").read_bytes() + " ".join(arguments).encode()
    sources = Sources([pathlib.Path("src"), pathlib.Path(build, "src")])
    pathlib.Path(stamps).mkdir(parents=True, exist_ok=True)
    todo = {}
    for entry in json.loads(pathlib.Path(build, "compile_commands.json").read_text()):
        if entry["file"].endswith(".cpp"):
            stamp = pathlib.Path(stamps, fingerprint(sources, entry, common))
            if not stamp.exists():
                todo[os.path.join(entry["directory"], entry["file"])] = stamp
    failed = False
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {pool.submit(check, build, source, arguments): stamp for source, stamp in todo.items()}
        for run in concurrent.futures.as_completed(runs):
            if run.result().returncode:
                failed = True
                print(run.result().stdout, flush=True)
            else:
                runs[run].touch()
    return 1 if failed else 0


sys.exit(main())
