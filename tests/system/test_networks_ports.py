# SPDX-License-Identifier: LGPL-2.1-or-later
"""What -p publishes: who reaches it, over which protocol, and whose port it is."""

import socket

import pytest

from harness import eventually, host, sctr, started
from networks import fetch, network, outside, rules, serve
from networks import no_network_is_left  # noqa: F401 (fixture)


@pytest.mark.parametrize("where", ["127.0.0.1", "address"])
def test_ports_over_tcp(start, where):
    """From the host's loopback, and from the world to the host's address."""
    with start("-p", "18080:80", command=serve("page")) as container, outside() as world:
        assert sctr("port", container.name).ok() == "80/tcp -> 0.0.0.0:18080"
        assert sctr("port", container.name, "80").ok() == "0.0.0.0:18080"
        if where == "address":
            done = fetch("http://198.51.100.1:18080/", world)
        else:
            done = fetch(f"http://{where}:18080/")
        assert done.stdout == "page\n", done


def test_ports_over_tcp_and_ipv6(start):
    with network("--ipv6") as net, outside() as world:
        with start("--network", net, "-p", "18080:80", command=serve("six")):
            done = fetch("http://[2001:db8:1::1]:18080/", world)
            assert done.stdout == "six\n", done


@pytest.mark.parametrize("family", ["4", "6"])
def test_ports_over_udp(own_rootfs, family):
    flags = ["-p", "15353:5353/udp", *(word for each in ("/usr:/usr", "/usr/lib:/lib", "/usr/lib64:/lib64")
                                       for word in ("-v", f"{each}:ro"))]  # fmt: skip
    command = ["sh", "-c", "echo ready; exec /usr/bin/socat UDP6-LISTEN:5353,fork EXEC:/bin/cat"]
    target = "198.51.100.1" if family == "4" else "[2001:db8:1::1]"
    with network("--ipv6") as net, outside() as world:
        with started(own_rootfs, "--network", net, *flags, command=command):
            words = [*world, "socat", "-t", "3", "-", f"UDP{family}:{target}:15353"]
            eventually(lambda: host(*words, input="echoed", check=False) == "echoed", what="the echo")


def test_ranges_and_ports_that_are_free(start):
    command = ["sh", "-c", "for p in 81 82; do nc -ll -p $p -e echo port $p & done; echo ready; wait"]
    with start("-p", "18081-18082:81-82", "-P", "--expose", "81", "-p", "83", command=command) as container:
        lines = sctr("port", container.name).lines
        assert lines[:2] == ["81/tcp -> 0.0.0.0:18081", "82/tcp -> 0.0.0.0:18082"]
        assert lines[2].startswith("83/tcp -> 0.0.0.0:") and len(lines) == 3, "81 is published once"
        for port in (81, 82):
            words = ["socat", "-u", f"TCP4:127.0.0.1:{18000 + port}", "-"]
            eventually(lambda: host(*words, check=False) == f"port {port}\n", what=f"port {port}")
        sctr("port", container.name, "99").failed(125, "not published")


def test_ports_over_sctp(start, run):
    """The rules; few kernels have sockets of it. Where none tells who has a port, the other container does."""
    with start("-p", "18080-18081:80-81/sctp") as container:
        assert sctr("port", container.name).lines == ["80/sctp -> 0.0.0.0:18080", "81/sctp -> 0.0.0.0:18081"]
        assert any("sctp dport" in rule and "18080" in rule and "dnat" in rule for rule in rules())
        run("-p", "18081:80/sctp", "true").failed(125, "18081", "in use already")
        run("-p", "18081:80", "true").ok()
    assert not any("sctp" in rule and "18080" in rule for rule in rules())


def test_a_port_of_one_address(start):
    with start("-p", "127.0.0.1:18080:80", command=serve()), outside() as world:
        assert fetch("http://127.0.0.1:18080/").stdout == "hello\n"
        assert fetch("http://198.51.100.1:18080/", world).returncode != 0


def test_a_port_in_use(run, start):
    with socket.create_server(("127.0.0.1", 18090)):
        run("-p", "18090:80", "true").failed(125, "18090", "in use already", "-p 18090")
    with start("-p", "18090:80"):
        run("-p", "18090:80", "true").failed(125, "18090", "in use already")
    run("-p", "18090:80", "true").ok()
    run("-p", "203.0.113.9:18090:80", "true").failed(125, "no address 203.0.113.9")
