# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks with real traffic: names, ports, ways out, isolation, and what stays behind."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from harness import DEADLINE, Result, eventually, host, sctr, started, unique_name
from networks import addresses, attached, described, fetch, leases, network, outside, remains, rules, serve


PING = ("--cap-add", "NET_RAW")  # busybox opens a raw socket, and knows no other way


@pytest.fixture(autouse=True)
def no_network_is_left():
    before = remains()
    yield
    eventually(lambda: remains() <= before, what=f"the end of {remains() - before}")


def test_the_seeds_example_as_one_command(run):
    """Two ends of a veth pair, addresses, a route, ping both ways, and to the host's other addresses."""
    with outside():
        script = """
            ip -o -4 addr show eth0; ip route
            gateway=$(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p')
            ping -c 1 -W 3 $gateway && ping -c 1 -W 3 198.51.100.1 && ping -c 1 -W 3 198.51.100.2
        """
        text = run(*PING, "sh", "-c", script).ok()
        assert "eth0" in text and "default via 10.21" in text and text.count(" 0% packet loss") == 3


def test_the_host_reaches_the_container(start):
    with start() as container:
        address = addresses(container.name)[0]
        assert " 0% packet loss" in host("ping", "-c", "1", "-W", "3", address)
        assert host("getent", "hosts", container.name).split()[0] == address


@pytest.mark.parametrize("flags", [[], ["--ipv6"]])
def test_containers_find_each_other_by_name(start, flags, run):
    with network(*flags) as net, start("--network", f"{net}:alias=database", command=serve("data")) as db:
        words = ["--network", net]
        for name in (db.name, "database"):
            assert run(*words, "wget", "-q", "-O", "-", f"http://{name}/").ok() == "data"
        if flags:
            v6 = addresses(db.name, net)[1]
            assert ":" in v6
            text = run(*words, "wget", "-q", "-O", "-", f"http://[{v6}]/").ok()
            assert text == "data"
            assert v6 in run(*words, "nslookup", "-type=aaaa", db.name).ok()


def test_names_end_with_their_container(start):
    with network() as net, start("--network", net) as asks:
        with start("--network", net) as other:
            assert asks.exec("nslookup", other.name).status == 0
        assert asks.exec("nslookup", other.name).status != 0


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
        run("-p", "18090:80", "true").failed(125, "18090", "in use already", "--publish")
    with start("-p", "18090:80"):
        run("-p", "18090:80", "true").failed(125, "18090", "in use already")
    run("-p", "18090:80", "true").ok()
    run("-p", "203.0.113.9:18090:80", "true").failed(125, "no address 203.0.113.9")


def test_out_through_the_host(run):
    """What the world sees of a container is the host's address."""
    with outside() as world:
        listener = [*world, "socat", "TCP4-LISTEN:7000,reuseaddr", "SYSTEM:echo $SOCAT_PEERADDR"]
        with subprocess.Popen(listener) as server:
            wait = "until nc -w 3 198.51.100.2 7000 </dev/null; do sleep 0.1; done"
            assert run("timeout", "10", "sh", "-c", wait).ok().splitlines()[-1] == "198.51.100.1"
            assert server.wait(DEADLINE) == 0


def test_internal_networks_have_no_way_out(start, run):
    with network("--internal") as net, outside(), start("--network", net, command=serve("in")) as inside:
        assert run("--network", net, *PING, "ping", "-c", "1", "-W", "1", "198.51.100.2").status != 0
        assert run("--network", net, "wget", "-qO-", f"http://{inside.name}/").ok() == "in"


@pytest.mark.parametrize("flag, reaches", [(None, True), ("--isolate", False)])
def test_isolation_between_networks(start, flag, reaches, run):
    flags = [flag] if flag else []
    with network(*flags) as one, network(*flags) as other:
        with start("--network", one, command=serve("other")) as server:
            address = addresses(server.name, one)[0]
            done = run("--network", other, "wget", "-T", "2", "-qO-", f"http://{address}/")
            assert (done.status == 0) == reaches, done
            assert run("--network", other, "nslookup", server.name).status != 0, "its name is not known"


def test_two_networks(start):
    with network() as one, network() as other:
        with start("--network", one, "--network", f"{other}:interface_name=lan,mac=02:00:00:00:00:77") as container:
            text = container.exec("ip", "-o", "link").ok()
            assert "eth0" in text and "lan" in text and "02:00:00:00:00:77" in text
            for net in (one, other):
                assert container.name in described(net)["containers"]


