# SPDX-License-Identifier: LGPL-2.1-or-later
"""The AppArmor profile of containers that ask for none, on a kernel that has AppArmor."""

import os
import subprocess
from pathlib import Path

import pytest

from harness import host, sctr, started

PROFILE = "/etc/apparmor.d/sctr-default"
OWN = "/proc/self/attr/current"
# So that nothing but the profile stands in the way.
OPEN = ("--security-opt", "unmask=ALL", "--security-opt", "seccomp=unconfined", "--cap-add", "SYS_ADMIN,MAC_ADMIN")


def parser(*words, check=True):
    host("apparmor_parser", *words, check=check)


@pytest.fixture(autouse=True)
def loaded():
    """The profile, as the project's file has it, for this test."""
    if host("cat", "/sys/module/apparmor/parameters/enabled", check=False).strip() != "Y":
        pytest.skip("this kernel has no AppArmor")
    parser("--replace", "--skip-cache", PROFILE)
    yield
    parser("--remove", PROFILE, check=False)


def test_who_asks_for_nothing_is_confined(run, start):
    assert run("cat", OWN).ok() == "sctr-default (enforce)"
    with start() as container:
        assert container.exec("cat", OWN).ok() == "sctr-default (enforce)"
        assert sctr("exec", "--privileged", container.name, "cat", OWN).ok() == "unconfined"
        # It can be ended, from outside and within.
        sctr("stop", "-t", "30", container.name).ok()
        assert container.wait() == 0


@pytest.mark.parametrize(
    "flags, profile",
    [
        (["--security-opt", "apparmor=unconfined"], "unconfined"),
        (["--privileged"], "unconfined"),
        (["--security-opt", "apparmor=sctr-default", "--privileged"], "sctr-default (enforce)"),
    ],
)
def test_who_asks_gets_it(run, flags, profile):
    assert run(*flags, "cat", OWN).ok() == profile


def test_a_profile_that_is_not_there(run):
    run("--security-opt", "apparmor=no-such", "true").failed(125, "AppArmor profile", "no-such")


def test_where_it_is_not_loaded(run):
    parser("--remove", PROFILE)
    assert run("cat", OWN).ok() == "unconfined"


def test_engines_get_what_they_ask_for(bundle):
    assert bundle.run("cat", OWN).ok() == "unconfined"


DENIED = {
    "mount": "mount -t tmpfs none /tmp",
    "bind": "mount -o bind /proc /tmp",
    "remount": "mount -o remount,rw /sys",
    "sysrq": ": > /proc/sysrq-trigger",
    "core_pattern": "cat /proc/sys/kernel/core_pattern > /tmp/p; cat /tmp/p > /proc/sys/kernel/core_pattern",
    "kernel": "cat /proc/sys/kernel/panic > /tmp/p; cat /tmp/p > /proc/sys/kernel/panic",
    "vm": "cat /proc/sys/vm/swappiness > /tmp/p; cat /tmp/p > /proc/sys/vm/swappiness",
    "fs": "cat /proc/sys/fs/pipe-max-size > /tmp/p; cat /tmp/p > /proc/sys/fs/pipe-max-size",
    "net": "cat /proc/sys/net/ipv4/ip_forward > /tmp/p; cat /tmp/p > /proc/sys/net/ipv4/ip_forward",
    "irq": "cat /proc/irq/default_smp_affinity > /tmp/p; cat /tmp/p > /proc/irq/default_smp_affinity",
    "kcore": "head -c 1 /proc/kcore",
    "block": "for f in /sys/block/*/queue/read_ahead_kb; do cat $f > /tmp/p; cat /tmp/p > $f || exit 1; done",
    "module": "cat /sys/module/printk/parameters/time > /tmp/p; cat /tmp/p > /sys/module/printk/parameters/time",
}


@pytest.mark.parametrize("what", DENIED)
def test_what_it_denies(own_rootfs, what):
    run = lambda *words: sctr("run", "--rootfs", own_rootfs, *words)  # noqa: E731
    free = run("--privileged", "sh", "-c", DENIED[what])
    assert free.status == 0, "nobody may do that"
    assert run(*OPEN, "sh", "-c", DENIED[what]).status != 0


ALLOWED = [
    "touch /tmp/x && mv /tmp/x /tmp/y && rm /tmp/y && mkdir /tmp/d && ln -s d /tmp/l && chmod 700 /tmp/d",
    "sleep 100 & kill $! && kill -0 1",
    "ps && cat /proc/1/status /proc/self/environ > /dev/null",
    "echo 10 > /proc/self/oom_score_adj",
    "mkfifo /tmp/fifo; (echo x > /tmp/fifo) & cat /tmp/fifo",
    "echo hello > /tmp/index.html; httpd -p 8000 -h /tmp; until wget -q -O - http://127.0.0.1:8000/ | grep hello; do :; done",
    "chown 5:5 /tmp && su -s /bin/sh alice -c id",
    "echo x > /dev/null && head -c 9 /dev/urandom > /dev/null && echo x > /dev/stdout",
]


@pytest.mark.parametrize("script", ALLOWED)
def test_ordinary_work_goes_on(own_rootfs, script):
    sctr("run", "--rootfs", own_rootfs, "sh", "-c", "set -e; " + script).ok()


# CVE-2019-16884, CVE-2025-52881: what the runtime writes to have its child confined lands in a file of the attacker's.
@pytest.mark.parametrize("place", ["/proc", "/proc/self/attr", "/proc/1/attr", "/proc/thread-self/attr/apparmor"])
def test_a_label_is_not_written_into_a_volume(bundle, tmp_path, place):
    fake = tmp_path / "fake"
    caught = []
    for name in ("self/attr/apparmor", "self/attr", "1/attr", "apparmor", "."):
        (fake / name).mkdir(parents=True, exist_ok=True)
        for file in ("exec", "current"):
            caught.append(fake / name / file)
            caught[-1].write_text("caught nothing")
    bundle.process["apparmorProfile"] = "sctr-default"
    bundle.config["mounts"].append({"destination": place, "source": str(fake), "type": "bind", "options": ["rbind"]})
    bundle.config["mounts"].append({"destination": "/real", "type": "proc", "source": "proc"})
    (tmp_path / "root").mkdir()
    subprocess.run(["cp", "-a", bundle.config["root"]["path"], tmp_path / "root/fs"], check=True)
    bundle.config["root"]["path"] = str(tmp_path / "root/fs")
    (tmp_path / "root/fs/real").mkdir()
    result = bundle.run("cat", "/real/self/attr/current")
    assert {path.read_text() for path in caught} == {"caught nothing"}
    if result.status == 0:
        assert result.stdout.strip() == "sctr-default (enforce)"


def test_the_file_is_installed_and_valid():
    parser("--skip-kernel-load", "--skip-cache", PROFILE)
    assert os.access(PROFILE, os.R_OK) and not Path(PROFILE).stat().st_mode & 0o022


def test_exec_fails_rather_than_runs_unconfined(rootfs):
    with started(rootfs) as container:
        parser("--remove", PROFILE)
        result = container.exec("cat", OWN)
        assert result.status == 125 or "unconfined" not in result.stdout, result
        parser("--replace", "--skip-cache", PROFILE)
