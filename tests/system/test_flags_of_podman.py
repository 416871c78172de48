# SPDX-License-Identifier: LGPL-2.1-or-later
"""More flags of run and create that scripts bring with them from podman: where output goes, how an image is fetched,
what it is of, what is handed in, and what goes with the container."""

import shutil

import pytest

from harness import WAIT, eventually, host, sctr, unique_name
from made_images import Image, Layer, base_layer
from networks import network
from registry import Registry
from services import status
from store import load, pulled  # noqa: F401 (fixtures)


@pytest.fixture
def name():
    name = unique_name("pod")
    yield name
    sctr("rm", "-f", name)


PODMAN = ["podman", "--runtime", "/usr/bin/sctr-oci", "run", "--rm", "--network", "none"]


# --log-driver ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", ["none", "passthrough", "caller"])
def test_output_of_the_foreground_is_the_callers(run, driver):
    result = run("--log-driver", driver, "sh", "-c", "echo out; echo err >&2")
    assert (result.stdout, result.stderr) == ("out\n", "err\n"), result


def test_output_goes_to_the_journal(run, name):
    assert run("--name", name, "--log-driver=journald", "echo", "a line").stdout == ""
    eventually(lambda: sctr("logs", name).stdout == "a line\n", what="its line")


def test_output_of_a_service_that_nobody_wants(name, rootfs):
    sctr("run", "-d", "--log-driver", "none", "--name", name, "--rootfs", rootfs, "sh", "-c", "echo lost; " + WAIT).ok()
    for number in (1, 2):
        assert sctr("exec", name, "readlink", f"/proc/1/fd/{number}").ok() == "/dev/null"
    sctr("stop", name).ok()
    told = host("journalctl", "-o", "cat", "-u", f"sctr@{name}.service", "-u", f"sctr-{name}.scope")
    assert "lost" not in told.splitlines()


@pytest.mark.parametrize("driver, words", [("k8s-file", ["sctr logs"]), ("json-file", ["sctr logs"]), ("syslog", ["'syslog'", "journal"])])
def test_no_such_driver(run, driver, words):
    run("--log-driver", driver, "true").failed(125, "--log-driver", *words)


# --read-only-tmpfs, --no-hostname --------------------------------------------------------------------------------


PLACES = "for each in /run /tmp /var/tmp /dev/shm; do echo x > $each/file && echo $each; done; touch /file"


def test_a_read_only_root_with_places_for_what_is_temporary(own_rootfs):
    for directory in ("run", "tmp", "var/tmp"):
        (own_rootfs / directory).mkdir(parents=True, exist_ok=True)
    (own_rootfs / "run/of-the-image").write_text("kept\n")
    run = ["run", "--rootfs", own_rootfs, "--read-only"]
    without = sctr(*run, "sh", "-c", PLACES)
    assert without.stdout == "/dev/shm\n", without
    found = sctr(*run, "--read-only-tmpfs", "sh", "-c", PLACES)
    assert found.stdout == "/run\n/tmp\n/var/tmp\n/dev/shm\n" and "Read-only" in found.stderr, found
    assert sctr(*run, "--read-only-tmpfs", "cat", "/run/of-the-image").ok() == "kept"
    assert not (own_rootfs / "run/file").exists()


@pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed")
def test_the_places_are_podmans(own_rootfs):
    for directory in ("run", "tmp", "var/tmp"):
        (own_rootfs / directory).mkdir(parents=True, exist_ok=True)
    shown = ["sh", "-c", r"grep -E ' /(run|tmp|var/tmp) ' /proc/self/mounts | while read _ place _ options _; do echo $place $options; done"]
    theirs = host(*PODMAN, "--read-only", "--rootfs", own_rootfs, *shown)
    ours = sctr("run", "--read-only", "--read-only-tmpfs", "--rootfs", own_rootfs, *shown).ok()

    def places(text):
        wanted = {"rw", "ro", "nosuid", "nodev", "noexec"}
        return {line.split()[0]: wanted & set(line.split()[1].split(",")) for line in text.splitlines()}

    assert places(ours) == places(theirs)


