# SPDX-License-Identifier: LGPL-2.1-or-later
"""Flags of run and create that people bring with them from docker and podman."""

import json
import os
from pathlib import Path

import pytest

from harness import WAIT, host, sctr, unique_name
from services import status


@pytest.fixture
def name():
    name = unique_name("like")
    yield name
    sctr("rm", "-f", name)


def test_umask_groups_and_variables(run):
    assert run("--umask", "0027", "sh", "-c", "umask").ok() == "0027"
    assert run("--group-add", "4242", "--group-add", "0", "id", "-G").ok() == "0 4242"
    assert run("--unsetenv", "container", "sh", "-c", "echo ${container-none}").ok() == "none"
    assert run("-e", "A=1", "--unsetenv", "A", "sh", "-c", "echo ${A-none}").ok() == "1"
    run("--unsetenv", "A=B", "true").failed(125, "--unsetenv", "A=B", "NAME")
    run("--umask", "rwx", "true").failed(125, "--umask", "octal")
    run("--group-add", "no-such", "true").failed(125, "--group-add", "no-such")


def test_a_time_zone(run):
    """Its own file, and no variable: what the image says of TZ counts still."""
    date = ["sh", "-c", "date -d @0 +%H:%M; echo ${TZ-none}; echo > /etc/localtime"]
    result = run("--tz", "Asia/Tokyo", *date)
    assert result.stdout == "09:00\nnone\n" and "Read-only" in result.stderr, result
    assert run("--tz", "local", *date).stdout == "00:00\nnone\n"
    assert run("-e", "TZ=UTC-1", "--tz", "Asia/Tokyo", *date).stdout == "01:00\nUTC-1\n"


def test_a_time_zone_covers_the_link_and_not_the_zone(own_rootfs):
    shown = "date -d @0 +%H; head -c 4 /usr/share/zoneinfo/Etc/UTC; cmp /etc/localtime /usr/share/zoneinfo/Etc/UTC || echo other"
    zones = own_rootfs / "usr/share/zoneinfo/Etc"
    zones.mkdir(parents=True)
    (zones / "UTC").write_bytes(Path("/usr/share/zoneinfo/Etc/UTC").read_bytes())
    for target in ("/usr/share/zoneinfo/Etc/UTC", "/no/such/zone"):
        (own_rootfs / "etc/localtime").unlink(missing_ok=True)
        (own_rootfs / "etc/localtime").symlink_to(target)
        result = sctr("run", "--rootfs", own_rootfs, "--tz", "Asia/Tokyo", "sh", "-c", shown)
        assert result.stdout.startswith("09\nTZif") and result.stdout.endswith("other\n"), result
        assert os.readlink(own_rootfs / "etc/localtime") == target and not (own_rootfs / "no").exists()


@pytest.mark.parametrize("zone", ["Nowhere", "", "/etc/passwd", "../../../etc/passwd", "Asia", "tzdata.zi", "./UTC"])
def test_no_time_zone(run, zone):
    run("--tz", zone, "true").failed(125, "--tz", f"'{zone}'", "/usr/share/zoneinfo, or local")


def test_a_time_zone_and_a_mount_at_its_place(run):
    run("--tz", "local", "-v", "/etc/passwd:/etc/localtime", "true").failed(125, "/etc/localtime", "--tz")


def test_the_callers_variables(run):
    show = ["sh", "-c", "echo ${http_proxy-none} ${NO_PROXY-none} ${OWN-none} ${NOTIFY_SOCKET-none}"]
    env = os.environ | {"http_proxy": "http://p:1", "NO_PROXY": "lan", "OWN": "mine", "NOTIFY_SOCKET": "/run/n"}
    assert run(*show, env=env).ok() == "none none none none"
    assert run("--http-proxy", *show, env=env).ok() == "http://p:1 lan none none"
    assert run("--env-host", *show, env=env).ok() == "http://p:1 lan mine none"
    assert run("--env-host", "-e", "OWN=other", *show, env=env).ok() == "http://p:1 lan other none"
    assert run("--unsetenv-all", "-e", "A=1", "/bin/env").ok() == "A=1"


def test_a_stored_one_has_what_files_and_the_caller_said(name, rootfs, tmp_path):
    """At its later starts both may be gone."""
    file = tmp_path / "labels"
    file.write_text("# of all\na=1\nb=2\n\nempty\n")
    env = os.environ | {"https_proxy": "p"}
    words = ["--label-file", str(file), "-l", "b=3", "--http-proxy", "--tz", "Asia/Tokyo"]
    sctr("create", "--name", name, "--rootfs", rootfs, *words, "sh", "-c", WAIT, env=env).ok()
    file.unlink()
    wanted = {"a": "1", "b": "3", "empty": ""}
    assert labels(name) == wanted
    sctr("start", name).ok()
    assert labels(name) == wanted
    assert sctr("exec", name, "sh", "-c", "echo $https_proxy; date -d @0 +%H").ok() == "p\n09"


