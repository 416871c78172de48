# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes, starts, stops and removes containers, images and volumes, and says what is begun and what is done.

Usage: work.py prepare | round-N. The latter ends with the host.
"""

import itertools
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

import rootfs  # noqa: E402
from made_images import Image, Layer, base_layer  # noqa: E402
from registry import Registry  # noqa: E402

ROOTFS = "/var/lib/powercut/rootfs"
README = Path(__file__).parents[2] / "README.md"
# What README's lines take for granted and this host lacks. Whoever types them is slower than the server's start.
STAND_INS = """
set -e
sudo() { "$@"; }
apt-get() { :; }
curl() { until python3 -c 'import sys, urllib.request as r; print(end=r.urlopen(sys.argv[1], timeout=5).read().decode())' "$1" 2> /dev/null; do sleep 0.1; done; }
"""
TRAP = 'trap "exit 0" TERM; while sleep 1000 & wait $!; do :; done'
SHELL = ["sh", "-c", TRAP]
LOCK = threading.Lock()


def say(*words):
    with LOCK:
        print(*words, flush=True)


def sctr(*words):
    subprocess.run(["sctr", *map(str, words)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def fact(verb, name, *words):
    """One command, with its name before and after it."""
    say("begun", verb, name)
    sctr(*words)
    say("done", verb, name)


def create(name, *flags, command=SHELL):
    fact("create", name, "create", "--name", name, "--rootfs", ROOTFS, *flags, *command)


def readme(language, word):
    """The one block of code in that language with that word."""
    [block] = [text for text in re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.M | re.S) if word in text]
    return block


def do_as_the_readme_says():
    """web is the server in six lines; site the same as a file, on another port so that both can be there."""
    done = subprocess.run(["bash", "-c", STAND_INS + readme("sh", "sctr enable web")], check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "hello", done
    Path("/etc/sctr").mkdir(exist_ok=True)
    Path("/etc/sctr/site.container").write_text(readme("ini", "web.container").replace("8080", "8081"))
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    subprocess.run(["systemctl", "start", "site.service"], check=True)


def forget_an_earlier_run():
    """The VM may have been kept from one."""
    known = subprocess.run(["sctr", "ps", "-a", "-q"], check=True, capture_output=True, text=True).stdout.split()
    subprocess.run(["systemctl", "stop", "site.service"], capture_output=True)
    for name in set(known) - {"site"}:
        sctr("rm", "-f", name)


def prepare():
    forget_an_earlier_run()
    if not os.path.exists(ROOTFS):
        rootfs.build(ROOTFS)
    sctr("load", "-q", "-i", image(0).write_archive(Path("/var/lib/powercut/base.tar"), BASE))
    create("on", "--restart", "always", "-m", "64m", "--pids-limit", "33")
    fact("enable", "on", "enable", "on")
    fact("start", "on", "start", "on")
    create("off")
    fact("start", "off", "start", "off")
    create("never")
    create("three", command=["sh", "-c", "exit 3"])
    fact("start", "three", "start", "three")
    sctr("wait", "three")
    create("stopped", "--rm=false")
    fact("start", "stopped", "start", "stopped")
    fact("stop", "stopped", "stop", "stopped")
    do_as_the_readme_says()


BASE = "localhost/powercut/base:1"


def image(number):
    upper = Layer().file("data/random", os.urandom(200_000)).file("data/number", str(number))
    return Image(base_layer(), upper, Cmd=["cat", "/data/number"])


def change_images(prefix):
    """Of each name it says once that it comes, and once that it goes."""
    container = f"{prefix}-image"
    fact("create", container, "create", "--name", container, BASE, *SHELL)
    with Registry() as registry, tempfile.TemporaryDirectory() as directory:
        for number in itertools.count():
            name = f"localhost/powercut/{prefix}-loaded-{number}:1"
            archive = image(number).write_archive(Path(directory) / "image.tar", name)
            fact("load", name, "load", "-q", "-i", archive)
            pulled = registry.add(f"{prefix}-pulled", str(number), image(number))
            fact("load", pulled, "pull", "-q", "--tls-verify=false", pulled)
            committed = f"localhost/powercut/{prefix}-committed-{number}:1"
            fact("load", committed, "commit", container, committed)
            volume = f"{prefix}-{number}"
            fact("volume", volume, "volume", "create", volume)
            write = "echo whole > /v/new && busybox sync && busybox mv /v/new /v/file && busybox sync"
            fact("write", volume, "run", "-v", f"{volume}:/v", name, "sh", "-c", write)
            gone = [name, pulled, committed][number % 3]
            fact("rmi", gone, "rmi", gone)
            if number % 2:
                fact("volume-rm", volume, "volume", "rm", volume)


def make(prefix):
    for number in itertools.count():
        create(f"{prefix}-made-{number}", *(["--restart", "always"] if number % 2 else []))


def run(prefix):
    name = f"{prefix}-run"
    create(name)
    for _ in itertools.count():
        fact("start", name, "start", name)
        fact("stop", name, "stop", name)


def remove(prefix):
    for number in itertools.count():
        name = f"{prefix}-gone-{number}"
        create(name, "--restart", "always")
        fact("enable", name, "enable", name)
        fact("rm", name, "rm", name)


def main():
    [what] = sys.argv[1:]
    if what == "prepare":
        prepare()
        return
    threads = [threading.Thread(target=work, args=[what]) for work in (make, run, remove, change_images)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit("the work has ended, which it must not")


main()
