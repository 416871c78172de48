"""Runs clang-tidy over the sources of a meson build directory: tidy.py BUILD STAMPS PREFIX [ARG...].

A file that passed is read again only when something that it is made of has changed: a run over everything
takes minutes. STAMPS is the folder of what passed; PREFIX selects the sources; ARG goes to clang-tidy.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys

PROGRAM = "clang-tidy-19"


def dependencies(build):
    """Object file to the files that it was made of, as ninja recorded them."""
    listing = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    found, current = {}, None
    for line in listing.splitlines():
        if line.startswith("    "):
            current.append(line.strip())
        elif ": #deps" in line:
            current = found.setdefault(line.split(":")[0], [])
    return found


def fingerprint(build, entry, files, common):
    """Everything that can change the verdict, or None when ninja has not compiled the file yet."""
    if not files:
        return None
    digest = hashlib.sha256(common + entry["command"].encode())
    for name in sorted(files):
        path = pathlib.Path(build, name)
        if not path.exists():
            return None
        digest.update(name.encode() + path.read_bytes())
    return digest.hexdigest()


def check(build, source, arguments):
    command = [PROGRAM, "--quiet", "-p", build, *arguments, source]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def main():
    build, stamps, prefix, *arguments = sys.argv[1:]
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, check=True).stdout
    common = version + pathlib.Path(".clang-tidy").read_bytes() + " ".join(arguments).encode()
    made_of = dependencies(build)
    pathlib.Path(stamps).mkdir(parents=True, exist_ok=True)
    todo = {}
    for entry in json.loads(pathlib.Path(build, "compile_commands.json").read_text()):
        source = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        if not source.startswith(prefix):
            continue
        mark = fingerprint(build, entry, made_of.get(entry["output"]), common)
        stamp = pathlib.Path(stamps, mark) if mark else None
        if stamp is None or not stamp.exists():
            todo[source] = stamp
    failed = False
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {pool.submit(check, build, source, arguments): stamp for source, stamp in todo.items()}
        for run in concurrent.futures.as_completed(runs):
            if run.result().returncode:
                failed = True
                print(run.result().stdout, flush=True)
            elif runs[run]:
                runs[run].touch()
    return 1 if failed else 0


sys.exit(main())
