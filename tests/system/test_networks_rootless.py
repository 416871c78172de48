# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks of plain users: pasta, its ports and names, and that it ends with its container."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from fixtures import open_the_way_to
from harness import DEADLINE, Result, eventually, host, unique_name
from networks import fetch, outside, serve
from test_rootless_sessions import ACCOUNT, GUEST, RUNTIME, WAYS, guest


def pastas():
    found = set()
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().startswith(("pasta", "passt")):
                found.add(path.parent.name)
        except OSError:
            continue  # it has just ended
    return found


def kill_pasta():
    (pid,) = pastas()
    os.kill(int(pid), signal.SIGKILL)
    return pid


def another_than(killed):
    """Waits until a pasta has taken the place of one that was killed."""
    eventually(lambda: pastas() and killed not in pastas(), what="another pasta")


@pytest.fixture(autouse=True)
def no_pasta_is_left():
    before = pastas()
    yield
    eventually(lambda: pastas() <= before, what="the end of pasta")
    assert not list(Path(RUNTIME, "sctr/.network/attached").glob("*"))


@pytest.fixture(scope="module")
def guests_root(rootfs):
    path = tempfile.mkdtemp(prefix="sctr-guest-", dir="/var/tmp")
    os.chmod(path, 0o755)
    subprocess.run(["cp", "-a", rootfs, f"{path}/rootfs"], check=True)
    host("chown", "-R", f"{GUEST}:", path)
    yield f"{path}/rootfs"
    shutil.rmtree(path)


@pytest.fixture
def web(guests_root):
    """A detached web server of guest's, published on a port of the host."""
    name = unique_name("web")
    yield lambda *flags: guest(
        "sctr", "run", "-d", "--name", name, *flags, "--rootfs", guests_root, *serve("mine")
    ).ok()
    guest("sctr", "rm", "-f", name)


def test_a_port(web):
    name = web("-p", "18080:80")
    eventually(lambda: fetch("http://127.0.0.1:18080/").stdout == "mine\n", what="the page")
    assert guest("sctr", "port", name).ok() == "80/tcp -> 0.0.0.0:18080"
    with outside() as world:
        assert fetch("http://198.51.100.1:18080/", world).stdout == "mine\n"


def test_a_port_over_udp(guests_root, background):
    words = [*WAYS["runuser"], "sctr", "run", "-p", "127.0.0.1:15353:5353/udp", "--rootfs", guests_root,
             "-v", "/usr:/usr:ro", "-v", "/usr/lib:/lib:ro", "-v", "/usr/lib64:/lib64:ro",
             "/usr/bin/socat", "UDP4-LISTEN:5353,fork", "EXEC:/bin/cat"]  # fmt: skip
    container = background(*words)
    sends = ["socat", "-t", "1", "-", "UDP4:127.0.0.1:15353"]
    eventually(lambda: host(*sends, input="echoed", check=False) == "echoed", what="the echo")
    container.terminate()
    container.wait(20)


def test_out_through_the_host(guests_root, background):
    with outside() as world:
        server = background(
            *world, "socat", "TCP4-LISTEN:7000,reuseaddr,fork", "SYSTEM:echo $SOCAT_PEERADDR"
        )
        get = "until nc -w 3 198.51.100.2 7000 </dev/null; do sleep 0.1; done"
        done = guest("sctr", "run", "--rootfs", guests_root, "timeout", "10", "sh", "-c", get)
        assert done.ok().splitlines()[-1] == "198.51.100.1"
        server.kill()


def test_what_listens_on_the_hosts_loopback_is_not_reached(guests_root):
    with socket.create_server(("127.0.0.1", 18092)):
        done = guest("sctr", "run", "--rootfs", guests_root, "nc", "-w", "2", "127.0.0.1", "18092")
        assert done.status != 0


def test_names(guests_root):
    words = ["sctr", "run", "--add-host", "up:host-gateway", "--rootfs", guests_root]
    assert "169.254.1.2\tup" in guest(*words, "cat", "/etc/hosts").ok()
    assert "nameserver 169.254.1.1" in guest(*words, "cat", "/etc/resolv.conf").ok()


