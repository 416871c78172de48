# SPDX-License-Identifier: LGPL-2.1-or-later
"""After a reboot or a power cut: each container is there as a whole or not at all, and is what it was."""

import json
from pathlib import Path

import pytest

from harness import eventually, host, sctr

STORE = Path("/var/lib/sctr")
STORED = STORE / "containers"
BASE = "localhost/powercut/base:1"
UNITS = Path("/etc/systemd/system")
# Containers made as README says, and their ports.
README = {"web": 8080, "site": 8081}


def service_of(name):
    return f"sctr@{name}.service"


def rows():
    return {row["id"]: row for row in json.loads(sctr("ps", "-a", "--json").ok())}


def show(unit, name):
    return host("systemctl", "show", unit, "-P", name).strip()


def cgroup_of(name):
    return Path("/sys/fs/cgroup" + show(f"sctr-{name}.scope", "ControlGroup"))


def drop_in(name):
    return UNITS / f"{service_of(name)}.d" / "50-sctr.conf"


def boot_link(name):
    return UNITS / "multi-user.target.wants" / service_of(name)


def test_ps_knows_them_all():
    assert {"on", "off", "never", "three", "stopped"} <= set(rows())
    assert " on " in " " + sctr("ps", "-a").ok().replace("\n", " ")


def test_what_is_enabled_runs_again_within_its_limits():
    eventually(lambda: rows()["on"]["status"] == "running")
    assert show("sctr-on.scope", "MemoryMax") == str(64 << 20)
    assert show("sctr-on.scope", "TasksMax") == "33"
    cgroup = cgroup_of("on")
    assert (cgroup / "memory.max").read_text().strip() == str(64 << 20)
    assert (cgroup / "pids.max").read_text().strip() == "33"
    assert sctr("exec", "on", "echo", "here").ok() == "here"
    assert show(service_of("on"), "Restart") == "always"


@pytest.mark.parametrize("name, port", README.items())
def test_the_readmes_web_server_survives(name, port):
    page = ["busybox", "wget", "-q", "-O", "-", f"http://127.0.0.1:{port}/"]
    eventually(lambda: host(*page, check=False) == "hello\n", what=f"the page of {name}")
    assert rows()[name]["status"] == "running"


def test_the_readmes_file_has_its_limit_and_is_healthy():
    assert (cgroup_of("site") / "memory.max").read_text().strip() == str(256 << 20)
    sctr("wait", "--condition", "healthy", "site").ok()


@pytest.mark.parametrize(
    "name, status, exit_status",
    [
        ("off", "stopped", None),  # it ran, and nobody saw its end
        ("never", "created", None),
        ("three", "stopped", 3),
        ("stopped", "stopped", 0),
    ],
)
def test_what_is_not_enabled_is_as_it_was(facts, name, status, exit_status):
    row = rows()[name]
    if name == "off" and row.get("exitStatus") is not None:
        # Where the host went down in order, the container was stopped in order.
        status, exit_status = "stopped", 0
    assert (row["status"], row.get("exitStatus")) == (status, exit_status)
    assert show(service_of(name), "ActiveState") == "inactive"


def test_what_was_made_is_whole(facts):
    known = rows()
    for name in facts.names("create"):
        if facts.is_begun("rm", name):
            continue
        if facts.is_done("create", name):
            assert name in known
        if name in known:
            definition = json.loads((STORED / name / "definition.json").read_text())
            assert definition["name"] == name and definition["command"]
            wants_drop_in = "always" in " ".join(definition["flags"])
            assert drop_in(name).exists() == wants_drop_in
            assert ("Restart=always" in drop_in(name).read_text()) if wants_drop_in else True
        else:
            assert not drop_in(name).parent.exists()


def test_what_was_removed_is_gone(facts):
    known = rows()
    for name in facts.names("rm"):
        if facts.is_done("rm", name):
            assert name not in known
        if name in known:
            assert drop_in(name).exists() and boot_link(name).is_symlink()
        else:
            assert not drop_in(name).parent.exists() and not boot_link(name).is_symlink()


def test_what_was_enabled_is(facts):
    known = rows()
    for name in facts.names("enable"):
        if facts.is_done("enable", name) and name in known:
            assert boot_link(name).is_symlink()
            eventually(lambda name=name: rows()[name]["status"] == "running")


def test_what_was_running_is_not_said_to_run(facts):
    known = rows()
    for name in facts.names("start"):
        if name in known and not boot_link(name).is_symlink():
            row = known[name]
            assert row["status"] in ("stopped", "created"), row
            if facts.last(name) == ("done", "stop"):
                assert row.get("exitStatus") == 0


def test_each_can_be_started_and_removed(facts):
    for name in sorted(rows()):
        if name in ("on", "off", "never", "three", "stopped", *README):
            continue
        sctr("start", name).ok()
        assert rows()[name]["status"] == "running"
        sctr("rm", "-f", name).ok()
        assert not drop_in(name).parent.exists() and not boot_link(name).is_symlink()


def names_of_images():
    return {name for image in json.loads(sctr("images", "--json").ok()) for name in image["names"]}


def test_the_store_is_sound():
    assert sctr("system", "check").ok() == ""


def test_images_that_were_made_are_there(facts):
    known = names_of_images()
    for name in facts.names("load"):
        if facts.is_done("load", name) and not facts.is_begun("rmi", name):
            assert name in known, name
        if facts.is_done("rmi", name):
            assert name not in known, name


def test_images_work(facts, tmp_path):
    """Containers start, and each of their layers can be had again."""
    for name in names_of_images():
        number = sctr("run", name, "cat", "/data/number").ok()
        if "-loaded-" in name:
            assert f"-loaded-{number}:" in name
        sctr("save", "--format", "docker-archive", "-o", tmp_path / "saved.tar", name).ok()


def test_volumes_that_were_made_are_there(facts):
    known = set(sctr("volume", "ls", "-q").ok().split())
    for name in facts.names("volume"):
        if facts.is_done("volume", name) and not facts.is_begun("volume-rm", name):
            assert name in known, name
        if facts.is_done("volume-rm", name):
            assert name not in known, name
        elif facts.is_done("write", name) and not facts.is_begun("volume-rm", name):
            assert (STORE / "volumes" / name / "data/file").read_text() == "whole\n"


def test_what_was_left_goes(facts):
    """A sweep leaves what images and volumes need, and nothing else."""
    sctr("system", "prune").ok()
    assert sctr("system", "check").ok() == ""
    assert list((STORE / "tmp").iterdir()) == []
    for name in names_of_images():
        if name != BASE:
            sctr("rmi", name).ok()
    for name in sctr("volume", "ls", "-q").ok().split():
        sctr("volume", "rm", name).ok()
    assert len(list((STORE / "layers").iterdir())) == 2


def test_nothing_else_is_left():
    known = rows()
    stored = set(known) - {"site"}
    assert {path.name for path in STORED.iterdir()} == stored
    for name in stored:
        # What a write was at is there until the next one.
        extra = {path.name for path in (STORED / name).iterdir()}
        assert extra <= {"definition.json", "last.json", "last.json.new"}
    for path in UNITS.rglob("sctr@*"):
        assert path.name.removeprefix("sctr@").split(".service")[0] in known, path
    assert {path.name for path in Path("/run/sctr").glob("[!.]*")} == {
        name for name, row in known.items() if row["status"] == "running"
    }


def test_off_is_started_for_the_next_round():
    sctr("start", "off").ok()
    assert rows()["off"]["status"] == "running"
