# SPDX-License-Identifier: LGPL-2.1-or-later
"""--mount type=image: the files of an image in a container of another."""

import json
import subprocess

import pytest

from harness import sctr, unique_name
from made_images import Image, Layer, base_layer
from store import STORE, load, nothing_stays_in_the_store  # noqa: F401 (fixtures)

MAPS = ("--uidmap", "0:200000:65536")


@pytest.fixture
def image(load):
    return load(Image(base_layer()))


@pytest.fixture(params=["one layer", "three layers"])
def data(load, request):
    low = Layer().file("a", "A", uid=7).file("gone", "g").dir("d", 0o750, uid=8)
    if request.param == "one layer":
        return load(Image(low))
    return load(Image(low, Layer().add(".wh.gone"), Layer().file("d/b", "B", uid=9)))


def mount(name, more=""):
    return ("--mount", f"type=image,source={name},destination=/data{more}")


@pytest.mark.parametrize("flags", [(), MAPS, ("--userns", "auto")], ids=["plain", "uidmap", "auto"])
def test_its_files_are_there_to_read(image, data, flags):
    found = sctr("run", *flags, *mount(data), image, "sh", "-c", "cat /data/a; stat -c ' %u %a' /data/a /data/d; touch /data/new")
    assert found.stdout.startswith("A 7 644\n 8 750") and found.status == 1
    assert "Read-only" in found.stderr


@pytest.mark.parametrize("flags", [(), MAPS], ids=["plain", "uidmap"])
def test_what_is_written_is_forgotten(image, data, flags):
    name = unique_name("c")
    script = "echo new > /data/a; rm /data/d/b; touch /data/new; stat -c %u /data/new; ls /data; sleep 1000 & trap 'exit 0' TERM; wait"
    sctr("run", "-d", "--name", name, *flags, *mount(data, ",rw"), image, "sh", "-c", script).ok()
    assert sctr("exec", name, "sh", "-c", "until test -e /data/new; do :; done; cat /data/a; stat -c %u /data/new").lines == ["new", "0"]
    assert "data" not in json.dumps([line for line in sctr("diff", name).lines if "/data/" in line])
    sctr("restart", name).ok()
    assert sctr("exec", name, "sh", "-c", "until test -e /data/new; do :; done; ls /data/d").status == 0
    sctr("rm", "-f", name).ok()
    assert sctr("run", *mount(data), image, "cat", "/data/a").ok() == "A"


def test_on_a_directory(run, data):
    assert run(*mount(data), "cat", "/data/a").ok() == "A"
    run(*mount(data, ",rw"), "true").failed(125, "--mount /data", "DIR:O")


def test_its_image_is_in_use(image, data):
    name = unique_name("c")
    sctr("run", "-d", "--name", name, *mount(data), image, "sleep", "1000").ok()
    sctr("rmi", data).failed(125, "a container runs on it")
    sctr("rm", "-f", name).ok()


@pytest.mark.parametrize("more, words", [(",subpath=x", ["subpath"]), (",chown=true", ["chown"]), (",size=1m", ["size"])])
def test_mistakes(image, more, words):
    sctr("run", *mount(image, more), image, "true").failed(125, *words)


def test_no_such_image(image):
    sctr("run", *mount("localhost/nonesuch:1"), image, "true").failed(125, "localhost/nonesuch:1", "sctr pull")
    sctr("run", "--mount", "type=image,dst=/x", image, "true").failed(125, "src=IMAGE")


def test_a_link_at_the_place_leads_into_the_container(load, data):
    image = load(Image(base_layer().symlink("data", "/../../../../mnt").dir("mnt")))
    assert sctr("run", *mount(data), image, "cat", "/mnt/a").ok() == "A"
    assert subprocess.run(["findmnt", "/mnt"], capture_output=True).returncode == 1
    assert STORE.is_dir()
