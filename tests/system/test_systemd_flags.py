# SPDX-License-Identifier: LGPL-2.1-or-later
"""Flags for what only systemd offers: each with a container that runs into it."""

import pytest

from harness import WAIT, unit_property

PING = ["ping", "-c", "1", "-W", "1", "127.0.0.1"]
BIND = "nc -l -p {} -w 1 </dev/null 2>&1 || true"
DENIED = "not permitted"


@pytest.mark.parametrize(
    "flags, passes",
    [
        ([], True),
        (["--ip-deny", "any"], False),
        (["--ip-deny", "localhost"], False),
        (["--ip-deny", "127.0.0.0/8"], False),
        (["--ip-deny", "10.0.0.0/8"], True),
        (["--ip-deny", "any", "--ip-deny", "10.0.0.0/8"], False),
        (["--ip-deny", "10.0.0.0/8,127.0.0.1"], False),
        (["--ip-deny", "any", "--ip-allow", "localhost"], True),
        (["--ip-deny", "any", "--ip-allow", "10.0.0.1"], False),
        (["--ip-deny", "any", "-p", "IPAddressDeny="], True),
        (["--restrict-interfaces", "lo"], True),
        (["--restrict-interfaces", "~lo"], False),
        (["--restrict-interfaces", "eth0,eth1"], False),
    ],
)
def test_packets(run, flags, passes):
    result = run("--cap-add", "NET_RAW", *flags, *PING)
    assert (result.status == 0) == passes, result


@pytest.mark.parametrize(
    "flags, port, passes",
    [
        ([], 8080, True),
        (["--socket-bind-deny", "any"], 8080, False),
        (["--socket-bind-deny", "tcp:8000-8100"], 8080, False),
        (["--socket-bind-deny", "tcp:8000-8100"], 9090, True),
        (["--socket-bind-deny", "udp"], 8080, True),
        (["--socket-bind-deny", "8080", "--socket-bind-deny", "9090"], 8080, False),
        (["--socket-bind-deny", "any", "--socket-bind-allow", "tcp:8080"], 8080, True),
        (["--socket-bind-deny", "any", "--socket-bind-allow", "9090,9091"], 8080, False),
    ],
)
def test_ports(run, flags, port, passes):
    result = run(*flags, "sh", "-c", BIND.format(port))
    assert (DENIED not in result.stdout) == passes, result


def test_the_time_is_up(run):
    result = run("--runtime-max", "1s", "sh", "-c", WAIT)
    assert (result.status, result.stdout) == (0, "ready\n"), "it was asked to end"
    stubborn = run("--runtime-max", "1s", "--stop-timeout", "1", "sleep", "1000")
    assert stubborn.status == 137


# systemctl shows a share of 2^32 for ManagedOOMMemoryPressureLimit.
# Flags, the property, its value in `systemctl show`, and the controller that it needs.
VALUES = [
    (["--runtime-max", "1h 30min"], "RuntimeMaxUSec", "1h 30min", None),
    (["--oom-policy", "stop"], "OOMPolicy", "stop", None),
    (["--oom-policy", "kill"], "OOMPolicy", "kill", "memory"),
    (["--managed-oom-swap", "kill"], "ManagedOOMSwap", "kill", None),
    (["--managed-oom-memory-pressure", "kill"], "ManagedOOMMemoryPressure", "kill", None),
    (["--managed-oom-memory-pressure-limit", "50%"], "ManagedOOMMemoryPressureLimit", str(2**31), None),
    (["--managed-oom-preference", "omit"], "ManagedOOMPreference", "omit", None),
    (["--memory-high", "32m"], "MemoryHigh", str(32 << 20), "memory"),
    (["--memory-high", "-1"], "MemoryHigh", "infinity", None),
    (["--memory-zswap-max", "0"], "MemoryZSwapMax", "0", "memory"),
    (["--memory-zswap-max", "1g"], "MemoryZSwapMax", str(1 << 30), "memory"),
    (["--memory-high", "32m", "-p", "MemoryHigh=64M"], "MemoryHigh", str(64 << 20), "memory"),
    (["--oom-policy", "stop", "-p", "OOMPolicy=continue"], "OOMPolicy", "continue", None),
    (["--ip-allow", "10.1.2.3/8"], "IPAddressAllow", "10.0.0.0/8", None),
    (["--ip-allow", "10.0.0.0/8", "--ip-allow", "::1"], "IPAddressAllow", "10.0.0.0/8 ::1/128", None),
    (["--restrict-interfaces", "lo,eth0"], "RestrictNetworkInterfaces", "lo eth0", None),
]


@pytest.mark.parametrize("flags, name, value, controller", VALUES, ids=[" ".join(v[0]) for v in VALUES])
def test_values(start, run, controllers, flags, name, value, controller):
    if controller and controller not in controllers:
        run(*flags, "true").failed(125, flags[0], f"'{controller}'")
        return
    with start(*flags) as container:
        shown = unit_property(container.name, name)[name]
        assert sorted(shown.split()) == sorted(value.split())


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--ip-deny", "10.0.0.0/33"], ["--ip-deny", "localhost"]),
        (["--ip-allow", "example.org"], ["--ip-allow", "'example.org'"]),
        (["--socket-bind-deny", "99999"], ["--socket-bind-deny", "ipv4:tcp:8000-8010"]),
        (["--runtime-max", "soon"], ["--runtime-max"]),
        (["--oom-policy", "panic"], ["--oom-policy", "continue, stop, kill"]),
        (["--managed-oom-swap", "yes"], ["--managed-oom-swap", "auto, kill"]),
        (["--managed-oom-memory-pressure-limit", "200%"], ["--managed-oom-memory-pressure-limit"]),
        (["--memory-high", "5m"], ["--memory-high", "6m"]),
        (["--memory-zswap-max", "much"], ["--memory-zswap-max"]),
    ],
)
def test_values_that_are_wrong(run, flags, words):
    run(*flags, "true").failed(125, *words)
