# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks for tests, and what is left of them."""

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from harness import DEADLINE, Result, eventually, host, sctr, unique_name

STATE = Path("/run/sctr/.network")
PING = ("--cap-add", "NET_RAW")  # busybox opens a raw socket, and knows no other way


@contextlib.contextmanager
def network(*flags, name=None):
    """A network that is gone after the test."""
    name = name or unique_name("net")
    sctr("network", "create", *flags, name).ok()
    try:
        yield name
    finally:
        sctr("network", "rm", name).ok()


def described(name):
    return json.loads(sctr("network", "inspect", name).ok())[0]


def addresses(container, network="sctr"):
    """A container's addresses in a network, IPv4 first."""
    return described(network)["containers"][container]["addresses"]


def rules():
    """The lines of netavark's table that concern one container or network."""
    text = host("nft", "list", "ruleset", check=False)
    return [line.strip() for line in text.splitlines() if "10.2" in line or "dnat" in line or "nv_" in line]


def devices():
    links = json.loads(host("ip", "-j", "link"))
    return {link["ifname"] for link in links}


def name_servers():
    """The aardvark-dns that answer for sctr's networks."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if words[0].endswith(b"aardvark-dns") and str(STATE / "netavark/aardvark-dns").encode() in words:
                found.add(path.parent.name)
    return found


def leases():
    return {str(path.relative_to(STATE / "leases")) for path in (STATE / "leases").glob("*/[!.]*")}


def attached():
    return {path.stem for path in (STATE / "attached").glob("*.json")}


def kept():
    """What netavark and aardvark-dns remember of containers and networks."""
    names = STATE / "netavark/aardvark-dns"
    found = set()
    for path in STATE.glob("netavark/firewall/*/*"):
        found.add(f"netavark's {path.parent.name} {path.name}")
    for path in names.glob("*"):
        with contextlib.suppress(OSError):
            text = path.read_text().strip()
            if path.name != "aardvark.pid":
                found |= {f"names {path.name}: {line}" for line in text.splitlines()}
            elif text not in name_servers():
                found.add(f"the number {text} of an aardvark-dns that is gone")
    return found


def remains():
    """All that networks of running containers consist of."""
    return (
        {f"lease {each}" for each in leases()}
        | {f"attachment {each}" for each in attached()}
        | {f"device {each}" for each in devices() if each.startswith(("sctr", "veth"))}
        | {f"rule {each}" for each in rules() if "sctr" in each or "10.21" in each}
        | {f"aardvark-dns {each}" for each in name_servers()}
        | kept()
    )


SERVE = """
    mkdir -p /tmp/www; echo {0} > /tmp/www/index.html
    httpd -f -p {1} -h /tmp/www & until wget -q -O /dev/null http://127.0.0.1:{1}/ 2>/dev/null; do sleep 0.01; done; echo ready; wait
"""


def serve(text="hello", port=80):
    """The command of a web server that says `text`."""
    return "sh", "-c", SERVE.format(text, port)


def fetch(url, inside=()):
    """What a web server says to the host, or to a network namespace that `inside` enters."""
    return subprocess.run(
        [*inside, "busybox", "wget", "-q", "-T", "5", "-O", "-", url], capture_output=True, text=True, timeout=DEADLINE
    )


@contextlib.contextmanager
def outside():
    """A network namespace that is the world, 198.51.100.2 and 2001:db8:1::2: the host, 198.51.100.1 and
    2001:db8:1::1, has a link to it, and it knows no way to others. Gives the words that enter it."""
    with subprocess.Popen(["unshare", "--net", "sleep", "1000"]) as holder:
        try:
            path = f"/proc/{holder.pid}/ns/net"
            eventually(lambda: os.readlink(path) != os.readlink("/proc/self/ns/net"))
            inside = ("nsenter", f"--net={path}")
            host("ip", "link", "add", "world0", "type", "veth", "peer", "name", "w0", "netns", holder.pid)
            for words, end in ((inside, "w0"), ((), "world0")):
                number = 2 if words else 1
                host(*words, "ip", "addr", "add", f"198.51.100.{number}/24", "dev", end)
                host(*words, "ip", "addr", "add", f"2001:db8:1::{number}/64", "dev", end, "nodad")
                host(*words, "ip", "link", "set", end, "up")
            host(*inside, "ip", "link", "set", "lo", "up")
            yield inside
        finally:
            host("ip", "link", "del", "world0", check=False)
            holder.kill()


@pytest.fixture(autouse=True)
def no_network_is_left():
    before = remains()
    yield
    eventually(lambda: remains() <= before, what=f"the end of {remains() - before}")


def without(path, rootfs, *words):
    """sctr run where a program is not installed."""
    script = 'mount --bind /dev/null "$1" && shift && exec "$@"'
    flags = ["unshare", "--mount", "sh", "-c", script, "sh", path, "sctr", "run", "--rootfs", rootfs]
    done = subprocess.run([*flags, *words], capture_output=True, timeout=DEADLINE)
    return Result(words, done.returncode, done.stdout, done.stderr)
