"""Prints the outputs of a meson build directory that `meson install` installs, one a line."""

import json
import os
import sys

build = sys.argv[1]
with open(os.path.join(build, "meson-info", "intro-targets.json")) as file:
    for target in json.load(file):
        if target["installed"]:
            for output in target["filename"]:
                print(os.path.relpath(output, build))