def test_bad_files_of_labels(run, tmp_path):
    file = tmp_path / "labels"
    file.write_text("a=1\n\nb c=2\n")
    run("--label-file", str(file), "true").failed(125, f"--label-file {file}:3", "'b c=2'", "no blanks")
    run("--label-file", str(tmp_path / "none"), "true").failed(125, "--label-file", "none", "No such file")
    run("--label-file", str(tmp_path), "true").failed(125, str(tmp_path), "Is a directory")


def test_device_rules_are_the_scopes(start, run):
    with start("--device-cgroup-rule", "c 10:229 rw", "--device-cgroup-rule", "b 8:* r") as container:
        allowed = host("systemctl", "show", container.unit, "-p", "DeviceAllow")
        assert "/dev/char/10:229 rw" in allowed and "block-8 r\n" in allowed, allowed
    run("--device-cgroup-rule", "c 1:3", "true").failed(125, "--device-cgroup-rule", "'c 1:3 rwm'")


def test_a_timeout(run):
    assert run("--timeout", "1", "sleep", "1000").status == 137


def labels(name):
    return json.loads(sctr("inspect", name).ok())[0]["labels"]


def test_labels_of_one_that_is_stored_and_of_one_that_runs(name, rootfs):
    flags = ["--name", name, "--rootfs", rootfs, "-l", "app=web", "--label", "canary", "--label", "note=a=b"]
    sctr("create", *flags, "sh", "-c", WAIT).ok()
    wanted = {"app": "web", "canary": "", "note": "a=b"}
    assert labels(name) == wanted
    sctr("start", name).ok()
    assert labels(name) == wanted


def listed(*words):
    return sctr("ps", "-q", *words).ok().split()


def test_ps_filters(name, rootfs):
    other = unique_name("other")
    sctr("run", "-d", "--name", name, "--rootfs", rootfs, "-l", f"app={name}", "sh", "-c", WAIT).ok()
    sctr("create", "--name", other, "--rootfs", rootfs, "-l", f"app={name}", "-l", "new", "true").ok()
    try:
        label = ["--filter", f"label=app={name}"]
        assert listed(*label) == [name] and listed("-a", *label) == [name, other]
        assert listed("-a", *label, "--filter", "label=new") == [other]
        assert listed("-a", "-f", f"name={name}", "-f", "status=running") == [name]
        assert listed("--filter", "status=running", *label) == [name]
        assert listed("--filter", "status=created", *label) == [other]
        assert listed("-f", f"name=^{name}$") == listed("-f", f"name=^/{name}$") == [name]
        assert listed("-f", f"name=^{name[:-1]}$") == []
        sctr("ps", "-f", "name=we.*b").failed(125, "-f", "we.*b")
        sctr("ps", "-f", "exited=x").failed(125, "-f exited", "'x'")
        assert listed("-l") == listed("-n", "1") == [other]
        sctr("ps", "--filter", "colour=red").failed(125, "--filter", "colour=red", "label")
        sctr("ps", "--filter", "status=gone").failed(125, "status=gone", "exited")
        sctr("ps", "-l", "-n", "2").failed(125, "-l says what -n 1 says")
        sctr("ps", "-n", "0").failed(125, "-n")
    finally:
        sctr("rm", "-f", other).ok()


def test_annotations_reach_the_config(run, name, rootfs):
    sctr("run", "--rm=false", "--name", name, "--rootfs", rootfs, "--annotation", "org.x=y", "true").ok()
    assert json.loads(sctr("inspect", name).ok())[0]["config"]["annotations"]["org.x"] == "y"
    run("--annotation", "io.sctr.image=x", "true").failed(125, "--annotation", "sctr keeps its own notes")
    run("--annotation", "org.systemd.property.TasksMax=uint64 5", "true").failed(125, "--annotation", "--property")


@pytest.mark.parametrize("first", [["run", "-d"], ["create"], ["run", "--rm=false"]], ids=" ".join)
def test_replace(name, rootfs, first):
    of_name = ["--name", name, "--rootfs", rootfs]
    sctr(*first, *of_name, "--", "true").ok()
    sctr("run", *of_name, "echo", "second").failed(125, name, "in use")
    assert sctr("run", "--replace", *of_name, "echo", "second").ok() == "second"
    assert status(name) is None


def test_replace_of_one_that_runs(name, rootfs):
    of_name = ["--name", name, "--rootfs", rootfs]
    assert sctr("run", "-d", *of_name, "sh", "-c", WAIT).ok() == name
    assert sctr("run", "-d", "--replace", *of_name, "-e", "WHICH=second", "sh", "-c", WAIT).ok() == name
    assert sctr("exec", name, "sh", "-c", "echo $WHICH").ok() == "second"


def test_replace_with_an_error_leaves_the_other_alone(name, rootfs):
    of_name = ["--name", name, "--rootfs", rootfs]
    sctr("run", "-d", *of_name, "sh", "-c", WAIT).ok()
    sctr("run", "--replace", *of_name, "--umask", "x", "true").failed(125, "--umask")
    assert status(name) == ("running", None)
    sctr("run", "--replace", "--rootfs", rootfs, "true").failed(125, "--replace needs --name")


def test_replace_of_none(name, rootfs):
    assert sctr("run", "--replace", "--name", name, "--rootfs", rootfs, "echo", "first").ok() == "first"
