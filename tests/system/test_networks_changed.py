# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks of containers that run: connect, disconnect, reload."""

import json

import pytest

from harness import eventually, host, sctr, unique_name
from networks import addresses, described, fetch, network, rules, serve
from networks import no_network_is_left  # noqa: F401 (fixture)


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
