# SPDX-License-Identifier: LGPL-2.1-or-later
"""rm, rmi and volume rm as scripts for docker and podman call them: --force, --all, --ignore."""

import subprocess

import pytest

from harness import DEADLINE, WAIT, eventually, host, sctr, unique_name
from made_images import Image, base_layer
from store import STORE, load, nothing_stays_in_the_store  # noqa: F401 (fixtures)

NOT_THERE = {"rm": ["rm"], "rmi": ["rmi"], "volume": ["volume", "rm"]}


def status_of(container):
    rows = [line.split() for line in sctr("ps", "-a").lines]
    return next((row for row in rows if row[0] == container), None)


@pytest.fixture
def container():
    """A name; whatever has it is gone after the test."""
    name = unique_name("c")
    yield name
    sctr("rm", "-f", name)


@pytest.mark.parametrize("verb", NOT_THERE)
def test_what_is_not_there(verb):
    """Clean-up at the begin of a script: silent, and no error."""
    name = unique_name("none")
    sctr(*NOT_THERE[verb], name).failed(125, name)
    found = sctr(*NOT_THERE[verb], "--force", name)
    assert (found.status, found.stdout, found.stderr) == (0, "", "")
    sctr(*NOT_THERE[verb], "--force").failed(125, "named")


@pytest.mark.parametrize("verb", ["rm", "rmi"])
def test_ignore(verb):
    found = sctr(verb, "--ignore", unique_name("none"))
    assert (found.status, found.stdout, found.stderr) == (0, "", "")
    sctr(verb, "-i").failed(125, "named")


@pytest.mark.parametrize("flag", ["--force", "--ignore"])
def test_a_name_that_is_none(flag):
    sctr("rm", flag, "../../etc").failed(125, "invalid container name")
    sctr("rmi", flag, "UPPER CASE").failed(125, "UPPER CASE")
    sctr("rm", "--all", flag, "x").failed(125, "some are named, too")
    sctr("rmi", "--all", flag, "x").failed(125, "some are named, too")


def test_those_that_are_there_go(load, container):
    """Beside one that is not."""
    sctr("create", "--name", container, load(Image(base_layer())), "true").ok()
    assert sctr("rm", "-f", unique_name("none"), container).ok() == container
    assert status_of(container) is None


def test_rmi_says_who_is_made_from_it(load, container):
    name = load(Image(base_layer(), Cmd=["true"]))
    for each in (container, container + "b"):
        sctr("create", "--name", each, name).ok()
    sctr("rmi", name).failed(125, container, container + "b", "sctr rm ", "--force")
    sctr("rm", container + "b").ok()
    assert status_of(container)


def test_rmi_force_takes_stopped_containers_with_it(load, container):
    name = load(Image(base_layer(), Cmd=["sh", "-c", "echo x > /new"]))
    sctr("run", "-d", "--name", container, name).ok()
    sctr("wait", container).ok()
    eventually(lambda: sctr("ps").ok().find(container) < 0, what="its end")
    found = sctr("rmi", "-f", name)
    assert found.status == 0 and found.stdout == name + "\n", found
    assert f"removed the container '{container}'" in found.stderr
    assert status_of(container) is None and not (STORE / "roots" / container).exists()


def test_rmi_force_leaves_who_runs(load, container):
    """And with him those that do not run: it is all or nothing."""
    name = load(Image(base_layer(), Cmd=["sleep", "99"]))
    sctr("create", "--name", container + "b", name).ok()
    sctr("run", "-d", "--name", container, name).ok()
    sctr("rmi", "-f", name).failed(125, f"a container runs on it: {container}", f"sctr rm -f {container}")
    assert status_of(container + "b") and name in sctr("images").ok()
    sctr("rm", "-f", container, container + "b").ok()
    assert sctr("rmi", "-f", name).ok() == name


def test_rmi_force_of_one_name_of_several(load, container):
    name = load(Image(base_layer(), Cmd=["true"]))
    other = name + "b"
    sctr("tag", name, other).ok()
    sctr("create", "--name", container, name).ok()
    sctr("rmi", "-f", other).ok()
    assert status_of(container), "the image has its other name still"
    assert [line.split()[0] for line in sctr("images").lines if line.startswith(name)] == [name]


