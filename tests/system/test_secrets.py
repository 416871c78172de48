# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets and credentials: what containers get, and where else they are not."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

import harness
from harness import eventually, host, sctr, unique_name
from made_images import Image, Layer, base_layer
from store import STORE, load, nothing_stays_in_the_store  # noqa: F401 (fixtures)

TEXT = b"hunter2-\x00\xff-secret\n"


@pytest.fixture
def secret():
    name = unique_name("s")
    sctr("secret", "create", name, "-", input=TEXT).ok()
    yield name
    sctr("secret", "rm", name)


def test_the_store(tmp_path):
    name = unique_name("s")
    (tmp_path / "file").write_bytes(TEXT)
    assert sctr("secret", "create", "--label", "a=b", name, tmp_path / "file").ok() == name
    path = STORE / "secrets" / f"{name}.secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert name in sctr("secret", "ls", "-q").lines
    about = json.loads(sctr("secret", "inspect", name).ok())[0]
    assert about["name"] == name and about["labels"] == {"a": "b"}
    assert json.loads(sctr("secret", "ls", "--json").ok())[0].keys() == about.keys()
    sctr("secret", "create", name, tmp_path / "file").failed(125, name, "--replace")
    sctr("secret", "create", "--replace", name, "-", input="other").ok()
    assert path.read_bytes().endswith(b"\nother")
    assert json.loads(sctr("secret", "inspect", name).ok())[0]["created"] == about["created"]
    sctr("secret", "create", "--replace", "--env", name, "SECRET", env={**os.environ, "SECRET": "variable"}).ok()
    assert path.read_bytes().endswith(b"\nvariable")
    sctr("secret", "create", "--replace", name, "-", input="x" * 512001).failed(125, "longer")
    sctr("secret", "create", "--replace", name, "-", input="x" * 512000).ok()
    assert sctr("secret", "rm", name).ok() == name
    sctr("secret", "rm", name).failed(125, name, "no such secret")
    sctr("secret", "inspect", name).failed(125, name)


@pytest.mark.parametrize(
    "words, text, wanted",
    [
        (["create", "a/b", "-"], "x", "invalid secret name"),
        (["create", "../x", "-"], "x", "invalid secret name"),
        (["create", "", "-"], "x", "invalid secret name"),
        (["create", "empty", "-"], "", "empty"),
        (["create", "one"], "", "a file"),
        (["create", "x", "/nonexistent"], "", "/nonexistent"),
        (["create", "--env", "x", "NO_SUCH_VARIABLE"], "", "variable"),
        (["create", "--label", "=v", "x", "-"], "x", "KEY=VALUE"),
        (["frobnicate"], "", "frobnicate"),
        (["rm", "nonesuch"], "", "nonesuch"),
    ],
)
def test_mistakes_in_the_store(words, text, wanted):
    sctr("secret", *words, input=text).failed(125, wanted)


def test_a_file_in_memory(run, secret):
    result = run("--secret", secret, "cat", f"/run/secrets/{secret}")
    assert result.status == 0 and result.out == TEXT
    show = f"stat -c '%a %u:%g %F' /run/secrets/{secret}; stat -f -c %T /run/secrets; touch /run/secrets/x; echo x > /run/secrets/{secret}"
    lines = run("--secret", secret, "sh", "-c", show).lines
    assert lines == ["444 0:0 regular file", "tmpfs"]
    show = "stat -c '%a %u:%g' /run/secrets/other /deep/er; cat /deep/er"
    flags = ["--secret", f"{secret},target=other,uid=5,gid=6,mode=0400", "--secret", f"{secret},target=/deep/er,mode=640"]
    result = run(*flags, "--tmpfs", "/deep", "sh", "-c", show)
    assert result.out == b"400 5:6\n640 0:0\n" + TEXT


def test_a_variable(run):
    name = unique_name("s")
    sctr("secret", "create", name, "-", input="one line").ok()
    try:
        assert run("--secret", f"{name},type=env,target=PW", "sh", "-c", 'echo "$PW"').ok() == "one line"
        assert run("-e", "PW=x", "--secret", f"{name},type=env,target=PW", "sh", "-c", 'echo "$PW"; env | grep -c ^PW=').lines == [
            "one line", "1",
        ]  # fmt: skip
        assert "one line" not in run("--dry-run", "--secret", f"{name},type=env", "true").ok()
    finally:
        sctr("secret", "rm", name).ok()