def test_the_hosts_servers_are_followed(web, hosts_resolver):
    """pasta asks the server that it has found when it began: one that came later is asked by the container itself."""
    hosts_resolver("nameserver 192.0.2.1\n")
    name = web()
    says = lambda: guest("sctr", "exec", name, "cat", "/etc/resolv.conf").stdout  # noqa: E731
    assert says() == "nameserver 169.254.1.1\n"
    hosts_resolver("nameserver 192.0.2.2\nsearch n.example\n")
    eventually(lambda: says() == "search n.example\nnameserver 192.0.2.2\n", what="the new server")
    hosts_resolver("nameserver 192.0.2.1\n")
    eventually(lambda: says() == "nameserver 169.254.1.1\n", what="pasta's server")


@pytest.mark.parametrize("again", [False, True], ids=["the first pasta", "one that was started again"])
def test_nothing_stays_of_a_killed_supervisor(web, again):
    name = web("-p", "18080:80")
    assert pastas()
    if again:
        another_than(kill_pasta())
    show = ["systemctl", "--user", "show", f"sctr@{name}", "-P", "MainPID"]
    pid = int(guest("env", f"XDG_RUNTIME_DIR={RUNTIME}", *show).ok())
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not pastas(), what="the end of pasta")
    guest("sctr", "ps").ok()


def said_by_service(name, word):
    host("journalctl", "--sync")
    unit = ["-o", "cat", "--no-pager", f"_UID={ACCOUNT.pw_uid}", f"_SYSTEMD_USER_UNIT=sctr@{name}.service"]
    return [line for line in host("journalctl", *unit).splitlines() if word in line]


@pytest.mark.parametrize("flags", [[], ["--user", "1000"], ["--userns", "keep-id"], ["--userns", "keep-id", "--user", "7"]])
def test_pasta_that_is_killed_is_started_again(web, hosts_resolver, flags):
    """Whoever the command is by then: with the same ports, and the server that the host has now."""
    hosts_resolver("nameserver 192.0.2.1\n")
    name = web("-p", "18080:80", "--sysctl", "net.ipv4.ip_unprivileged_port_start=0", *flags)
    page = lambda: fetch("http://127.0.0.1:18080/").stdout == "mine\n"  # noqa: E731
    links = lambda: guest("sctr", "exec", name, "ip", "-4", "-o", "address").ok().split(": ", 2)[2]  # noqa: E731
    eventually(page, what="the page")
    before = links()
    hosts_resolver("nameserver 192.0.2.2\n")
    another_than(kill_pasta())
    eventually(page, what="the page again")
    eventually(lambda: links() == before, what="the addresses that it had")
    says = lambda: guest("sctr", "exec", name, "cat", "/etc/resolv.conf").ok()  # noqa: E731
    eventually(lambda: says() == "nameserver 169.254.1.1", what="pasta's server")
    said = lambda: said_by_service(name, "pasta")  # noqa: E731
    assert eventually(said, what="a word about it") == ["sctr: warn: pasta was started again: killed by signal 9"]


