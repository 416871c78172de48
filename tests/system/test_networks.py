# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks with real traffic: addresses, ways out, isolation, and what stays behind."""

import json
import os
import signal
import socket
import subprocess

import pytest

from harness import DEADLINE, eventually, host, sctr, unique_name
from networks import PING, addresses, attached, described, fetch, leases, network, outside, remains, serve, without
from networks import no_network_is_left  # noqa: F401 (fixture)


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


def test_with_a_user_namespace(run):
    words = [*PING, "--uidmap", "0:100000:65536", "--network", "bridge", "ping", "-c", "1", "-W", "3"]
    gateway = next(each["gateway"] for each in described("sctr")["subnets"])
    assert " 0% packet loss" in run(*words, gateway).ok()


@pytest.mark.parametrize("path, package", [("/usr/lib/podman/netavark", "netavark"), ("/usr/sbin/nft", "nftables")])
def test_programs_that_are_missing(rootfs, path, package):
    """Root's default is the loopback device then, and what is asked for an error."""
    done = without(path, rootfs, "ip", "-o", "link")
    assert done.status == 0 and done.stdout.count("\n") == 1 and " lo: " in done.stdout, done
    assert f"install {package}" in done.stderr and done.stderr.count("\n") == 1, done
    without(path, rootfs, "--network", "none", "true").ok()
    without(path, rootfs, "--network", "bridge", "true").failed(125, f"there is no {package}", f"install {package}")
    done = without(path, rootfs, "-p", "18080:80", "true")
    assert done.status == 125 and ": -p: " in done.stderr and f"install {package}" in done.stderr, done
    assert without(path, rootfs, "--network", "none", "true").stderr == ""
