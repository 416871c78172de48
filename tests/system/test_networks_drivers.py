# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks that are no bridges of netavark's: macvlan, ipvlan, zones of systemd-networkd."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import eventually, host
from networks import PING, network, remains
from networks import no_network_is_left  # noqa: F401 (fixture)


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


@contextlib.contextmanager
def told_of_the_zone(container):
    """A failure comes with what the host, the container and networkd know of the addresses."""
    try:
        yield
    except AssertionError as error:
        error.add_note(host("ip", "addr", check=False) + host("ip", "neigh", check=False) + host("ip", "route", check=False))
        error.add_note(container.exec("sh", "-c", "ip addr; ip route; cat /proc/net/arp").stdout)
        error.add_note(host("journalctl", "-u", "systemd-networkd", "-o", "short-precise", "-n", "60", check=False))
        raise


def test_a_zone(networkd, run, start, tmp_path):
    """networkd gives the zone's bridge a subnet, and the containers addresses by DHCP."""
    before, bridge = remains(), Path("/sys/class/net/vz-t1/address")
    script = tmp_path / "lease"
    script.write_text(LEASE)
    script.chmod(0o755)
    for path in (tmp_path, tmp_path.parent):
        path.chmod(0o755)
    ask = "ip link set host0 up; udhcpc -i host0 -s /lease -f -n -q -t 30 -T 1 >/dev/null 2>&1"
    flags = ["--network", "zone:t1", "--cap-add", "NET_ADMIN", *PING, "-v", f"{script}:/lease:ro"]
    with start(*flags, command=["sh", "-c", f"{ask}; echo ready; exec sleep 1000"]) as container:
        eventually(lambda: "routable" in host("networkctl", "--no-legend", "list", "vz-t1"), what="the bridge's address")
        address = container.exec("ip", "-4", "-o", "addr", "show", "host0").ok().split()[3].split("/")[0]
        ping = ["ping", "-c", "1", "-W", "5", address]
        with told_of_the_zone(container):
            eventually(lambda: " 0% packet loss" in host(*ping, check=False), what="an answer to the host")
        known_as = bridge.read_text()
        for _ in range(3):
            run("--network", "zone:t1", "true").ok()
            assert bridge.read_text() == known_as
        text = run(*flags, "sh", "-c", f"{ask}; ping -c 3 {address}").ok()
        assert "packets transmitted" in text and " 100% packet loss" not in text
    eventually(lambda: "vz-t1" not in host("ip", "-br", "link"), what="the end of the zone's bridge")
    assert remains() <= before
