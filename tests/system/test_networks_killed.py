# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is left of networks when sctr or netavark are killed, and what the next start makes of it."""

import contextlib
import fcntl
import os
import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

import leftovers
from harness import DEADLINE, Result, eventually, host, sctr, started, unique_name
from networks import STATE, attached, described, fetch, name_servers, network, remains, rules, serve
from networks import no_network_is_left  # noqa: F401 (fixture)


def test_reload_of_one_that_has_died_meanwhile(rootfs):
    """Its process number may be another one's by then, whose network is none of sctr's business."""
    before = remains()
    name = unique_name("killed")
    process = subprocess.Popen(["sctr", "run", "--name", name, "--rootfs", rootfs, *serve()], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    with open("/run/sctr/.network/netavark.lock", "a") as lock:
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
    # What was killed last may be ending still when the first of these looks.
    eventually(lambda: (sctr("ps"), remains() <= before and not leftovers.records())[1], what="the end of the rest")


def test_a_start_killed_while_the_name_server_begins(rootfs, tmp_path, background):
    """It would go on, serve a container that is none, and keep the address from the next one."""
    before = remains()
    (tmp_path / "real").mkdir()
    program, script = shutil.copy(AARDVARK, tmp_path / "real/aardvark-dns"), tmp_path / "script"
    script.write_text(SLOW.format(folder=tmp_path, program=program))
    script.chmod(0o755)
    inside = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", script, AARDVARK]
    go = tmp_path / "checks"
    with network("--internal") as internal, network() as net:
        # What comes next: a verb that sweeps, or a container that wants a name server itself.
        verb = lambda name: sctr("network", "ls").ok()  # noqa: E731
        others = lambda name: sctr("run", "--network", net, "--rootfs", rootfs, "true").ok()  # noqa: E731
        own = lambda name: sctr("run", "--name", name, "--network", net, "--rootfs", rootfs, "true").ok()  # noqa: E731
        for flags in (["--network", net], ["--network", internal], ["--network", internal, "--network", net]):
            for comes_next in (verb, others, own):
                for path in (go, tmp_path / "slow"):
                    path.unlink(missing_ok=True)
                name = unique_name("killed")
                process = background(*inside, "sctr", "run", "--name", name, *flags, "--rootfs", rootfs, "sleep", "1000")
                eventually((tmp_path / "slow").exists, what="the start of aardvark-dns")
                process.kill()
                process.wait()
                comes_next(name)
                go.touch()
                eventually(lambda: not runs(AARDVARK) and not runs(program), what="the end of aardvark-dns")
                eventually(lambda: (sctr("network", "ls").ok(), remains() <= before)[1], what=f"the end of {remains() - before}")
                with started(rootfs, "--network", net) as container:
                    eventually(lambda: knows(container, container.name), what="the name")


NETAVARK = Path("/usr/lib/podman/netavark")
DYING = """#!/bin/sh
case "$*" in *" {verb} "*)
    {condition} 2>/dev/null &&
        exec strace -o /dev/null -e trace=sendto -e inject=sendto:signal=KILL:when={number} {program} "$@"
esac
exec {program} "$@"
"""


@pytest.fixture
def dying(tmp_path):
    """dying(VERB, NUMBER, COMMAND...): runs the command, but the first netavark (or all of them: always=True) dies at
    its message NUMBER to the kernel."""
    once = tmp_path / "once"
    program = shutil.copy(NETAVARK, tmp_path / "real")
    script = tmp_path / "netavark"

    def run(verb, number, *command, always=False):
        condition = "true" if always else f"rmdir {once}"
        script.write_text(DYING.format(verb=verb, number=number, program=program, condition=condition))
        script.chmod(0o755)
        once.mkdir(exist_ok=True)
        words = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", script, NETAVARK]
        words = list(map(str, [*words, *command]))
        done = subprocess.run(words, capture_output=True, timeout=DEADLINE)
        return Result(words, done.returncode, done.stdout, done.stderr)

    return run


NFT = Path("/usr/sbin/nft")
SLOW_NFT = """#!/bin/sh
echo >> {calls}
[ $(wc -l < {calls}) != {number} ] || {{ kill -KILL $PPID; sleep 2; }}
exec {program} "$@"
"""


def runs(program):
    """Whether some process has this word in its command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(program).encode() in path.read_bytes():
                return True
    return False


def test_netavark_dies_while_nft_works(rootfs, tmp_path):
    """nft goes on, and would change rules when they have been taken back."""
    before = remains()
    script, calls = tmp_path / "nft", tmp_path / "calls"
    program = shutil.copy(NFT, tmp_path / "real-nft")
    with network("--ipv6") as net:
        words = ["sctr", "run", "--network", net, "-p", "18080:80", "--rootfs", rootfs, "true"]
        for number in range(1, 7):  # how often netavark runs it for a start and an end
            script.write_text(SLOW_NFT.format(calls=calls, number=number, program=program))
            script.chmod(0o755)
            calls.write_text("")
            inside = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", script, NFT]
            done = subprocess.run([*inside, *words], capture_output=True, timeout=DEADLINE)
            assert len(calls.read_text()) >= number, f"netavark has not run nft {number} times: {done}"
            eventually(lambda: not runs(NFT) and not runs(program), what="the end of nft")
            assert remains() <= before, f"run {number} of nft"
            with started(rootfs, "--network", net, "-p", "18080:80", command=serve("next")):
                assert fetch("http://127.0.0.1:18080/").stdout == "next\n", f"run {number} of nft"


@pytest.mark.parametrize("flags", [[], ["--ipv6"], ["--disable-dns"]])
def test_netavark_dies_during_the_set_up(dying, rootfs, flags):
    """However far it has come, nothing stays, and the next container has its network."""
    before = remains()
    with network(*flags) as net:
        words = ["sctr", "run", "--network", net, "-p", "18080:80", "--rootfs", rootfs, "ip", "-o", "route"]
        for number in range(1, 100):
            done = dying("setup", number, *words)
            if done.status == 0:
                break
            done.failed(125, "netavark", "killed by signal 9")
            assert remains() <= before, f"at message {number}"
            with started(rootfs, "--network", net, "-p", "18080:80", command=serve("next")):
                assert fetch("http://127.0.0.1:18080/").stdout == "next\n", f"at message {number}"
        assert number > 8, "it has been killed before and after it made devices"


def test_netavark_dies_during_the_end(dying, rootfs):
    before = remains()
    with network() as net:
        words = ["sctr", "run", "--network", net, "-p", "18080:80", "--rootfs", rootfs, "true"]
        for number in range(1, 100):
            done = dying("teardown", number, *words)
            assert done.status == 0 and not done.stderr, done
            eventually(lambda: remains() <= before, what=f"the end of what was there at message {number}")
            if number > 20:
                break


def test_what_could_not_be_taken_back_is_taken_back_later(dying, rootfs):
    """By the next command for which netavark lives; if it never does, its networks are given up, not all commands."""
    before = remains()
    with network() as net:
        words = ["sctr", "run", "--name", unique_name("dead"), "--network", net, "-p", "18080:80", "--rootfs", rootfs, "true"]
        for tries in range(4):
            done = dying("teardown", 3, *words, always=True)
            assert done.status == 0 and "killed by signal 9" in done.stderr, done
            assert remains() > before
            for _ in range(tries):
                dying("teardown", 3, "sctr", "ps", always=True).ok()
            sctr("ps").ok()
            assert not attached()
            if tries < 3:
                assert remains() <= before
        run_again = sctr(*words[1:])  # with the same name, address and rules
        assert run_again.ok() == "" and not run_again.stderr
        host("nft", "flush", "ruleset")  # what was given up


def test_what_two_containers_have_left_is_taken_back(dying, rootfs):
    """The rules of one must not keep those of the other."""
    before = remains()
    with network("--ipv6") as net:
        for port in (18080, 18081):
            words = ["sctr", "run", "--network", net, "-p", f"{port}:80", "--rootfs", rootfs, "true"]
            assert "killed by signal 9" in dying("teardown", 3, *words, always=True).stderr
        assert len(attached()) == 2
        sctr("ps").ok()
        assert remains() <= before
        # A container's end in order finds what another one has left.
        with started(rootfs, "--network", net, "-p", "18082:80", command=serve("last")) as last:
            dying("teardown", 3, *words, always=True)
            with open(STATE / "netavark.lock") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # nobody sweeps now
                os.kill(last.init(), signal.SIGKILL)
                eventually(lambda: f"WRITE {last.process.pid} " in Path("/proc/locks").read_text(), what="its end")
            last.wait()
        sctr("ps").ok()
        assert remains() <= before


def test_a_bridge_without_addresses(rootfs, run):
    """Left by whatever was killed with all that could have mended it."""
    with network("--ipv6") as net:
        bridge = described(net)["interface"]
        gateways = [each["gateway"] for each in described(net)["subnets"]]
        for present in ([], gateways[:1]):
            host("ip", "link", "add", bridge, "type", "bridge")
            for address in present:
                host("ip", "addr", "add", f"{address}/24", "dev", bridge)
            text = run("--network", net, "--cap-add", "NET_RAW", "sh", "-c", "ping -c 1 -W 3 $0 && ping -c 1 -W 3 $1", *gateways)
            assert text.ok().count(" 0% packet loss") == 2


def test_netavark_dies_during_connect_and_disconnect(dying, start):
    with network() as net, start() as container:
        has = lambda: container.name in described(net)["containers"]  # noqa: E731
        for number in range(1, 100):
            done = dying("setup", number, "sctr", "network", "connect", net, container.name)
            if done.status == 0:
                break
            done.failed(125, "netavark", "killed by signal 9")
            assert not has() and described(net)["interface"] not in host("ip", "-br", "link"), f"at message {number}"
            assert "eth1" not in container.exec("ip", "-o", "link").ok(), f"at message {number}"
        for number in range(1, 20):
            dying("teardown", number, "sctr", "network", "disconnect", net, container.name).ok()
            assert not has() and "eth1" not in container.exec("ip", "-o", "link").ok(), f"at message {number}"
            sctr("network", "connect", net, container.name).ok()


def knows(container, name):
    """Whether it finds another container by name."""
    return container.exec("timeout", "3", "nslookup", name).status == 0


def kill_name_server():
    (pid,) = name_servers()
    os.kill(int(pid), signal.SIGKILL)
    return pid


STARTED_AGAIN = "sctr: warn: aardvark-dns was started again: it had ended, and names were not found meanwhile\n"


def test_a_name_server_that_is_killed_is_started_again_once(start):
    """By one of the supervisors, whoever has the lock first, in a scope of its own; and the others see the next one end, too."""
    with contextlib.ExitStack() as stack:
        containers = [stack.enter_context(start()) for _ in range(6)]
        first, last = containers[0], containers[-1]
        (STATE / "name-server-starts").unlink(missing_ok=True)  # an earlier test's count
        eventually(lambda: knows(first, last.name), what="the name")
        for _ in range(2):
            with open(STATE / "netavark.lock") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                killed = kill_name_server()
                eventually(lambda: not name_servers(), what="its end")
            eventually(lambda: name_servers() - {killed}, what="another one")
            eventually(lambda: knows(last, first.name), what="the name again")
            eventually(lambda: len(name_servers()) == 1, what="one alone")  # whoever began it goes
        scope = Path(f"/proc/{name_servers().pop()}/cgroup").read_text()
        assert "/system.slice/run-" in scope, "it would end with a container"
        for container in containers:
            sctr("kill", container.name).ok()
        said = [container.process.communicate(timeout=DEADLINE)[1].decode() for container in containers]
    assert "".join(said) == 2 * STARTED_AGAIN, said


def test_a_network_with_names_that_came_later(start):
    """Nobody else is there to see the end of the server."""
    (STATE / "name-server-starts").unlink(missing_ok=True)  # an earlier test's count
    with network("--disable-dns") as net, network() as later, start("--network", net) as container:
        assert not name_servers()
        sctr("network", "connect", later, container.name).ok()
        eventually(lambda: knows(container, container.name), what="the name")
        killed = kill_name_server()
        eventually(lambda: name_servers() - {killed}, what="another one")
        eventually(lambda: knows(container, container.name), what="the name again")


AARDVARK = Path("/usr/lib/podman/aardvark-dns")
UNLUCKY = """#!/bin/sh
echo >> {count}
[ $(wc -l < {count}) = 1 ] && exec {program} "$@"
echo 'no luck today' >&2
exit 1
"""


def test_a_name_server_that_never_starts_is_given_up(rootfs, tmp_path, background):
    """Said once, by whoever tried last; a reload brings it back."""
    count = tmp_path / "count"
    (tmp_path / "real").mkdir()
    program = shutil.copy(AARDVARK, tmp_path / "real/aardvark-dns")
    script = tmp_path / "script"
    script.write_text(UNLUCKY.format(count=count, program=program))
    script.chmod(0o755)
    inside = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", script, AARDVARK]
    names = [unique_name() for _ in range(3)]
    errors = tmp_path / "errors"
    with network() as net, open(errors, "w") as stderr:
        supervisors = []
        for name in names:
            words = ["sctr", "run", "--name", name, "--network", net, "--rootfs", rootfs, *serve(name)]
            supervisors.append(background(*inside, *words, stdout=subprocess.PIPE, stderr=stderr, text=True))
            assert supervisors[-1].stdout.readline() == "ready\n"
        (STATE / "name-server-starts").unlink(missing_ok=True)  # an earlier test's count
        kill_name_server()
        eventually(lambda: errors.read_text(), what="the word about it")
        (said,) = errors.read_text().splitlines()
        assert said.startswith("sctr: warn: containers do not find each other by name any more: aardvark-dns: "), said
        assert "no luck today" in said or "ends again and again" in said, said
        assert len(count.read_text()) == 4
        sctr("network", "reload", names[0]).ok()
        eventually(lambda: sctr("exec", names[1], "nslookup", names[2]).status == 0, what="the name")
        for name, supervisor in zip(names, supervisors):
            sctr("rm", "-f", name)
            supervisor.wait(DEADLINE)
        assert errors.read_text().splitlines() == [said]


SLOW = """#!/bin/sh
: > {folder}/slow
until [ -e {folder}/checks ]; do sleep 0.01; done
exec {program} "$@"
"""


def test_a_health_check_that_begins_meanwhile_does_not_keep_netavarks_lock(rootfs, tmp_path, background):
    """The process that makes it has all that the supervisor had open."""
    folder, script, program = tmp_path / "folder", tmp_path / "script", tmp_path / "real/aardvark-dns"
    for each in (folder, program.parent):
        each.mkdir()
    shutil.copy(AARDVARK, program)
    script.write_text(SLOW.format(folder=folder, program=program))
    script.chmod(0o755)
    check = "test ! -e /folder/armed -o ! -e /folder/slow || { : > /folder/checks; sleep 1000; }"
    flags = ["--health-cmd", check, "--health-interval", "100ms", "--health-timeout", "1000s", "-v", f"{folder}:/folder"]
    inside = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", script, AARDVARK]
    name = unique_name()
    (STATE / "name-server-starts").unlink(missing_ok=True)  # an earlier test's count
    with network() as net:
        words = [*inside, "sctr", "run", "--name", name, "--network", net, *flags, "--rootfs", rootfs, *serve()]
        (folder / "checks").touch()  # netavark's own start of it
        supervisor = background(*words, stdout=subprocess.PIPE)
        assert supervisor.stdout.readline() == b"ready\n"
        for left in ("slow", "checks"):
            (folder / left).unlink()
        (folder / "armed").touch()
        kill_name_server()
        eventually((folder / "slow").exists, what="another one, which begins with the lock held")
        with open(STATE / "netavark.lock") as lock:
            eventually(lambda: takes(lock), what="the end of the lock")
        sctr("rm", "-f", name)
        supervisor.wait(DEADLINE)


def takes(lock):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