def test_what_is_no_variable(run, secret):
    run("--secret", f"{secret},type=env", "true").failed(125, secret, "no text")


@pytest.mark.parametrize(
    "value, words",
    [
        ("nonesuch", ["nonesuch", "no such secret"]),
        ("a/b,target=x", ["invalid secret name"]),
        ("{},mode=999", ["mode"]),
        ("{},mode=4755", ["mode"]),
        ("{},uid=-1", ["--secret"]),
        ("{},type=file", ["type=file"]),
        ("{},target=../x", ["target"]),
        ("{},target=..", ["target"]),
        ("{},target=/run/secrets", ["directory"]),
        ("{},target=/", ["directory"]),
        ("{},what", ["what"]),
        ("{},type=env,target=A=B", ["variable"]),
    ],
)
def test_mistakes(run, secret, value, words):
    run("--secret", value.format(secret), "true").failed(125, *words)


def test_two_at_one_place(run, secret, tmp_path):
    run("--secret", secret, "--secret", secret, "true").failed(125, "two secrets", secret)
    for place in ("/run/secrets", f"/run/secrets/{secret}"):
        run("--secret", secret, "-v", f"{tmp_path}:{place}", "true").failed(125, "--secret", place)
    # What holds the place is no trouble.
    assert run("--secret", secret, "--tmpfs", "/run", "cat", f"/run/secrets/{secret}").out == TEXT


def test_an_id_that_is_not_mapped(load, secret):
    image = load(Image(base_layer()))
    maps = ("--uidmap", "0:200000:1000")
    assert sctr("run", *maps, "--secret", f"{secret},uid=7", image, "stat", "-c", "%u", f"/run/secrets/{secret}").ok() == "7"
    sctr("run", *maps, "--secret", f"{secret},uid=2000", image, "true").failed(125, "owner", "mapping")


def test_of_a_stored_container_they_are_read_at_each_start(load):
    """And are nowhere but in the store and in the container."""
    secret, container = unique_name("s"), unique_name("c")
    sctr("secret", "create", secret, "-", input="tell-nobody-1").ok()
    flags = ("--stop-timeout", "1", "--secret", secret, "--secret", f"{secret},type=env,target=PW")
    script = f"test $(cat /run/secrets/{secret}) = $PW && touch /run/same; sleep 1000"
    sctr("run", "-d", "--name", container, *flags, load(Image(base_layer())), "sh", "-c", script).ok()
    eventually(lambda: sctr("exec", container, "ls", "/run/same").status == 0)
    assert sctr("exec", container, "cat", f"/run/secrets/{secret}").ok() == "tell-nobody-1"
    for word in ("tell-nobody-1",):
        places = ["/run/sctr", STORE / "containers", STORE / "roots", "/etc/systemd/system", "/run/systemd"]
        assert host("grep", "-rlsa", "--devices=skip", word, *places, check=False) == ""
        assert word not in sctr("inspect", container).ok() + sctr("ps", "-a", "--json").ok()
        assert word not in host("journalctl", "-q", "--no-pager", "-o", "json", f"CONTAINER_NAME={container}")
        assert word not in host("systemctl", "show", f"sctr@{container}.service", f"sctr-{container}.scope")
    sctr("secret", "create", "--replace", secret, "-", input="tell-nobody-2").ok()
    sctr("restart", container).ok()
    assert sctr("exec", container, "cat", f"/run/secrets/{secret}").ok() == "tell-nobody-2"
    sctr("stop", "-t", "0", container).ok()
    sctr("secret", "rm", secret).ok()
    assert sctr("diff", container).lines == ["C /run", "A /run/same"]
    sctr("start", container).failed(125, secret, "no such secret")
    sctr("rm", container).ok()


def test_links_lead_nowhere_but_into_the_container(load, secret):
    """An image that has links where secrets go."""
    before = sorted(os.listdir("/etc"))
    layer = base_layer().symlink("run/secrets", "/etc").symlink("out", "../../../../../etc")
    image = load(Image(layer))
    assert sctr("run", "--secret", secret, image, "ls", "/etc").ok() == secret
    found = sctr("run", "--secret", f"{secret},target=/out/{secret}", image, "cat", f"/etc/{secret}")
    assert found.out == TEXT
    assert sorted(os.listdir("/etc")) == before