def test_addresses_that_are_asked_for(run, start):
    with network("--subnet", "10.209.7.0/28", "--gateway", "10.209.7.14") as net:
        with start("--network", net, "--ip", "10.209.7.5") as first:
            assert addresses(first.name, net) == ["10.209.7.5"]
            assert "default via 10.209.7.14" in first.exec("ip", "route").ok()
            run("--network", net, "--ip", "10.209.7.5", "true").failed(125, first.name, "in use")
        run("--network", net, "--ip", "10.209.7.5", "true").ok()
        run("--network", net, "--ip", "10.209.7.14", "true").failed(125, "host's own")
        run("--network", net, "--ip", "10.209.8.1", "true").failed(125, "10.209.7.0/28")
        run("--network", net, "--ip", "10.209.7.15", "true").failed(125, "10.209.7.0/28")
        run("--network", net, "--ip6", "fd00::1", "true").failed(125, "no subnet of IPv6")


def test_a_network_that_is_full(run, start):
    with network("--subnet", "10.209.8.0/30") as net, start("--network", net):
        run("--network", net, "true").failed(125, "no free address", net)


def test_100_containers_on_one_bridge(rootfs):
    names = [unique_name("crowd") for _ in range(100)]
    with network() as net:
        processes = [
            subprocess.Popen(["sctr", "run", "--network", net, *PING, "--name", name, "--rootfs", rootfs, "sh", "-c",
                              "echo ready; exec sleep 1000"], stdout=subprocess.PIPE)
            for name in names
        ]  # fmt: skip
        try:
            for process in processes:
                assert process.stdout.readline() == b"ready\n"
            containers = described(net)["containers"]
            found = [containers[name]["addresses"][0] for name in names]
            assert len(set(found)) == 100
            assert sctr("exec", names[0], "ping", "-c", "1", "-W", "3", names[99]).status == 0
        finally:
            sctr("rm", "-f", *names, timeout=120)
            for process in processes:
                process.wait(60)
                process.stdout.close()


def test_reload_after_the_firewall_was_flushed(start):
    with start("-p", "18080:80", command=serve("again")) as container:
        before = addresses(container.name)
        host("nft", "flush", "ruleset")
        assert fetch("http://127.0.0.1:18080/").returncode != 0
        assert sctr("network", "reload", container.name).ok() == container.name
        assert fetch("http://127.0.0.1:18080/").stdout == "again\n"
        assert addresses(container.name) == before
        host("nft", "flush", "ruleset")
        sctr("network", "reload", "--all").ok()
        assert fetch("http://127.0.0.1:18080/").stdout == "again\n"
    assert not [rule for rule in rules() if "dnat" in rule and "18080" in rule]


