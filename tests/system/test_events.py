# SPDX-License-Identifier: LGPL-2.1-or-later
"""sctr events: what happens to containers, whoever made them."""

import json
import select
import signal
import subprocess

import pytest

from harness import WAIT, eventually, host, sctr, unique_name, unit_of


def events(name, *flags):
    """What has happened to a container so far."""
    host("journalctl", "--sync")
    result = sctr("events", "--no-stream", "--json", "--filter", f"container={name}", *flags)
    result.ok()
    return [json.loads(line) for line in result.lines]


def kinds(name):
    return [event["event"] for event in events(name)]


def test_a_life_in_the_foreground(run):
    name = unique_name("life")
    assert run("--name", name, "sh", "-c", "exit 3").status == 3
    seen = events(name)
    assert [event["event"] for event in seen] == ["create", "start", "die", "remove"]
    assert [event.get("exitStatus") for event in seen] == [None, None, 3, None]
    assert {event["unit"] for event in seen} == {unit_of(name)}
    assert len({event["run"] for event in seen}) == 1
    assert [event["time"] for event in seen] == sorted(event["time"] for event in seen)


def test_every_verb_is_told(start):
    with start() as container:
        container.exec("echo", "hello").ok()
        sctr("pause", container.name).ok()
        sctr("unpause", container.name).ok()
        sctr("stop", container.name).ok()
        container.wait()
    seen = kinds(container.name)
    assert seen[:5] == ["create", "start", "exec", "pause", "unpause"]
    assert sorted(seen[5:]) == ["die", "remove", "stop"]
    assert events(container.name)[2]["command"] == "echo hello"


def test_a_death_by_signal(start):
    with start() as container:
        sctr("kill", container.name).ok()
        container.wait()
    (died,) = (event for event in events(container.name) if event["event"] == "die")
    assert died["exitStatus"] == 137


def test_a_container_that_is_kept(run):
    name = unique_name("kept")
    run("--rm=false", "--name", name, "true").ok()
    assert kinds(name) == ["create", "start", "die"]
    sctr("rm", name).ok()
    assert kinds(name) == ["create", "start", "die", "remove"]


def test_a_killed_supervisor(start):
    with start() as container:
        container.send(signal.SIGKILL)
        container.wait()

        def is_told():
            sctr("ps").ok()  # sweeps what has ended by now
            return kinds(container.name)[-2:] == ["die", "remove"]

        eventually(is_told)


def test_a_start_that_fails_is_no_event(run):
    name = unique_name()
    run("--name", name, "/no/such/command").failed(127)
    assert events(name) == []


def test_an_engines_container(bundle):
    name = unique_name("engine")
    bundle.config["annotations"] = {"io.kubernetes.cri.image-name": "registry.example/web:1"}
    bundle.write("sh", "-c", WAIT)
    create = ["sctr-oci", "create", "--bundle", bundle.path, name]
    subprocess.run(create, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    host("sctr-oci", "start", name)
    # Of one that ends by itself, systemd may tell before sctr-oci has told of its start.
    host("sctr-oci", "kill", name, "KILL")
    eventually(lambda: "die" in kinds(name))
    host("sctr-oci", "delete", name)
    seen = events(name)
    assert [event["event"] for event in seen] == ["create", "start", "die", "remove"]
    assert {event.get("image") for event in seen} == {"registry.example/web:1"}
    sctr("logs", name).failed(125, "engine")


def test_podmans_container(rootfs, tmp_path):
    command = ["podman", "--runtime", "/usr/bin/sctr-oci", "run", "--net=host"]
    words = ["--cidfile", tmp_path / "id", "--rootfs", f"{rootfs}:O", "true"]
    host(*command, *words, timeout=60)
    name = (tmp_path / "id").read_text()
    host("podman", "rm", name)
    eventually(lambda: sorted(kinds(name)) == ["create", "die", "remove", "start"], what=str(events(name)))
    # systemd may tell of a short one's end before sctr-oci has told of its start.
    assert kinds(name)[0] == "create" and kinds(name)[-1] == "remove"


def test_an_oom_kill(start, need_controller):
    need_controller("memory")
    script = "head -c 100m /dev/zero | tail; true"
    with start("-m", "16m", command=["sh", "-c", script], ready="") as container:
        container.wait()
    assert "oom" in kinds(container.name)


def test_filters_and_times(run):
    one, other = unique_name("one"), unique_name("other")
    run("--name", one, "true").ok()
    run("--name", other, "true").ok()
    host("journalctl", "--sync")
    flags = ["--no-stream", "--filter", f"container={one}", "--filter", f"container={other}"]
    lines = sctr("events", *flags, "--filter", "event=die", "--filter", "event=start").lines
    assert [line.split()[1:3] for line in lines] == [
        ["start", one], ["die", one], ["start", other], ["die", other],
    ]  # fmt: skip
    assert sctr("events", *flags, "--since", lines[2].split()[0]).lines[1:] == [
        line for line in sctr("events", *flags).lines[5:]
    ]
    assert sctr("events", *flags, "--until", "1h").lines == []


def test_events_are_streamed(run):
    name = unique_name("live")
    command = ["sctr", "events", "--json", "--filter", f"container={name}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        # It says nothing before the first event, so there is one until it sees one.
        def seen():
            run("--name", name, "true").ok()
            return select.select([reader.stdout], [], [], 0.2)[0]

        eventually(seen)
        first = json.loads(reader.stdout.readline())
        assert first["event"] in ("create", "die")
        reader.terminate()
        reader.stdout.read()


def test_a_stream_with_an_end():
    assert sctr("events", "--until", "+0.2s", "--filter", "container=none").out == b""


@pytest.mark.parametrize(
    "words, told",
    [
        (["--filter", "event=born"], ["--filter", "event=born", "no such event"]),
        (["--filter", "web"], ["--filter", "container=NAME"]),
        (["--since", "soon"], ["--since", "soon"]),
    ],
)
def test_errors(words, told):
    sctr("events", *words).failed(125, *told)


def test_others_cannot_make_events_up(run):
    name = unique_name("forged")
    forged = (
        "MESSAGE=forged\nMESSAGE_ID=6c2f0e1d94b84c0fa7f0be5b0f2d7c31\n"
        f"SCTR_EVENT=die\nCONTAINER_NAME={name}\n"
    )
    script = (
        "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM);"
        f"s.sendto({forged.encode()!r}, '/run/systemd/journal/socket')"
    )
    host("setpriv", "--reuid", "guest", "--clear-groups", "python3", "-c", script)
    assert events(name) == []


def test_journalctl_shows_the_events_of_a_unit(run):
    name = unique_name()
    run("--name", name, "sh", "-c", "exit 2")
    host("journalctl", "--sync")
    shown = host("journalctl", "--no-pager", "-o", "cat", "-u", unit_of(name))
    assert f"container {name}: die, remove (status 2)" in shown