def test_a_credential(run, tmp_path):
    (tmp_path / "file").write_bytes(TEXT)
    assert run("--credential", f"db:{tmp_path}/file", "cat", "/run/secrets/db").out == TEXT
    run("--credential", "db", "true").failed(125, "--credential db", "LoadCredential=")
    run("--credential", "db:relative", "true").failed(125, "--credential")
    run("--credential", "a/b", "true").failed(125, "--credential")
    run("--credential", "db:/nonexistent", "true").failed(125, "/nonexistent")


def test_a_credential_of_the_service(rootfs, tmp_path):
    (tmp_path / "file").write_bytes(TEXT)
    words = ["systemd-run", "-q", "--wait", "-P", "-p", f"LoadCredential=db:{tmp_path}/file"]
    words += ["sctr", "run", "--rootfs", rootfs, "--credential", "db,target=/run/x,mode=0400", "cat", "/run/x"]
    assert subprocess.run(list(map(str, words)), capture_output=True, timeout=harness.DEADLINE).stdout == TEXT


def test_a_credential_of_a_stored_container(rootfs, tmp_path):
    container = unique_name("c")
    (tmp_path / "100%").write_bytes(b"first")
    flags = ("--credential", f"db:{tmp_path}/100%", "--secret", "none")
    sctr("run", "-d", "--name", container, "--rootfs", f"{rootfs}:O", *flags, "true").failed(125, "none")
    sctr("run", "-d", "--name", container, "--rootfs", f"{rootfs}:O", "--stop-timeout", "1", *flags[:2], "sleep", "1000").ok()
    assert sctr("exec", container, "cat", "/run/secrets/db").ok() == "first"
    assert "LoadCredential" in host("systemctl", "cat", f"sctr@{container}.service")
    (tmp_path / "100%").write_bytes(b"second")
    sctr("restart", container).ok()
    assert sctr("exec", container, "cat", "/run/secrets/db").ok() == "second"
    sctr("rm", "-f", container).ok()
    assert not Path(f"/etc/systemd/system/sctr@{container}.service.d").exists()


def test_variables_of_secrets_are_there_for_exec_and_health_checks(rootfs, tmp_path):
    """As with podman; what they are is nowhere but in the store."""
    name, kept = unique_name("s"), unique_name("s")
    sctr("secret", "create", kept, "-", input="hunter2").ok()
    (tmp_path / "cred").write_text("hunter3")
    command = ["sh", "-c", 'test "$TOKEN" = hunter$N']
    flags = ["--secret", f"{kept},type=env,target=TOKEN", "--credential", f"c:{tmp_path}/cred,type=env,target=OTHER", "-e", "N=2"]
    health = ["--health-cmd", json.dumps(command), "--health-interval", "1s"]
    sctr("run", "-d", "--name", name, *flags, *health, "--network", "none", "--rootfs", rootfs, "sh", "-c", harness.WAIT).ok()
    try:
        sctr("wait", "--condition", "healthy", name).ok()
        sctr("healthcheck", name).ok()
        assert sctr("exec", name, "sh", "-c", "echo $TOKEN $OTHER").ok() == "hunter2 hunter3"
        assert sctr("exec", "-e", "TOKEN=mine", name, "sh", "-c", "echo $TOKEN").ok() == "mine"
        for text in (sctr("inspect", name).ok(), sctr("logs", name).stdout, sctr("events", "--since", "1m", "--until", "now", "--json").ok()):
            assert "hunter2" not in text and "hunter3" not in text
        for path in (Path("/run/sctr") / name).rglob("*"):
            assert not path.is_file() or b"hunter2" not in path.read_bytes(), path
        sctr("secret", "rm", kept).ok()
        gone = sctr("exec", name, "sh", "-c", "echo ${TOKEN-none} $OTHER")
        assert gone.ok() == "none hunter3" and "TOKEN" in gone.stderr and kept in gone.stderr
    finally:
        sctr("rm", "-f", name).ok()
        sctr("secret", "rm", kept)
