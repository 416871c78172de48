# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names: the files in which containers find them, and the servers that are asked."""

import os
import signal
import subprocess

from harness import eventually, host, sctr
from networks import network, outside, without
from networks import no_network_is_left  # noqa: F401 (fixture)


def test_servers_of_a_network(start, background):
    """--dns of a network is what its server asks for names that it does not know."""
    with outside() as world, network("--dns", "198.51.100.2") as net:
        seen = background(*world, "socat", "-u", "UDP4-RECVFROM:53", "STDOUT", stdout=subprocess.PIPE)
        asks = "while :; do nslookup -timeout=1 what.example; done >/dev/null 2>&1"
        with start("--network", net, command=["sh", "-c", f"echo ready; {asks}"]):
            assert b"what" in seen.stdout.read1()


def test_files_of_names(run):
    text = run("--name", "n1", "--hostname", "h1", "--add-host", "db:10.0.0.9", "--add-host", "up:host-gateway",
               "cat", "/etc/hosts").ok()  # fmt: skip
    lines = [line.split() for line in text.splitlines()]
    assert ["127.0.0.1", "localhost"] in lines and ["10.0.0.9", "db"] in lines
    own = [line for line in lines if line[1:] == ["h1", "n1"]]
    gateway = [line for line in lines if line[1:] == ["up"]]
    assert own[0][0].startswith("10.21") and gateway[0][0].endswith(".1")
    assert run("--hostname", "h1", "cat", "/etc/hostname").ok() == "h1"
    resolver = run("--dns-search", "a.example", "cat", "/etc/resolv.conf").lines
    assert resolver == ["search a.example", f"nameserver {gateway[0][0]}", "options ndots:0"]
    words = ["--network", "none", "--dns", "192.0.2.1", "--dns-option", "rotate", "cat", "/etc/resolv.conf"]
    assert "nameserver 192.0.2.1\noptions rotate" in run(*words).ok()
    assert run("sh", "-c", "echo >> /etc/hosts").status != 0, "what is written there would fill /run"


def test_names_of_the_host(run):
    assert run("--network", "host", "cat", "/etc/resolv.conf").ok() in host("cat", "/etc/resolv.conf")
    assert host("cat", "/etc/hosts") in run("--network", "host", "cat", "/etc/hosts").ok() + "\n"


def resolver_in(container):
    return sctr("exec", container.name, "cat", "/etc/resolv.conf").stdout


def test_the_hosts_servers_are_followed(start, hosts_resolver):
    with start("--network", "host") as container, start("--network", "host", "--dns", "192.0.2.9") as own:
        for number in (1, 2):
            hosts_resolver(f"nameserver 192.0.2.{number}\nsearch n{number}.example\n")
            text = f"search n{number}.example\nnameserver 192.0.2.{number}\n"
            eventually(lambda: resolver_in(container) == text, what="the new server")
        with open("/etc/resolv.conf", "w") as file:
            file.write("nameserver 192.0.2.3\n")
        eventually(lambda: resolver_in(container) == "nameserver 192.0.2.3\n", what="what was written in place")
        assert resolver_in(own) == "nameserver 192.0.2.9\n"


def test_a_stub_on_loopback_is_followed(start, hosts_resolver, tmp_path):
    """systemd-resolved replaces files that /etc/resolv.conf is a link to."""
    real = tmp_path / "stub.conf"
    real.write_text("nameserver 192.0.2.1\n")
    with start("--network", "host") as container:
        os.unlink("/etc/resolv.conf")
        os.symlink(real, "/etc/resolv.conf")
        eventually(lambda: resolver_in(container) == "nameserver 192.0.2.1\n", what="what the link leads to")
        (tmp_path / "new").write_text("nameserver 127.0.0.53\n")
        os.rename(tmp_path / "new", real)
        eventually(lambda: resolver_in(container) == "nameserver 127.0.0.53\n", what="the stub")


def test_the_networks_server_asks_what_the_host_asks_now(start, hosts_resolver, background):
    """And the domains that are searched are the host's of now."""
    hosts_resolver("nameserver 127.9.9.1\n")
    asks = "while :; do nslookup -timeout=1 what.example; done >/dev/null 2>&1"
    with start(command=["sh", "-c", f"echo ready; {asks}"]) as container:
        for number in (2, 3):
            words = ["socat", "-u", f"UDP4-RECVFROM:53,bind=127.9.9.{number}", "STDOUT"]
            seen = background(*words, stdout=subprocess.PIPE)
            hosts_resolver(f"nameserver 127.9.9.{number}\nsearch n{number}.example\n")
            assert b"what" in seen.stdout.read1()
            eventually(lambda: f"search n{number}.example\n" in resolver_in(container), what="the domain")


def test_a_container_gets_the_signals_that_tell_of_directories(start, hosts_resolver):
    """SIGURG from others is the container's, and the kernel's is not."""
    script = "trap 'echo urged' URG; trap 'exit 0' TERM; echo ready; while sleep 0.1; do :; done"
    with start("--network", "host", command=["sh", "-c", script]) as container:
        hosts_resolver("nameserver 192.0.2.1\n")
        eventually(lambda: "192.0.2.1" in resolver_in(container), what="the new server")
        container.send(signal.SIGURG)
        assert container.expect("urged\n") == ""


def test_names_of_another_container(run, start):
    with start("--hostname", "shared") as other:
        text = run("--network", f"container:{other.name}", "cat", "/etc/hosts").ok()
        assert "shared" in text
        assert other.exec("ip", "-o", "addr").ok() == run("--network", f"container:{other.name}", "ip", "-o", "addr").ok()


def test_servers_that_are_asked_in_turn(start, background):
    """--dns of a container on a bridge is what aardvark-dns asks for names that it does not know."""
    with outside() as world:
        server = [*world, "socat", "-u", "UDP4-RECVFROM:53", "STDOUT"]
        seen = background(*server, stdout=subprocess.PIPE)
        asks = "while :; do nslookup -timeout=1 what.example; done >/dev/null 2>&1"
        with start("--dns", "198.51.100.2", command=["sh", "-c", f"echo ready; {asks}"]):
            assert b"what" in seen.stdout.read1()


def test_without_a_server_of_names(rootfs, hosts_resolver):
    """The host's servers are asked, as nobody answers on the bridge."""
    hosts_resolver("nameserver 192.0.2.1\n")
    path = "/usr/lib/podman/aardvark-dns"
    done = without(path, rootfs, "cat", "/etc/resolv.conf")
    assert done.status == 0 and done.stdout == "nameserver 192.0.2.1\n", done
    assert "install aardvark-dns" in done.stderr and done.stderr.count("\n") == 1, done
    with network("--disable-dns") as net:
        assert without(path, rootfs, "--network", net, "true").stderr == ""