def test_rmi_force_by_id(load):
    """With all its names, which is an error otherwise."""
    name = load(Image(base_layer(), Cmd=["echo", unique_name("its own id")]))
    sctr("tag", name, name + "b").ok()
    (found,) = [line.split()[1] for line in sctr("images").lines if line.startswith(name + " ")]
    sctr("rmi", found).failed(125, "several names", name + "b", "--force")
    assert sctr("rmi", "-f", found).ok() == found
    assert name not in sctr("images").ok()


def test_volume_rm_force_leaves_what_is_used(load, container):
    """A volume is what must not be lost."""
    volume = unique_name("v")
    sctr("create", "--name", container, "-v", f"{volume}:/v", load(Image(base_layer())), "true").ok()
    sctr("volume", "create", "--ignore", volume).ok()
    sctr("volume", "rm", "-f", volume).failed(125, f"stored container '{container}'")
    sctr("rm", container).ok()
    assert sctr("volume", "rm", "-f", unique_name("none"), volume).ok() == volume


def in_a_store_of_its_own(script, *arguments):
    """What takes everything is not tried on what others have."""
    start = "for each in /var/lib/sctr /run/sctr; do mount -t tmpfs -o mode=700 none $each; done; " + script
    return host("unshare", "--mount", "sh", "-ec", start, "sh", *arguments)


def test_all(tmp_path):
    name = f"localhost/{unique_name('i')}:1"
    archive = Image(base_layer(), Cmd=["true"]).write_archive(tmp_path / "a.tar", name)
    out = in_a_store_of_its_own(
        """
        sctr rm -a; sctr rmi -a   # nothing is there
        sctr load -q -i "$1"; sctr tag "$2" "$2"b; sctr create --name "$3" "$2"; sctr create --name "$3"b "$2"
        echo --; ! sctr rmi -a 2>&1 | sed 's/.*made from it/made from it/'
        echo --; sctr rm -a
        echo --; sctr create --name "$3" "$2"; sctr rmi -a -f 2>/dev/null | wc -l; sctr ps -aq; sctr images -q
        """,
        archive, name, unique_name("c"),
    )  # fmt: skip
    parts = out.split("--\n")
    assert parts[1].startswith("made from it is the stored container"), out
    assert len(parts[2].splitlines()) == 2, out
    assert parts[3].splitlines()[1:] == ["2"], out  # both names of the one image


@pytest.mark.parametrize("verb", NOT_THERE)
def test_a_bad_name_keeps_nobody_from_his_turn(load, container, verb):
    """As without --force."""
    image = load(Image(base_layer(), Cmd=["echo", unique_name("one of its own")]))
    names = {"rm": container, "rmi": image, "volume": unique_name("v")}
    if verb == "rm":
        sctr("create", "--name", container, image).ok()
    elif verb == "volume":
        sctr("volume", "create", names[verb]).ok()
    found = sctr(*NOT_THERE[verb], "-f", "no/ NAME", names[verb], names[verb])
    found.failed(125, "no/ NAME")
    assert found.stdout == names[verb] + "\n", "once: the second time it is gone"


def at_once(*commands):
    running = [
        subprocess.Popen(["sctr", *each], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for each in commands
    ]
    return [(*each.communicate(timeout=DEADLINE), each.returncode) for each in running]


def test_two_who_remove_one(rootfs, container):
    """Each finds it, and one of them comes too late: it is gone, as he has asked for."""
    for _ in range(4):
        sctr("run", "-d", "--name", container, "--rootfs", rootfs, "sh", "-c", WAIT).ok()
        ends = at_once(["rm", "-f", container], ["rm", "-f", container])
        assert sorted(ends) in ([("", "", 0), (container + "\n", "", 0)], [(container + "\n", "", 0)] * 2), ends


def test_two_who_replace_one(rootfs, container):
    """One of them may be told that the other has the name, never that what he replaces is gone."""
    command = ["run", "-d", "--replace", "--name", container, "--rootfs", rootfs, "sh", "-c", WAIT]
    sctr(*command).ok()
    for _ in range(3):
        for out, errors, status in at_once(command, command):
            assert (out, status) == (container + "\n", 0) or (status == 125 and "in use" in errors), errors