def test_reload_of_one_that_has_died_meanwhile(rootfs):
    """Its process number may be another one's by then, whose network is none of sctr's business."""
    before = remains()
    name = unique_name("killed")
    with open("/run/sctr/.network/netavark.lock", "a") as lock:
        process = subprocess.Popen(["sctr", "run", "--name", name, "--rootfs", rootfs, *serve()], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        fcntl.flock(lock, fcntl.LOCK_EX)  # nobody sweeps now
        process.kill()
        process.wait()
        process.stdout.close()
        reload = subprocess.Popen(["sctr", "network", "reload", name], stderr=subprocess.PIPE, text=True)
        waiting = f"-> FLOCK  ADVISORY  WRITE {reload.pid} "
        eventually(lambda: waiting in Path("/proc/locks").read_text(), what="the wait for the lock")
    assert "the container does not run" in reload.communicate(timeout=DEADLINE)[1]
    assert reload.returncode == 125
    eventually(lambda: (sctr("ps"), remains() <= before)[1], what="the end of the rest")


def test_nothing_stays_of_a_killed_supervisor(rootfs, run):
    before = remains()
    name = unique_name("killed")
    words = ["sctr", "run", "--name", name, "-p", "18080:80", "--rootfs", rootfs, *serve()]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    assert remains() > before
    process.kill()
    process.wait()
    process.stdout.close()
    run("--network", "none", "true").ok()  # whoever comes next
    eventually(lambda: (sctr("ps"), remains() <= before)[1], what="the end of the rest")
    assert name not in attached() and not any(name in rule for rule in rules())


def test_nothing_stays_of_a_supervisor_killed_at_any_time(rootfs):
    """Whatever of the start was done by then."""
    before = remains()
    for step in range(24):
        process = subprocess.Popen(
            ["sctr", "run", "-p", "18080:80", "--rootfs", rootfs, "sleep", "1000"], stderr=subprocess.DEVNULL
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.004 * (step + 1))
        process.kill()
        process.wait()
    eventually(lambda: (sctr("ps"), remains() <= before)[1], what="the end of the rest")


def test_rm_force_and_stop(start):
    before = leases()
    for verb in (["rm", "-f"], ["stop"], ["kill"]):
        with start() as container:
            assert leases() > before
            sctr(*verb, container.name).ok()
            container.wait()
            assert leases() == before, verb


def test_a_start_that_fails_leaves_nothing(run):
    before = remains()
    run("-p", "18080:80", "no-such-program").failed(127, "no-such-program")
    run("--network", "no-such-network", "true").failed(125, "no such network", "sctr network create")
    assert remains() <= before


def test_a_detached_container(rootfs):
    name = unique_name("web")
    sctr("run", "-d", "--name", name, "-p", "18080:80", "--rootfs", rootfs, *serve("kept")).ok()
    try:
        eventually(lambda: fetch("http://127.0.0.1:18080/").stdout == "kept\n")
        sctr("restart", name).ok()
        eventually(lambda: fetch("http://127.0.0.1:18080/").stdout == "kept\n")
        with socket.create_server(("127.0.0.1", 18091)):
            other = sctr("run", "-d", "--name", name + "x", "-p", "18091:80", "--rootfs", rootfs, *serve())
            other.failed(125, "18091", "in use already")
        pid = int(host("systemctl", "show", f"sctr@{name}.service", "-P", "MainPID"))
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: name not in attached(), what="the end of the attachment")
    finally:
        sctr("rm", "-f", name)


def test_connect_and_disconnect(start):
    with network() as net, start("--network", net, command=serve("late")) as server, start() as asks:
        get = ["wget", "-T", "2", "-qO-", f"http://{server.name}/"]
        assert asks.exec(*get).status != 0
        sctr("network", "connect", "--alias", "here", net, asks.name).ok()
        assert asks.name in described(net)["containers"]
        address = addresses(server.name, net)[0]
        assert asks.exec("wget", "-T", "2", "-qO-", f"http://{address}/").ok() == "late"
        sctr("network", "connect", net, asks.name).failed(125, "on the network already")
        sctr("network", "rm", net).failed(125, net, "is on it")
        sctr("network", "disconnect", net, asks.name).ok()
        assert "eth1" not in asks.exec("ip", "-o", "link").ok()
        sctr("network", "disconnect", net, asks.name).failed(125, "not on the network")
        sctr("network", "connect", net, asks.name).ok()  # and ends with the container


@pytest.fixture
def stored(rootfs):
    """A stored container with a page on port 80, which runs."""
    name = unique_name("stored")

    def run(*flags):
        sctr("run", "-d", "--name", name, *flags, "--rootfs", rootfs, *serve("kept")).ok()
        return name

    yield run
    sctr("rm", "-f", name)


def networks_of(name):
    return {each["name"] for each in json.loads(sctr("network", "ls", "--json").ok()) if name in each["containers"]}


def test_connect_is_kept_for_later_starts(stored):
    with network("--subnet", "10.209.12.0/24") as net:
        name = stored("-p", "18080:80", "--network-alias", "first")
        sctr("network", "connect", "--ip", "10.209.12.9", "--alias", "here", net, name).ok()
        assert addresses(name, net) == ["10.209.12.9"]
        sctr("restart", name).ok()
        assert networks_of(name) == {"sctr", net} and addresses(name, net) == ["10.209.12.9"]
        assert described(net)["containers"][name]["aliases"] == ["here"]
        assert described("sctr")["containers"][name]["aliases"] == ["first"]
        sctr("stop", name).ok()
        sctr("network", "rm", net).failed(125, net, "is to be on it")
        sctr("network", "disconnect", "bridge", name).ok()
        sctr("network", "disconnect", "bridge", name).failed(125, "not on the network")
        sctr("network", "connect", net, name).failed(125, "on the network already")
        sctr("start", name).ok()
        assert networks_of(name) == {net}
        eventually(lambda: fetch("http://127.0.0.1:18080/").stdout == "kept\n", what="its port in the other network")
        sctr("stop", name).ok()
        sctr("network", "disconnect", net, name).ok()


