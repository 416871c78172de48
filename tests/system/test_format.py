# SPDX-License-Identifier: LGPL-2.1-or-later
"""--format: Go's templates, as scripts of docker and podman have them."""

import json
import re

import pytest

from accounts import run_as, sctr_as
from harness import sctr, unique_name
from made_images import Image, base_layer
from store import load, nothing_stays_in_the_store  # noqa: F401 (fixtures)
from terminal import Terminal


def shown(*words):
    """What is printed, less its last newline."""
    result = sctr(*words)
    assert result.status == 0, result
    assert result.stdout.endswith("\n")
    return result.stdout[:-1]


@pytest.fixture
def stored(rootfs):
    """A detached container with a label."""
    name = unique_name("fmt")
    words = ["--label", "team=web", "--label", "com.x/a-b=c", "--network", "none", "-e", "A=1"]
    sctr("run", "-d", "--name", name, *words, "--rootfs", rootfs, "sleep", "1000").ok()
    yield name
    sctr("rm", "-f", name).ok()


def test_ps(stored):
    row = json.loads(sctr("ps", "--json").ok())[0]
    assert shown("ps", "--format", "{{.ID}} {{.Names}} {{.Pid}} {{.State}} {{.Command}}") == (
        f"{stored} {stored} {row['pid']} running sleep 1000"
    )
    assert shown("ps", "--format", "{{.Status}}").startswith("Up ")
    assert shown("ps", "--format", '{{.Labels.team}} {{.Label "com.x/a-b"}} {{.Label "none"}}') == "web c "
    assert shown("ps", "--format", '{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}') == "com.x/a-b=c;team=web;"
    lines = sctr("ps", "--format", r"table {{.Names}}\t{{.Labels.team}}\t{{.RunningFor}}").lines
    assert lines[0].split() == ["NAMES", "TEAM", "RUNNING", "FOR"]
    assert lines[1].split()[:2] == [stored, "web"] and lines[1].endswith(" ago")
    assert json.loads(shown("ps", "--format", "{{json .}}"))["Names"] == stored
    assert json.loads(shown("ps", "--format", "json")) == [row]
    assert sctr("ps", "--format", "table").lines[0] == sctr("ps").lines[0]
    sctr("stop", "-t", "0", stored).ok()
    ended = shown("ps", "-a", "--format", "{{.Names}} {{.State}} {{.ExitCode}} {{.Status}}")
    assert re.fullmatch(rf"{stored} exited 137 Exited \(137\) \d+ seconds? ago", ended), ended
    assert sctr("ps", "--format", "{{.Names}}").stdout == ""


def test_one_of_the_foreground_that_is_kept_ended_some_time_ago(rootfs):
    name = unique_name("fmt")
    sctr("run", "--rm=false", "--name", name, "--rootfs", rootfs, "sh", "-c", "exit 3")
    try:
        ended = shown("ps", "-a", "--filter", f"name=^{name}$", "--format", "{{.Status}}")
        assert re.fullmatch(r"Exited \(3\) \d+ seconds? ago", ended), ended
        finished = json.loads(sctr("inspect", name).ok())[0]["finished"]
        assert shown("inspect", "-f", "{{.State.FinishedAt}}", name) == finished
    finally:
        sctr("rm", name).ok()


def test_inspect(stored):
    found = json.loads(sctr("inspect", stored).ok())[0]
    assert shown("inspect", "-f", "{{.Id}} {{.Name}} {{.State.Status}} {{.State.Running}} {{.State.Pid}}", stored) == (
        f"{stored} {stored} running true {found['pid']}"
    )
    assert shown("inspect", "--format", "{{.State.StartedAt}}", stored) == found["created"]
    assert shown("inspect", "-f", "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", stored) == "none"
    assert "A=1" in json.loads(shown("inspect", "-f", "{{json .Config.Env}}", stored))
    assert shown("inspect", "-f", '{{index .Config.Labels "com.x/a-b"}}', stored) == "c"
    assert shown("inspect", "-f", "{{.config.process.cwd}} {{.systemd.activeState}}", stored) == "/ active"
    assert shown("inspect", "-f", "{{.Config.Cmd | json}} {{.Path}} {{join .Args \",\"}}", stored) == (
        '["sleep","1000"] sleep 1000'
    )
    assert json.loads(shown("inspect", "-f", "json", stored))[0]["id"] == stored
    sctr("stop", "-t", "0", stored).ok()
    assert shown("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}", stored) == "exited 137 0"
    finished = json.loads(sctr("inspect", stored).ok())[0]["finished"]
    assert shown("inspect", "-f", "{{.State.FinishedAt}}", stored) == finished