def test_the_images_own_hostname_file(own_rootfs):
    (own_rootfs / "etc/hostname").write_text("of-the-image\n")
    with network() as net:
        run = ["run", "--rootfs", own_rootfs, "--network", net, "--hostname", "given"]
        shown = ["sh", "-c", "cat /etc/hostname; hostname"]
        assert sctr(*run, *shown).ok() == "given\ngiven"
        assert sctr(*run, "--no-hostname", *shown).ok() == "of-the-image\ngiven"


# --quiet, --arch, --os, --variant, --retry -----------------------------------------------------------------------


@pytest.fixture
def registry():
    with Registry() as running:
        yield running
    sctr("system", "prune").ok()


def test_an_image_is_fetched_without_a_word(registry, pulled):
    for flags, is_quiet in (([], False), (["-q"], True), (["--quiet"], True)):
        full = registry.add("quiet/name", "1", Image(base_layer(), Layer().file("x", unique_name()), Cmd=["echo", "ran"]))
        pulled.append(full)
        found = sctr("run", "--tls-verify=false", *flags, full)
        assert found.stdout == "ran\n" and (found.stderr == "") == is_quiet, found
        sctr("rmi", full).ok()


def test_of_another_machine(registry):
    full = registry.add("of/another", "1", Image(base_layer(), Cmd=["true"]))
    fetch = ["run", "--tls-verify=false", "--pull", "always"]
    sctr(*fetch, "--platform", "linux/arm64", "--arch", "arm64", full).failed(125, "--platform", "--arch", "give one")
    sctr(*fetch, "--arch", "linux/arm64", full).failed(125, "--arch", "one word")
    sctr(*fetch, "--os=", full).failed(125, "--os")
    sctr("pull", "--variant", "/", full).failed(125, "--variant")
    assert registry.requests == []
    sctr("run", "--arch", "arm64", "--rootfs", "/", "true").failed(125, "--arch", "not fetched")


def test_another_try(registry, pulled):
    full = registry.add("often/name", "1", Image(base_layer(), Layer().file("x", "y"), Cmd=["cat", "/x"]))
    fetch = ["run", "-q", "--tls-verify=false"]
    registry.busy = 1
    sctr(*fetch, full).failed(125, "EOF")
    pulled.append(full)
    registry.busy = 2
    assert sctr(*fetch, "--retry", "3", "--retry-delay", "10ms", full).ok() == "y"
    registry.busy = 2
    sctr("pull", "-q", "--tls-verify=false", "--retry=3", "--retry-delay=10ms", full).ok()


@pytest.mark.parametrize("flags", [["--retry", "often"], ["--retry", "-1"], ["--retry-delay", "soon"]], ids=" ".join)
def test_no_number_of_tries(flags):
    sctr("run", *flags, "127.0.0.1:1/x").failed(125, *flags)
    sctr("pull", *flags, "127.0.0.1:1/x").failed(125, *flags)


# --preserve-fds, --sig-proxy --------------------------------------------------------------------------------------


OPEN = "exec 3<$0/3 4<$0/4 5<$0/5 7<$0/7; exec \"$@\""


@pytest.fixture
def opened(tmp_path):
    """opened(WORD...): what sctr prints below a shell that has files open at 3, 4, 5 and 7."""
    for number in (3, 4, 5, 7):
        (tmp_path / str(number)).write_text(f"of {number}\n")
    return lambda *words, check=True: host("sh", "-c", OPEN, tmp_path, "sctr", *words, check=check)


READS = "for each in 3 4 5 6 7; do [ -e /proc/$$/fd/$each ] && eval \"cat <&$each\"; done; true"


@pytest.mark.parametrize(
    "flags, numbers",
    [
        ([], []),
        (["--preserve-fds", "0"], []),
        (["--preserve-fds", "1"], [3]),
        (["--preserve-fds=3"], [3, 4, 5]),
        (["--preserve-fd", "4"], [4]),
        (["--preserve-fd", "4,7"], [4, 7]),
        (["--preserve-fd", "7", "--preserve-fd", "3"], [3, 7]),
        (["--preserve-fds", "2", "--preserve-fd=4,7"], [3, 4, 7]),
        (["--init", "--preserve-fd", "5"], [5]),
    ],
    ids=str,
)
def test_files_that_are_handed_in(opened, rootfs, flags, numbers):
    assert opened("run", *flags, "--rootfs", rootfs, "sh", "-c", READS) == "".join(f"of {each}\n" for each in numbers)


@pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed")
def test_files_are_handed_in_as_by_podman(tmp_path, opened, own_rootfs):
    words = ["--preserve-fds", "3", "--rootfs", own_rootfs, "sh", "-c", READS]
    theirs = host("sh", "-c", OPEN, tmp_path, *PODMAN, *words)
    assert opened("run", *words) == theirs


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--preserve-fds", "5"], ["cannot preserve", "6", "--preserve-fds"]),
        (["--preserve-fd", "6"], ["cannot preserve", "6", "--preserve-fd"]),
        (["--preserve-fds", "all"], ["--preserve-fds", "'all'"]),
        (["--preserve-fds", "-1"], ["--preserve-fds", "from 0 to"]),
        (["--preserve-fd", "2"], ["--preserve-fd", "from 3 to"]),
        (["--preserve-fd="], ["--preserve-fd", "''"]),
        (["-d", "--preserve-fd", "3"], ["--preserve-fd", "background"]),
    ],
    ids=str,
)
def test_files_that_cannot_be_handed_in(tmp_path, opened, rootfs, flags, words):
    said = host("sh", "-c", f"({OPEN}) 2>&1; [ $? = 125 ]", tmp_path, "sctr", "run", *flags, "--rootfs", rootfs, "true")
    assert all(word in said for word in words), said


def test_signals_that_are_not_passed_on(run, name, rootfs):
    assert run("--sig-proxy=true", "echo", "x").ok() == "x"
    assert run("--sig-proxy", "echo", "x").ok() == "x"
    run("--sig-proxy=false", "true").failed(125, "--sig-proxy=false", "add -d", "sctr attach")
    assert sctr("run", "-d", "--sig-proxy=false", "--name", name, "--rootfs", rootfs, "true").ok() == name


# --rmi ------------------------------------------------------------------------------------------------------------


def is_there(image):
    return image in [line.split()[0] for line in sctr("images").lines]


def test_the_image_goes_with_the_container(load):
    image = load(Image(base_layer(), Layer().file("own", unique_name()), Cmd=["sh", "-c", "exit 4"]))
    found = sctr("run", "--rmi", image)
    assert found.status == 4 and found.stderr == "" and not is_there(image), found


def test_the_image_goes_with_the_service(load, name):
    image = load(Image(base_layer(), Layer().file("own", unique_name()), Cmd=["sh", "-c", WAIT]))
    sctr("run", "-d", "--rmi", "--name", name, image).ok()
    assert is_there(image) and status(name) == ("running", None)
    sctr("stop", name).ok()
    eventually(lambda: not is_there(image) and status(name) is None)


def test_an_image_that_another_container_uses_stays(load, name):
    image = load(Image(base_layer(), Layer().file("own", unique_name()), Cmd=["true"]))
    sctr("create", "--name", name, image).ok()
    found = sctr("run", "--rmi", image)
    assert found.status == 0 and found.stderr == "" and is_there(image), found
    sctr("rm", name).ok()
    sctr("run", "--rmi", image).ok()
    assert not is_there(image)


def test_one_name_of_the_image_goes(load):
    image = load(Image(base_layer(), Layer().file("own", unique_name()), Cmd=["true"]))
    sctr("tag", image, image + "b").ok()
    sctr("run", "--rmi", image + "b").ok()
    assert is_there(image) and not is_there(image + "b")


def test_rmi_of_nothing(run, rootfs, load):
    run("--rmi", "true").failed(125, "--rmi needs an image")
    image = load(Image(base_layer(), Cmd=["true"]))
    sctr("run", "--rmi", "--rm=false", image).failed(125, "--rmi", "--rm=false")
    sctr("run", "-d", "--rmi", "--restart", "always", image).failed(125, "--rmi does not go with --restart")
    sctr("run", "--rmi", "--service", "x.service", "--name", "x", image).failed(125, "--rmi", "--service")
    assert is_there(image)


# images ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["UPPER /", "a b", "-x:y:z", "a@sha256:12", "/", ""])
def test_images_of_what_can_be_no_name(word):
    sctr("images", "--", word).failed(125, word)


def test_images_of_a_name_that_is_not_there():
    assert sctr("images", "-q", f"localhost/{unique_name()}").ok() == ""
