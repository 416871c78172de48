# SPDX-License-Identifier: LGPL-2.1-or-later
"""Traffic through what Debian's kernel has as modules: ipvlan devices, and sockets of SCTP."""

import contextlib
import socket
import subprocess

import pytest

from harness import DEADLINE, eventually, host, started
from networks import PING, network, no_network_is_left, outside  # noqa: F401 (fixture)

IPPROTO_SCTP = 132


def need_module(name):
    done = subprocess.run(["modprobe", name], capture_output=True, text=True, timeout=DEADLINE)
    if done.returncode != 0:
        pytest.skip(f"this kernel has no {name}: {done.stderr.strip()}")


@contextlib.contextmanager
def ipvlan(mode):
    """A network on the link to the world, whose addresses are the link's (l2) or behind the host (l3)."""
    need_module("ipvlan")
    with outside() as world:
        flags = ["--driver", "ipvlan", "--parent", "world0", "-o", f"mode={mode}"]
        if mode == "l2":
            flags += ["--subnet", "198.51.100.0/24", "--gateway", "198.51.100.2"]
            prefix = "198.51.100"
        else:
            flags += ["--subnet", "10.209.9.0/24"]
            prefix = "10.209.9"
            host(*world, "ip", "route", "add", "10.209.9.0/24", "via", "198.51.100.1")
        with network(*flags) as net:
            yield net, prefix, world


@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_ipvlan(run, start, mode):
    """From container to container, to the world, and from there."""
    with ipvlan(mode) as (net, prefix, world):
        with start("--network", net, "--ip", f"{prefix}.7") as one:
            pid = one.init()
            assert f" mode {mode} " in host("nsenter", "--net", "--target", pid, "ip", "-d", "link", "show", "eth0")
            for address in (f"{prefix}.7", "198.51.100.2"):
                words = ["--network", net, "--ip", f"{prefix}.8", *PING, "ping", "-c", "1", "-W", "10", address]
                assert " 0% packet loss" in run(*words).ok(), address
            assert " 0% packet loss" in host(*world, "ping", "-c", "1", "-W", "10", f"{prefix}.7")


def test_ipvlan_carries_connections(run, start):
    with ipvlan("l2") as (net, prefix, world):
        serve = ["sh", "-c", "echo ready; exec nc -ll -p 80 -e echo over ipvlan"]
        with start("--network", net, "--ip", f"{prefix}.7", command=serve):
            words = ["nc", "-w", "10", f"{prefix}.7", "80"]
            eventually(lambda: run("--network", net, *words).stdout == "over ipvlan\n", what="the other container's word")
            assert host(*world, "socat", "-u", f"TCP4:{prefix}.7:80", "-") == "over ipvlan\n"


@pytest.fixture
def sctp_server(own_rootfs):
    """sctp_server(FLAG...): a container which tells each client of its port 8080 what address it has."""
    need_module("sctp")
    system = (("/usr", "/usr"), ("/usr/lib", "/lib"), ("/usr/lib64", "/lib64"))
    volumes = [word for source, target in system for word in ("-v", f"{source}:{target}:ro")]
    listen = "echo ready; exec /usr/bin/socat -t 30 SCTP6-LISTEN:8080,fork SYSTEM:'echo $SOCAT_PEERADDR; cat'"
    return lambda *flags: started(own_rootfs, *flags, *volumes, command=["sh", "-c", listen])


CLIENT = f"""
import socket, sys
with socket.socket(getattr(socket, sys.argv[1]), socket.SOCK_STREAM, {IPPROTO_SCTP}) as client:
    client.settimeout(30)
    client.connect((sys.argv[2], int(sys.argv[3])))
    client.sendall(b"echoed")
    seen = b""
    while not seen.endswith(b"echoed"):
        data = client.recv(1000)
        if not data:
            break
        seen += data
    print(seen.decode())
"""


def ask(address, port, inside=()):
    """What the server says to the host, or to a network namespace that `inside` enters; SCTP has no half-closed
    connections, as socat would make one."""
    family = "AF_INET6" if ":" in address else "AF_INET"
    words = [*inside, "python3", "-c", CLIENT, family, address, port]
    return host(*words, check=False).split()


@pytest.mark.parametrize("where", ["127.0.0.1", "198.51.100.1", "2001:db8:1::1"])
def test_ports_over_sctp(sctp_server, where):
    """From the host's loopback, and from the world to the host's addresses."""
    with network("--ipv6") as net, outside() as world:
        with sctp_server("--network", net, "-p", "18080:8080/sctp"):
            inside = () if where == "127.0.0.1" else world
            said = eventually(lambda: ask(where, 18080, inside), what="the echo")
            assert said[1] == "echoed"
            source = {"198.51.100.1": ":c633:6402]", "2001:db8:1::1": "2001:0db8:0001:0000:0000:0000:0000:0002"}
            assert source.get(where, "") in said[0], "who asks is known"


def test_a_port_of_sctp_in_use(sctp_server, run):
    with sctp_server("-p", "18080:8080/sctp"):
        run("-p", "18080:80/sctp", "true").failed(125, "18080", "in use already")
        run("-p", "18080:80", "true").ok()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP) as other:
        other.bind(("127.0.0.1", 18080))
        other.listen()
        run("-p", "18080:80/sctp", "true").failed(125, "18080", "in use already")
    run("-p", "18080:80/sctp", "true").ok()