def test_a_container_may_change_its_only_network(stored):
    """Ports and names go with it."""
    with network() as net, network() as other:
        name = stored("-p", "18080:80", "--network", net)
        sctr("network", "connect", other, name).ok()
        sctr("network", "disconnect", net, name).ok()
        eventually(lambda: fetch("http://127.0.0.1:18080/").stdout == "kept\n", what="the page")
        gateway = described(other)["subnets"][0]["gateway"]
        assert f"nameserver {gateway}\n" in sctr("exec", name, "cat", "/etc/resolv.conf").stdout
        assert f"{addresses(name, other)[0]}\t{name}" in sctr("exec", name, "cat", "/etc/hosts").stdout
        assert sctr("exec", name, "nslookup", name).status == 0
        sctr("network", "disconnect", other, name).ok()
        assert networks_of(name) == set() and fetch("http://127.0.0.1:18080/").returncode != 0
        sctr("network", "connect", net, name).ok()
        eventually(lambda: fetch("http://127.0.0.1:18080/").stdout == "kept\n", what="the page")
        sctr("network", "reload", name).ok()
        assert fetch("http://127.0.0.1:18080/").stdout == "kept\n"
        sctr("restart", name).ok()
        assert networks_of(name) == {net}
        sctr("rm", "-f", name).ok()


def test_connect_that_fails_changes_nothing(stored):
    with network("--subnet", "10.209.12.0/29") as net:
        name = stored("--network", "none")
        definition = f"/var/lib/sctr/containers/{name}/definition.json"
        before = host("cat", definition)
        sctr("network", "connect", net, name).failed(125, "started without one", "stop it first")
        sctr("stop", name).ok()
        sctr("network", "connect", "--ip", "10.209.13.1", net, name).failed(125, "10.209.12.0/29")
        sctr("network", "connect", "--ip", "10.209.12.1", net, name).failed(125, "host's own")
        sctr("network", "connect", "--ip6", "fd00::1", net, name).failed(125, "no subnet of IPv6")
        sctr("network", "connect", "--ip", "x", net, name).failed(125, "--ip")
        sctr("network", "connect", "no-such", name).failed(125, "no such network")
        sctr("network", "disconnect", net, name).failed(125, "not on the network")
        assert host("cat", definition) == before
        sctr("network", "connect", net, name).ok()
        sctr("start", name).ok()
        assert networks_of(name) == {net}
        sctr("rm", "-f", name).ok()
        stored("--network", "host")
        sctr("network", "connect", net, name).failed(125, "--network host")


def test_networks_are_listed_and_pruned(start):
    name = unique_name("net")
    made = sctr("network", "create", "--label", "team=web", "--mtu", "1400", "--ipv6", name)
    assert made.ok() == name
    assert sctr("network", "create", "--ignore", name).ok() == name
    assert name in sctr("network", "ls", "-q").lines
    shown = [each for each in json.loads(sctr("network", "ls", "--json").ok()) if each["name"] == name]
    assert shown[0]["labels"] == {"team": "web"} and len(shown[0]["subnets"]) == 2
    with start("--network", name) as container:
        assert "mtu 1400" in container.exec("ip", "link", "show", "eth0").ok()
        assert name not in sctr("network", "prune").lines
    sctr("network", "create", name).failed(125, "in use", name)
    assert name in sctr("network", "prune", "-f").lines
    sctr("network", "inspect", name).failed(125, "no such network")


def test_servers_of_a_network(start, background):
    """--dns of a network is what its server asks for names that it does not know."""
    with outside() as world, network("--dns", "198.51.100.2") as net:
        seen = background(*world, "socat", "-u", "UDP4-RECVFROM:53", "STDOUT", stdout=subprocess.PIPE)
        asks = "while :; do nslookup -timeout=1 what.example; done >/dev/null 2>&1"
        with start("--network", net, command=["sh", "-c", f"echo ready; {asks}"]):
            assert b"what" in seen.stdout.read1()