def test_inspect_of_a_network(rootfs):
    name = unique_name("fmt")
    sctr("run", "-d", "--name", name, "-p", "127.0.0.1::80", "--rootfs", rootfs, "sleep", "1000").ok()
    try:
        network = json.loads(sctr("inspect", name).ok())[0]["network"]
        address = network["networks"]["sctr"]["addresses"][0]
        port = network["ports"][0].split(":")[1]
        assert shown("inspect", "-f", "{{.NetworkSettings.IPAddress}}", name) == address
        assert shown("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name) == address
        assert shown("inspect", "-f", "{{.NetworkSettings.Networks.sctr.IPAddress}}", name) == address
        first = '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}'
        assert shown("inspect", "-f", first, name) == port
        assert shown("ps", "--format", "{{.Ports}} {{.Networks}}") == f"127.0.0.1:{port}->80/tcp sctr"
    finally:
        sctr("rm", "-f", name).ok()


def test_images(load):
    name = load(Image(base_layer(), Cmd=["sh", "-c", "x"], Labels={"a.b/c": "d"}))
    image = json.loads(sctr("images", "--json", name).ok())[0]
    repository, _, tag = name.rpartition(":")
    assert shown("images", "--format", "{{.Repository}} {{.Tag}} {{.ID}} {{.Digest}}", name) == (
        f"{repository} {tag} {image['id'][:12]} {image['digest']}"
    )
    assert shown("images", "--format", "{{.size}} {{.Size}}", name).startswith(f"{image['size']} ")
    assert shown("image", "inspect", "-f", "{{.Id}} {{.Config.Cmd}} {{.RepoTags}}", name) == (
        f"{image['id']} [sh -c x] [{name}]"
    )
    assert shown("image", "inspect", "-f", '{{index .Config.Labels "a.b/c"}} {{.Config.User}}|', name) == "d |"
    sctr("image", "inspect", "-f", "{{.Config.Nope}}", name).failed(125, "no 'Nope'", ".Cmd")
    sctr("tag", name, f"{name}-too").ok()
    try:
        assert sctr("images", "--format", "{{.Tag}}", repository).lines == [tag, f"{tag}-too"]
    finally:
        sctr("rmi", f"{name}-too").ok()


ERRORS = [
    ("{{.Names", ["character 9", "no '}}'"]),
    ("{{.Nope}}", ["character 3", "'{{.Nope}}'", "no 'Nope'", ".id"]),
    ("{{if .ID}}x", ["'if' has no '{{end}}'"]),
    ("{{nope .ID}}", ["no function 'nope'", "json"]),
    ("table {{.ID}}\\t{{", ["no '}}'"]),
    ("xml", ["bad value 'xml'", "--format"]),
    ("", ["bad value ''", "--format"]),
]


@pytest.mark.parametrize("text, words", ERRORS)
@pytest.mark.parametrize("verb", [["ps"], ["inspect"]])
def test_a_template_that_is_wrong(stored, verb, text, words):
    """Nothing is printed of what was right before it."""
    result = sctr(*verb, "--format", text, *([stored] if verb == ["inspect"] else []))
    result.failed(125, *words)
    assert result.stdout == ""


def test_two_ways_at_once():
    for flag in ("--json", "-q"):
        sctr("ps", flag, "--format", "{{.ID}}").failed(125, "--format", "give one of them")
        sctr("images", flag, "--format", "{{.ID}}").failed(125, "--format", "give one of them")


def test_what_a_stranger_wrote_does_nothing_to_a_terminal(load):
    name = load(Image(base_layer(), Labels={"x": "\x1b[2Jevil"}))
    words = ["image", "inspect", "-f", "{{.Config.Labels.x}}", name]
    assert sctr(*words).stdout == "\x1b[2Jevil\n"
    with Terminal("sctr", *words) as screen:
        screen.expect(r"\\x1b\[2Jevil")
        assert screen.wait() == 0


def test_a_plain_user(stored):
    assert run_as("guest", "sctr", "ps", "--format", "{{.Names}}").stdout == ""
    assert sctr_as("guest", "ps", "--format", "{{.Names}} {{.State}}").ok() == f"{stored} running"
    words = ["inspect", "-f", "{{.State.Status}} {{.systemd.activeState}} {{.Config.Labels}}", stored]
    assert sctr_as("guest", *words).ok() == "running active map[]"
    sctr_as("guest", "ps", "--format", "{{.Nope}}").failed(125, "no 'Nope'")


@pytest.fixture
def volume():
    name = unique_name("v")
    sctr("volume", "create", "--label", "a-b=c", name).ok()
    yield name
    sctr("volume", "rm", name).ok()


def test_volumes(volume):
    found = json.loads(sctr("volume", "inspect", volume).ok())[0]
    wanted = f"{volume} local {found['path']}"
    assert shown("volume", "ls", "--format", "{{.Name}} {{.Driver}} {{.Mountpoint}}") == wanted
    assert shown("volume", "inspect", "--format", "{{.Name}} {{.Driver}} {{.Mountpoint}}", volume) == wanted
    assert shown("volume", "inspect", "--format", '{{index .Labels "a-b"}} {{.Label "none"}}', volume) == "c "
    assert json.loads(shown("volume", "ls", "--format", "json")) == [found]
    assert sctr("volume", "ls", "--format", "table {{.Name}}").lines == ["NAME", volume]
    sctr("volume", "ls", "--format", "{{.Nope}}").failed(125, "no 'Nope'", ".Mountpoint")
    sctr("volume", "ls", "-q", "--format", "{{.Name}}").failed(125, "--quiet is one, too")


def test_networks():
    name = unique_name("n")
    sctr("network", "create", "--subnet", "10.213.7.0/24", "--label", "a=b", name).ok()
    try:
        assert f"{name} bridge b" in sctr("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Labels.a}}").lines
        subnet = "{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}}{{end}} {{len .Containers}} {{.Internal}}"
        assert shown("network", "inspect", "--format", subnet, name).startswith("10.213.7.0/24 10.213.7.1 0 false")
        sctr("network", "inspect", "--format", "{{.Nope}}", name).failed(125, "no 'Nope'", ".IPAM")
    finally:
        sctr("network", "rm", name).ok()


def test_stats(stored):
    words = ["stats", "--no-stream", "--format"]
    assert shown(*words, "{{.Name}} {{.ID}}", stored) == f"{stored} {stored}"
    name, share = shown(*words, "{{.Container}} {{.CPUPerc}}", stored).split()
    assert name == stored and share.endswith("%") and float(share[:-1]) >= 0
    lines = sctr(*words, r"table {{.Name}}\t{{.MemUsage}}\t{{.PIDs}}\t{{.NetIO}}\t{{.BlockIO}}").lines
    assert lines[0].split() == ["NAME", "MEM", "USAGE", "PIDS", "NET", "IO", "BLOCK", "IO"]
    assert lines[1].split()[0] == stored
    sctr(*words, "{{.Nope}}", stored).failed(125, "no 'Nope'", ".CPUPerc")
    sctr(*words, "{{.Name", stored).failed(125, "no '}}'")


def test_history(load):
    name = load(Image(base_layer()))
    history = json.loads(shown("image", "history", "--format", "json", name))
    lines = sctr("image", "history", "--format", "{{.createdBy}}|{{.size}}|{{.EmptyLayer}}", name).lines
    assert lines == [f"{each['createdBy']}|{each['size']}|{str(each['emptyLayer']).lower()}" for each in history]
    sctr("image", "tree", "--format", "{{.ID}}", name).failed(125, "a tree has one look")


def test_events(stored):
    sctr("stop", "-t", "0", stored).ok()
    words = ["events", "--no-stream", "--filter", f"container={stored}"]
    text = "{{.Type}} {{.Status}} {{.Name}} {{.ContainerExitCode}}"
    lines = sctr(*words, "--format", text).lines
    assert f"container start {stored} " in lines and f"container die {stored} 137" in lines
    assert sctr(*words, "--format", "json").lines == sctr(*words, "--json").lines
    sctr("events", "--format", "{{.Nope}}").failed(125, "no 'Nope'", ".ContainerExitCode")
    sctr("events", "--format", "table {{.Name}}").failed(125, "columns need an end")