def test_pasta_that_is_killed_with_a_container_in_front(guests_root, background):
    name = unique_name("front")
    words = ["sctr", "run", "--name", name, "-p", "18080:80", "--rootfs", guests_root, *serve("mine")]
    with outside() as world:
        container = background(*WAYS["runuser"], *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert container.stdout.readline() == "ready\n"
        another_than(kill_pasta())
        page = lambda: fetch("http://198.51.100.1:18080/", world).stdout == "mine\n"  # noqa: E731
        eventually(page, what="the page")
        guest("sctr", "kill", name).ok()
        said = container.communicate(timeout=DEADLINE)[1]
        assert said == "sctr: warn: pasta was started again: killed by signal 9\n"


def with_pasta_that_works_once(number, path):
    """Before a command of root's: another pasta, which writes a line into the file `count` and is the real one only
    that many-th time."""
    program, count = path / "pasta", path / "count"
    real = shutil.copy("/usr/bin/pasta", path / "pasta.real")
    script = f'#!/bin/sh\necho >> {count}\n[ $(wc -l < {count}) = {number} ] && exec {real} "$@"\n'
    program.write_text(script + "echo 'no luck today' >&2\nexit 1\n")
    open_the_way_to(program)
    program.chmod(0o755)
    count.touch()
    count.chmod(0o666)
    return ["unshare", "--mount", "sh", "-c", f'mount --bind {program} /usr/bin/pasta && exec "$@"', "sh"]


def test_pasta_that_cannot_start_is_given_a_second_try(guests_root, tmp_path):
    """As where the interface that it takes as its template is another container's, and vanishes."""
    words = [*with_pasta_that_works_once(2, tmp_path), *WAYS["runuser"], "sctr", "run", "--rootfs", guests_root]
    done = subprocess.run([*words, "ip", "-o", "link"], capture_output=True, text=True, timeout=DEADLINE)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 2), done
    done = subprocess.run([*words, "true"], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 125 and "no luck today" in done.stderr
    assert len((tmp_path / "count").read_text()) == 4


def test_pasta_that_ends_again_and_again(guests_root, background, tmp_path):
    """It is given up after some tries, which is said once; the container goes on."""
    count = tmp_path / "count"
    mounted = with_pasta_that_works_once(1, tmp_path)
    words = ["sctr", "run", "-i", "--rootfs", guests_root, "sh", "-c", "echo ready; read line; echo $line"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    container = background(*mounted, *WAYS["runuser"], *words, **pipes)
    assert container.stdout.readline() == "ready\n"
    kill_pasta()
    lines = [container.stderr.readline() for _ in range(4)]
    assert lines[0] == "sctr: warn: pasta was started again: killed by signal 9\n"
    assert lines[1:3] == ["sctr: warn: pasta was started again: no luck today\n"] * 2
    assert lines[3].startswith("sctr: warn: the container has no network any more: pasta: no luck today")
    assert len(count.read_text()) == 4
    out, rest = container.communicate("goes on\n", timeout=DEADLINE)
    assert (out, rest, container.returncode) == ("goes on\n", "", 0)


def test_without_pasta(guests_root):
    """The default is the loopback device then, and what is asked for an error."""

    def run(*words):
        script = 'mount --bind /dev/null /usr/bin/pasta && exec "$@"'
        flags = ["unshare", "--mount", "sh", "-c", script, "sh", *WAYS["runuser"], "sctr", "run", "--rootfs", guests_root]
        done = subprocess.run([*flags, *words], capture_output=True, timeout=DEADLINE)
        return Result(words, done.returncode, done.stdout, done.stderr)

    done = run("ip", "-o", "link")
    assert done.status == 0 and done.stdout.count("\n") == 1 and " lo: " in done.stdout, done
    assert "install passt" in done.stderr and done.stderr.count("\n") == 1, done
    run("--network", "pasta", "true").failed(125, "there is no pasta", "install passt")


def test_errors(guests_root):
    run = ["sctr", "run", "--rootfs", guests_root]
    guest(*run, "--network", "bridge", "true").failed(125, "only root's", "--network pasta")
    guest(*run, "-p", "80:80", "true").failed(125, "-p 80", "ip_unprivileged_port_start")
    guest(*run, "-p", "18080:80/sctp", "true").failed(125, "tcp and udp alone")
    guest("sctr", "network", "create", "front").failed(125, "only root's", "pasta")
    with socket.create_server(("127.0.0.1", 18093)):
        guest(*run, "-p", "18093:80", "true").failed(125, "18093", "in use already")
    guest(*run, "--network", "pasta:--no-such-flag", "true").failed(125, "pasta")


def test_in_the_user_namespace_of_another(web, guests_root):
    """pasta cannot get there: whoever asks is told what can be had."""
    name = web()
    run = ["sctr", "run", "--userns", f"container:{name}", "--rootfs", guests_root]
    for flags in ([], ["--network", "pasta"]):
        guest(*run, *flags, "true").failed(125, "--userns", "pasta", "process that is joining one", "add --network container:NAME")
    seen = guest(*run, "--network", f"container:{name}", "wget", "-q", "-O", "-", "http://127.0.0.1/")
    assert seen.ok() == "mine"
    guest(*run, "--network", "none", "true").ok()
    guest(*run, "--network", "host", "true").ok()