@pytest.mark.parametrize("words, said", [
    (["create"], "has a name"),
    (["create", "host"], "meaning of its own"),
    (["create", "../x"], "invalid network name"),
    (["create", "--subnet", "10.209.0.0", "x"], "--subnet"),
    (["create", "--subnet", "10.209.0.1/24", "x"], "begins at 10.209.0.0/24"),
    (["create", "--subnet", "10.209.0.0/24", "--gateway", "10.208.0.1", "x"], "--gateway"),
    (["create", "--subnet", "10.209.0.0/24", "--subnet", "10.209.0.0/25", "x"], "meets another one"),
    (["create", "--mtu", "1", "x"], "--mtu"),
    (["create", "--subnet", "10.209.0.0/24", "--ip-range", "10.208.0.0/25", "x"], "--ip-range"),
    (["create", "--ip-range", "10.208.0.0/25", "x"], "--ip-range"),
    (["create", "--ip-range", "10.208.0.7", "x"], "--ip-range"),
    (["create", "--dns", "here", "x"], "--dns"),
    (["create", "--opt", "vlan=5", "x"], "--opt"),
    (["create", "--interface-name", "a/b", "x"], "a/b"),
    (["create", "--interface-name", "lo", "x"], "in use"),
    (["create", "--driver", "ipvlan", "x"], "--parent"),
    (["create", "--opt", "mode=l2", "x"], "no mode"),
    (["create", "--opt", "mode=wild", "--driver", "ipvlan", "x"], "l3s"),
    (["create", "--driver", "macvlan", "x"], "--parent"),
    (["create", "--driver", "vxlan", "x"], "bridge, macvlan or ipvlan"),
    (["create", "--label", "=x", "x"], "KEY=VALUE"),
    (["rm", "no-such"], "no such network"),
    (["connect", "sctr", "no-such"], "no such container"),
    (["connect", "sctr", "../x"], "invalid"),
    (["disconnect", "sctr", "no-such"], "no such container"),
    (["connect", "host", "no-such"], "no network"),
    (["disconnect", "sctr"], "are needed"),
    (["reload", "no-such"], "sctr network ls"),
    (["polish"], "nothing to do"),
])  # fmt: skip
def test_errors(words, said):
    sctr("network", *words).failed(125, said)


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


@contextlib.contextmanager
def lan():
    """A device of the host for macvlan and ipvlan, and 10.209.9.1 behind it."""
    host("ip", "link", "add", "mv0", "type", "veth", "peer", "name", "mv1")
    try:
        for device in ("mv0", "mv1"):
            host("ip", "link", "set", device, "up")
        host("ip", "addr", "add", "10.209.9.1/24", "dev", "mv1")
        yield "mv0"
    finally:
        host("ip", "link", "del", "mv0")


def test_macvlan(start, run):
    with lan() as parent:
        flags = ["--driver", "macvlan", "--parent", parent, "--subnet", "10.209.9.0/24", "--opt", "mode=bridge"]
        with network(*flags) as net:
            with start("--network", net, "--ip", "10.209.9.7"):
                assert " 0% packet loss" in host("ping", "-c", "1", "-W", "3", "10.209.9.7")
            run("--network", net, "-p", "80", "true").failed(125, "own addresses")


def test_ipvlan(rootfs, run):
    """Where the kernel has it; else the error says so."""
    with lan() as parent, network("--driver", "ipvlan", "-o", f"parent={parent}", "--subnet", "10.209.9.0/24") as net:
        run("--network", f"{net}:mac=02:00:00:00:00:01", "true").failed(125, "hardware address", "macvlan")
        done = run("--network", net, "--ip", "10.209.9.8", *PING, "ping", "-c", "1", "-W", "3", "10.209.9.1")
        if has_kind("ipvlan"):
            assert " 0% packet loss" in done.ok()
        else:
            done.failed(125, "ipvlan")


def has_kind(kind):
    words = ["ip", "link", "add", "sctr-try", "link", "mv0", "type", kind]
    known = subprocess.run(words, capture_output=True, check=False).returncode == 0
    host("ip", "link", "del", "sctr-try", check=False)
    return known


def test_with_a_user_namespace(run):
    words = [*PING, "--uidmap", "0:100000:65536", "--network", "bridge", "ping", "-c", "1", "-W", "3"]
    gateway = next(each["gateway"] for each in described("sctr")["subnets"])
    assert " 0% packet loss" in run(*words, gateway).ok()


