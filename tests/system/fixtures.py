# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the system and vm suites."""

import functools
import os
import shutil
import signal
import subprocess

import pytest

import harness
import leftovers
import rootfs as rootfs_builder
from bundles import Bundle
from harness import CGROUP, eventually, sctr
from terminal import Terminal

# What tests make must not depend on who calls them: a shell's job in the background ignores these signals.
os.umask(0o022)
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_configure(config):
    # /tmp is often mounted nosuid and nodev, which a root file system must not be.
    config.option.basetemp = config.option.basetemp or f"/var/tmp/sctr-tests-{os.getpid()}"


def pytest_unconfigure(config):
    shutil.rmtree(config.option.basetemp, ignore_errors=True)


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory):
    """The root file system that tests share: none may write to it."""
    path = rootfs_builder.build(tmp_path_factory.mktemp("shared") / "rootfs")
    open_the_way_to(path)
    return path


def open_the_way_to(path):
    """pytest keeps its directories from other users, who must be able to enter a root."""
    for parent in list(path.parents)[:2]:
        parent.chmod(0o755)


@pytest.fixture(scope="session")
def probe(rootfs):
    """The shared root file system, with the probe program in it."""
    rootfs_builder.add_probe(rootfs)
    return "probe"


@pytest.fixture
def own_rootfs(rootfs, tmp_path):
    """A root file system of the test's own, to spoil."""
    path = tmp_path / "rootfs"
    subprocess.run(["cp", "-a", rootfs, path], check=True)
    open_the_way_to(path)
    return path


WANTED_INSIDE = (
    "dbus.socket",
    "systemd-journald-dev-log.socket",
    "systemd-journald.service",
    "systemd-journald.socket",
    "systemd-tmpfiles-setup.service",
)


@pytest.fixture
def systemd_rootfs(tmp_path):
    """The host's own system over which a container may write, with D-Bus and the journal to start."""
    for name in ("upper", "work", "root"):
        (tmp_path / name).mkdir()
    root = tmp_path / "root"
    layers = f"lowerdir=/,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    if subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, root]).returncode:
        pytest.skip("no overlay over this host's root")
    for wanted in (*root.glob("usr/lib/systemd/system/*.wants/*"), *root.glob("etc/systemd/system/*.wants/*")):
        if wanted.name not in WANTED_INSIDE:
            wanted.unlink()
    yield root
    harness.host("umount", root)


@pytest.fixture
def run(rootfs):
    """run(FLAG..., COMMAND...): `sctr run` in the shared root file system, to its end."""
    return lambda *words, **options: sctr("run", "--rootfs", rootfs, *words, **options)


@pytest.fixture
def start(rootfs):
    """start(FLAG..., command=...): a context manager with a container in the background."""
    return functools.partial(harness.started, rootfs)


@pytest.fixture
def bundle(rootfs, tmp_path):
    """A bundle with the shared root file system, to be changed and run by sctr-oci."""
    return Bundle(tmp_path / "bundle", rootfs)


@pytest.fixture
def terminal(rootfs):
    """terminal(FLAG..., COMMAND...): `sctr run -it` in a terminal; `.name` is the container's."""

    names = []

    def open_terminal(*words, root=rootfs, flags=("-it",), **options):
        names.append(harness.unique_name("tty"))
        words = ["run", *flags, "--name", names[-1], "--rootfs", root, *words]
        screen = Terminal("sctr", *harness.with_network(words), **options)
        screen.name = names[-1]
        return screen

    yield open_terminal
    for name in names:
        # A terminal that is closed kills sctr, and the container lives on.
        sctr("rm", "-f", name)


@pytest.fixture(scope="session")
def controllers():
    return set((CGROUP / "cgroup.controllers").read_text().split())


@pytest.fixture
def need_controller(controllers):
    """need_controller(NAME): skips the test on hosts that do not offer the controller."""

    def need(name):
        if name not in controllers:
            pytest.skip(f"this host has no {name} controller in cgroup v2")

    return need


@pytest.fixture(scope="session")
def look_for_leftovers():
    """The function that tells what is there; a suite may look in more places."""
    return leftovers.now


@pytest.fixture(scope="session")
def known_leftovers(look_for_leftovers):
    """What was there before; a test that leaves something is blamed for it once."""
    return look_for_leftovers()


@pytest.fixture(autouse=True)
def deadline():
    """No test may hang the suite: deadline() gives the next part of a long one as much time again."""

    def fail(*_):
        pytest.fail(f"still running after {harness.TEST_DEADLINE:.0f} s")

    def begin():
        signal.alarm(int(harness.TEST_DEADLINE))

    signal.signal(signal.SIGALRM, fail)
    begin()
    yield begin
    signal.alarm(0)


@pytest.fixture(autouse=True)
def nothing_is_left(known_leftovers, look_for_leftovers, request):
    yield
    new = set()

    def is_clean():
        new.clear()
        new.update(look_for_leftovers() - known_leftovers)
        return not new

    try:
        eventually(is_clean)
    except AssertionError:
        known_leftovers.update(new)
        pytest.fail(f"{request.node.name} left behind: {sorted(new)}")


@pytest.fixture
def background():
    """Processes of the host that end with the test: background(COMMAND...) starts one."""
    processes = []

    def begin(*command, **options):
        process = subprocess.Popen(list(map(str, command)), **options)
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def hosts_resolver():
    """Replaces what the host's /etc/resolv.conf says, as whoever manages it does, and puts it back."""
    path = "/etc/resolv.conf"
    with open(path) as file:
        saved = file.read()

    def write(text):
        with open(f"{path}.new", "w") as file:
            file.write(text)
        os.rename(f"{path}.new", path)

    yield write
    if os.path.islink(path):
        os.unlink(path)
    write(saved)
