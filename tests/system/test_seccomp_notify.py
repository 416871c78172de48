# SPDX-License-Identifier: LGPL-2.1-or-later
"""Filters that ask somebody else about system calls: linux.seccomp.listenerPath."""

import errno
import json
import platform

import pytest

from harness import eventually, sctr
from seccomp_agent import Agent

# The numbers of x86-64 and of the architectures that share asm-generic's table.
KEYCTL = 250 if platform.machine() == "x86_64" else 219
NO_NEW_PRIVILEGES = ["--security-opt", "no-new-privileges"]


@pytest.fixture
def profile(tmp_path):
    """profile(NAME..., ...): the flags for a filter that notifies of these calls."""

    def make(*names, rules=(), **members):
        members.setdefault("listenerPath", str(tmp_path / "agent"))
        rule = {"names": names, "action": "SCMP_ACT_NOTIFY"}
        text = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule, *rules], **members}
        file = tmp_path / "notify.json"
        file.write_text(json.dumps(text))
        return ["--security-opt", f"seccomp={file}"]

    return make


def is_keyctl(value, error):
    return lambda number, _: (value, error) if number == KEYCTL else None


@pytest.mark.parametrize("more", [[], NO_NEW_PRIVILEGES, ["-u", "alice"]], ids=" ".join)
def test_the_agent_answers(run, probe, profile, tmp_path, more):
    flags = [*profile("keyctl"), *more]
    with Agent(tmp_path / "agent", lambda number, arguments: (40 + arguments[0], 0)) as agent:
        assert run(*flags, probe, "call", "keyctl", "2").stdout == "ok 42\n"
    assert agent.calls == [KEYCTL]
    with Agent(tmp_path / "again", is_keyctl(0, errno.EXDEV)) as agent:
        flags = [*profile("keyctl", listenerPath=str(tmp_path / "again")), *more]
        assert run(*flags, probe, "call", "keyctl", "2").stdout == "EXDEV\n"


def test_the_state_that_the_agent_gets(start, probe, profile, tmp_path):
    with Agent(tmp_path / "agent", is_keyctl(7, 0)) as agent:
        with start(*profile("keyctl", listenerMetadata="for me")) as container:
            (state,) = eventually(lambda: agent.states, what="the state")  # nobody waits for an agent to read it
            assert state["ociVersion"] and state["fds"] == ["seccompFd"]
            assert state["metadata"] == "for me"
            assert state["pid"] == state["state"]["pid"] == container.init()
            assert state["state"]["id"] == container.name
            assert state["state"]["status"] == "created"
            assert "bundle" in state["state"] and state["state"]["ociVersion"]
            # exec has a filter, and so a listener, of its own.
            assert container.exec(probe, "call", "keyctl").stdout == "ok 7\n"
            _, state = agent.states
            assert state["state"]["pid"] == container.init() != state["pid"]
            assert state["state"]["status"] == "running"


# What sctr-init itself calls once the filter is in force is asked for too, and answered.
@pytest.mark.parametrize("more", [[], NO_NEW_PRIVILEGES], ids=["early", "late"])
@pytest.mark.parametrize(
    "names",
    [["execve"], ["close"], ["read"], ["write", "writev"], ["recvfrom", "recvmsg"], ["exit_group"],
     ["brk", "mmap", "munmap"], ["setresuid", "capset", "prctl", "setrlimit", "prlimit64"],
     ["newfstatat", "stat", "faccessat", "faccessat2", "poll"]],
    ids=" ".join,
)  # fmt: skip
def test_calls_that_sctr_init_makes_too(run, profile, tmp_path, names, more):
    with Agent(tmp_path / "agent") as agent:
        assert run(*profile(*names), *more, "echo", "hello").ok() == "hello"
        # Where nothing was asked, nobody has waited for it.
        eventually(lambda: agent.states, what="the state")
    assert len(agent.states) == 1


def test_many_at_a_time(start, probe, profile, tmp_path):
    with Agent(tmp_path / "agent", is_keyctl(1, 0)) as agent:
        with start(*profile("keyctl")) as container:
            script = f"for i in 1 2 3 4 5 6 7 8; do {probe} call keyctl & done; wait"
            assert container.exec("sh", "-c", script).ok() == "\n".join(["ok 1"] * 8)
        assert agent.calls == [KEYCTL] * 8


@pytest.mark.parametrize(
    "flags", [["SECCOMP_FILTER_FLAG_LOG"], ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
              ["SECCOMP_FILTER_FLAG_TSYNC"], ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
              ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"]],
    ids=" ".join,
)  # fmt: skip
def test_filter_flags(run, probe, profile, tmp_path, flags):
    with Agent(tmp_path / "agent", is_keyctl(3, 0)):
        assert run(*profile("keyctl", flags=flags), probe, "call", "keyctl").stdout == "ok 3\n"


def test_an_agent_that_is_gone_denies(run, probe, profile, tmp_path):
    with Agent(tmp_path / "agent", keep=False):
        assert run(*profile("keyctl"), probe, "call", "keyctl").stdout == "ENOSYS\n"


@pytest.mark.parametrize(
    "names, members, words",
    [
        (["keyctl"], {"listenerPath": "/no/such/agent"}, ["listenerPath", "/no/such/agent"]),
        (["keyctl"], {"listenerPath": "/etc/passwd"}, ["listenerPath", "/etc/passwd"]),
        (["keyctl"], {"listenerPath": ""}, ["/syscalls/0/action", "listenerPath"]),
        (["bind", "sendmsg"], {}, ["/syscalls/0/names", "sendmsg"]),
        (["keyctl"], {"defaultAction": "SCMP_ACT_NOTIFY"}, ["/defaultAction", "single system calls"]),
    ],
)
def test_what_cannot_be_handed_over(run, profile, names, members, words):
    result = run(*profile(*names, **members), "echo", "must not run")
    result.failed(125, "seccomp", *words)
    assert result.out == b""


@pytest.mark.parametrize("denied", ["sendmsg", "read"])
@pytest.mark.parametrize("more", [[], NO_NEW_PRIVILEGES], ids=["early", "late"])
def test_a_filter_that_denies_the_handover(run, profile, tmp_path, denied, more):
    rules = [{"names": [denied], "action": "SCMP_ACT_ERRNO"}]
    with Agent(tmp_path / "agent"):
        result = run(*profile("keyctl", rules=rules), *more, "echo", "must not run")
    assert result.out == b""
    result.failed(125, "host side" if denied == "read" else "listener")


def test_a_long_path(run, probe, profile, tmp_path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    short = tmp_path / "s"
    short.symlink_to(deep)
    with Agent(short / "agent", is_keyctl(5, 0)):
        flags = profile("keyctl", listenerPath=str(deep / "agent"))
        assert run(*flags, probe, "call", "keyctl").stdout == "ok 5\n"


def test_an_agent_that_does_not_answer_is_no_trap(rootfs, probe, profile, tmp_path, background):
    # The connection is made, and nobody ever takes it: the start goes on, the call waits.
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "agent"))
        server.listen()
        name = tmp_path.name.replace("_", "-")[-30:].strip("-")
        words = ["sctr", "run", "--name", name, "--rootfs", rootfs, *profile("keyctl"), probe, "call", "keyctl"]
        container = background(*words)
        server.settimeout(20)
        connection, _ = server.accept()
        with connection:
            assert container.poll() is None
            assert sctr("rm", "-f", name).status == 0
            container.wait(20)