def without(path, rootfs, *words):
    """sctr run where a program is not installed."""
    script = 'mount --bind /dev/null "$1" && shift && exec "$@"'
    flags = ["unshare", "--mount", "sh", "-c", script, "sh", path, "sctr", "run", "--rootfs", rootfs]
    done = subprocess.run([*flags, *words], capture_output=True, timeout=DEADLINE)
    return Result(words, done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("path, package", [("/usr/lib/podman/netavark", "netavark"), ("/usr/sbin/nft", "nftables")])
def test_programs_that_are_missing(rootfs, path, package):
    """Root's default is the loopback device then, and what is asked for an error."""
    done = without(path, rootfs, "ip", "-o", "link")
    assert done.status == 0 and done.stdout.count("\n") == 1 and " lo: " in done.stdout, done
    assert f"install {package}" in done.stderr and done.stderr.count("\n") == 1, done
    without(path, rootfs, "--network", "none", "true").ok()
    without(path, rootfs, "--network", "bridge", "true").failed(125, f"there is no {package}", f"install {package}")
    done = without(path, rootfs, "-p", "18080:80", "true")
    assert done.status == 125 and "--publish" in done.stderr and f"install {package}" in done.stderr, done
    assert without(path, rootfs, "--network", "none", "true").stderr == ""


def test_without_a_server_of_names(rootfs, hosts_resolver):
    """The host's servers are asked, as nobody answers on the bridge."""
    hosts_resolver("nameserver 192.0.2.1\n")
    path = "/usr/lib/podman/aardvark-dns"
    done = without(path, rootfs, "cat", "/etc/resolv.conf")
    assert done.status == 0 and done.stdout == "nameserver 192.0.2.1\n", done
    assert "install aardvark-dns" in done.stderr and done.stderr.count("\n") == 1, done
    with network("--disable-dns") as net:
        assert without(path, rootfs, "--network", net, "true").stderr == ""


def test_a_zone_without_networkd(run):
    run("--network", "zone:t", "true").failed(125, "systemd-networkd", "enable --now")


@pytest.fixture
def networkd():
    """systemd-networkd as in a container: where /sys is read-only it does not wait for udev, which runs in no box."""
    unit, drop_in = "systemd-networkd.service", Path("/run/systemd/system/systemd-networkd.service.d/box.conf")
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text(
        "[Service]\nExecStart=\nExecStart=+unshare --mount sh -c "
        '"mount -o remount,bind,ro /sys && exec /usr/lib/systemd/systemd-networkd"\n'
    )
    host("systemctl", "daemon-reload")
    host("systemctl", "start", unit)
    yield
    host("systemctl", "stop", unit, "systemd-networkd.socket")
    shutil.rmtree(drop_in.parent)
    host("systemctl", "daemon-reload")


LEASE = """#!/bin/sh
[ "$1" != bound ] || { ip addr add "$ip/$mask" dev "$interface" && ip route add default via "$router"; }
"""


def test_a_zone(networkd, run, start, tmp_path):
    """networkd gives the zone's bridge a subnet, and the containers addresses by DHCP."""
    before = remains()
    script = tmp_path / "lease"
    script.write_text(LEASE)
    script.chmod(0o755)
    for path in (tmp_path, tmp_path.parent):
        path.chmod(0o755)
    ask = "ip link set host0 up; udhcpc -i host0 -s /lease -f -n -q -t 30 -T 1 >/dev/null 2>&1"
    flags = ["--network", "zone:t1", "--cap-add", "NET_ADMIN", *PING, "-v", f"{script}:/lease:ro"]
    with start(*flags, command=["sh", "-c", f"{ask}; echo ready; exec sleep 1000"]) as container:
        assert "routable" in host("networkctl", "--no-legend", "list", "vz-t1")
        address = container.exec("ip", "-4", "-o", "addr", "show", "host0").ok().split()[3].split("/")[0]
        assert " 0% packet loss" in host("ping", "-c", "1", "-W", "5", address)
        text = run(*flags, "sh", "-c", f"{ask}; ping -c 3 {address}").ok()
        assert "packets transmitted" in text and " 100% packet loss" not in text
    eventually(lambda: "vz-t1" not in host("ip", "-br", "link"), what="the end of the zone's bridge")
    assert remains() <= before
