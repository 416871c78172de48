# SPDX-License-Identifier: LGPL-2.1-or-later
"""Escapes by way of images, volumes and what sctr does for the host while a hostile container runs."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from harness import eventually, host, sctr, started, swapping, unique_name
from made_images import Image, Layer, base_layer, descriptor, sha
from store import STORE, load, nothing_stays_in_the_store  # noqa: F401 (fixtures)

RACES = int(os.environ.get("SCTR_TEST_RACES", "40"))
SECRET = "of the host"
@pytest.fixture
def bait(tmp_path):
    """A directory of the host that nothing may read or change."""
    path = tmp_path / "bait"
    path.mkdir()
    (path / "file").write_text(SECRET)
    yield path
    assert sorted(os.listdir(path)) == ["file"]
    assert (path / "file").read_text() == SECRET


@pytest.fixture
def volume():
    name = unique_name("v")
    sctr("volume", "create", name).ok()
    yield name
    sctr("volume", "rm", name).ok()


# CVE-2018-15664, podman CVE-2019-10152: cp checks a path that the container changes before it is used.
def test_cp_while_the_container_swaps_a_directory_for_a_link(own_rootfs, bait, tmp_path):
    source = tmp_path / "new"
    source.write_text("copied")
    (own_rootfs / "race").mkdir()
    (own_rootfs / "race/file").write_text("inside")
    (own_rootfs / "other").symlink_to(bait)
    with started(own_rootfs) as container, swapping(own_rootfs / "race", own_rootfs / "other"):
        for _ in range(RACES):
            sctr("cp", source, f"{container.name}:/race/new")
            out = sctr("cp", f"{container.name}:/race/file", "-")
            assert SECRET.encode() not in out.out
            assert sorted(os.listdir(bait)) == ["file"]


def test_cp_while_the_file_is_swapped_for_a_link(own_rootfs, bait):
    (own_rootfs / "one").write_text("inside")
    (own_rootfs / "two").symlink_to(f"../../../../../../../..{bait}/file")
    with started(own_rootfs) as container, swapping(own_rootfs / "one", own_rootfs / "two"):
        for _ in range(RACES):
            assert SECRET.encode() not in sctr("cp", f"{container.name}:/one", "-").out
            sctr("cp", "/etc/hostname", f"{container.name}:/one")


REPLACER = """
import os, sys
print(flush=True)
for number in range(int(sys.argv[3])):
    name = f"{sys.argv[1]}/{number:05}"
    while not os.path.lexists(name):
        pass
    os.rename(f"{sys.argv[2]}/{number:05}", name)
"""


@pytest.mark.parametrize("kind", ["hard link", "fifo"])
def test_cp_while_what_it_has_made_becomes_a_link(own_rootfs, bait, tmp_path, kind):
    """Owner and mode are those of what cp has made, and never of what a link leads to."""
    (bait / "file").chmod(0o600)
    source = tmp_path / "source"
    source.mkdir()
    (source / ".first").write_text("")
    (source / ".first").chmod(0o666)
    (own_rootfs / "links").mkdir()
    count = 50 * RACES
    for number in range(count):
        if kind == "fifo":
            os.mkfifo(source / f"{number:05}")
            (source / f"{number:05}").chmod(0o666)
        else:
            os.link(source / ".first", source / f"{number:05}")
        (own_rootfs / f"links/{number:05}").symlink_to(bait / "file")
    with started(own_rootfs) as container:
        words = [own_rootfs / "to", own_rootfs / "links", str(count)]
        replacer = subprocess.Popen([sys.executable, "-c", REPLACER, *words], stdout=subprocess.PIPE)
        try:
            assert replacer.stdout.readline() == b"\n"
            sctr("cp", source, f"{container.name}:/to")
            assert len(os.listdir(own_rootfs / "links")) < count, "nothing was replaced in time"
        finally:
            replacer.kill()
            replacer.communicate()
    status = (bait / "file").stat()
    assert (oct(status.st_mode & 0o7777), status.st_uid) == ("0o600", 0)


# CVE-2019-14271, podman CVE-2022-1227: the host's tool loads or runs what the image brings.
def test_no_tool_of_the_host_is_the_payloads(own_rootfs, bait, tmp_path):
    for name in ("ps", "tar", "cat", "top", "sh.evil", "nsenter", "mount", "newuidmap"):
        path = own_rootfs / "bin" / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\necho x > {bait}/made; echo x > /ran\n")
        path.chmod(0o755)
    (own_rootfs / "lib").mkdir(exist_ok=True)
    (own_rootfs / "lib/libnss_files.so.2").write_text("not a library")
    (own_rootfs / "etc/ld.so.preload").write_text("/lib/libnss_files.so.2\n")
    (own_rootfs / "etc/nsswitch.conf").write_text("passwd: evil\n")
    with started(own_rootfs) as container:
        for words in (
            ["top", container.name],
            ["stats", "--no-stream", container.name],
            ["inspect", container.name],
            ["ps", "-a"],
            ["cp", f"{container.name}:/etc/passwd", tmp_path / "out"],
            ["cp", tmp_path / "out", f"{container.name}:/in"],
        ):
            sctr(*words).ok()
    assert not (own_rootfs / "ran").exists()


def test_what_top_shows_is_not_the_payloads_terminal_talk(own_rootfs):
    """A process names itself: no control character of it reaches the administrator's terminal."""
    script = "trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait $!; done"
    evil = "\x1b]0;owned\x07\x1b[2J\rroot"
    with started(own_rootfs, command=["sh", "-c", script, evil]) as container:
        for words in (["top", container.name], ["ps"], ["stats", "--no-stream"], ["inspect", container.name]):
            text = sctr(*words).ok()
            assert "\x1b" not in text and "\x07" not in text and "\r" not in text, words


# podman CVE-2023-0778: a volume's file becomes a link to the host's while the volume is exported.
def test_export_of_a_volume_with_links(volume, bait):
    data = STORE / "volumes" / volume / "data"
    (data / "link").symlink_to(bait / "file")
    (data / "directory").symlink_to(bait)
    archive = sctr("volume", "export", volume).out
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        found = {member.name.removeprefix("./"): member for member in members}
        assert found["link"].issym() and found["directory"].issym()
    assert SECRET.encode() not in archive


def test_export_while_a_file_is_swapped_for_a_link(volume, bait):
    data = STORE / "volumes" / volume / "data"
    (data / "d").mkdir()
    (data / "d/file").write_text("inside")
    (data / "other").symlink_to(bait)
    (data / "one").write_text("inside")
    (data / "two").symlink_to(bait / "file")
    with swapping(data / "d", data / "other"), swapping(data / "one", data / "two"):
        for _ in range(RACES):
            assert SECRET.encode() not in sctr("volume", "export", volume).out


def test_filling_a_volume_follows_no_link(load, bait):
    """The image's mount point of a volume is a link: what is copied is the image's, not the host's."""
    layer = base_layer().symlink("data", str(bait)).dir("real").symlink("real/out", str(bait))
    name = load(Image(layer, Volumes={"/data": {}, "/real": {}}, Cmd=["sh"]))
    for _ in range(2):
        result = sctr("run", "--rm", name, "sh", "-c", "cat /data/file /real/out/file; touch /data/new /real/out/new")
        assert SECRET not in result.stdout


# containerd CVE-2022-23648: a path of the image's configuration that climbs.
@pytest.mark.parametrize("path", ["/../../../../../..{bait}", "../../../../../..{bait}", "/a/../../../..{bait}", "/", "//", "."])
def test_a_volume_of_an_image_that_climbs(load, bait, path):
    layer = base_layer()
    try:
        name = load(Image(layer, Volumes={path.format(bait=bait): {}}, Cmd=["sh"]))
    except AssertionError:
        return  # refused at the load
    result = sctr("run", "--rm", name, "sh", "-c", f"cat {bait}/file; touch {bait}/new; exit 0")
    assert SECRET not in result.stdout, result


@pytest.mark.parametrize("key", ["WorkingDir", "User", "Entrypoint", "Env"])
def test_other_paths_of_an_image_that_climb(load, bait, key):
    climbing = f"../../../../../../..{bait}"
    value = {"WorkingDir": climbing, "User": climbing, "Entrypoint": [climbing + "/file"], "Env": [f"PATH={climbing}"]}[key]
    name = load(Image(base_layer(), **({"Cmd": ["cat", "file"]} | {key: value})))
    result = sctr("run", "--rm", name)
    assert SECRET not in result.stdout and result.status != 0, result


# containers/image CVE-2024-3727: a digest that is a path.
@pytest.mark.parametrize("digest", ["sha256:../../../../etc/passwd", "sha256:" + "g" * 64, "../../x:" + "a" * 64, "sha256:", "md5:" + "a" * 32])
@pytest.mark.parametrize("where", ["layer", "config", "manifest", "diff_id"])
def test_a_digest_that_is_none(tmp_path, where, digest):
    path = tmp_path / "image.tar"
    image = Image(base_layer())
    if where == "diff_id":
        image.diff_ids = [digest]
    config = image.config()
    blob = image.compress(image.layers[0])
    kind = "application/vnd.oci.image."
    parts = {"config": descriptor(kind + "config.v1+json", config), "layer": descriptor(kind + "layer.v1.tar+gzip", blob)}
    if where in parts:
        parts[where]["digest"] = digest
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "config": parts["config"], "layers": [parts["layer"]]}
    ).encode()
    entry = descriptor(kind + "manifest.v1+json", manifest)
    if where == "manifest":
        entry["digest"] = digest
    archive = Layer().file("oci-layout", '{"imageLayoutVersion":"1.0.0"}')
    archive.file("index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    for each in (config, manifest, blob):
        archive.file(f"blobs/sha256/{sha(each)}", each)
    path.write_bytes(archive.bytes())
    sctr("load", "-q", "-i", path).failed(125)
    sctr("system", "prune").ok()


# docker CVE-2021-41091: plain users walk into the store, where set-user-ID programs of images are.
def test_the_store_is_closed_to_others(load, volume):
    layer = base_layer().file("bin/suid", "#!/bin/sh\n", mode=0o4755)
    load(Image(layer))
    for place in ("layers", "volumes", "roots"):
        found = subprocess.run(
            ["setpriv", "--reuid=nobody", "--clear-groups", "find", STORE / place, "-maxdepth", "3"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "suid" not in found.stdout and "data" not in found.stdout, (place, found.stdout)


# CRI-O CVE-2022-1708, containerd CVE-2022-31030: output without end of what the host runs inside.
def test_output_of_a_health_check_is_bounded(rootfs):
    check = ["--health-cmd", "cat /dev/zero", "--health-timeout", "2s", "--health-interval", "1s"]
    with started(rootfs, *check) as container:
        supervisor = container.process.pid

        def checked():
            text = host("cat", f"/run/sctr/{container.name}/health.json", check=False)
            return text and json.loads(text).get("log")

        eventually(checked, what="a result of the check")
        status = Path(f"/proc/{supervisor}/status").read_text()
        peak = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
        assert peak < 64 * 1024, f"{peak} kB"
        assert (Path("/run/sctr") / container.name / "health.json").stat().st_size < 200_000


# containerd CVE-2020-15257: a socket without a file is in reach of every container on the host's network.
def test_sctr_listens_on_no_abstract_socket(rootfs):
    def names():
        lines = Path("/proc/net/unix").read_text().splitlines()[1:]
        return {line.split()[7] for line in lines if len(line.split()) > 7 and line.split()[3] == "00010000"}

    before = {name for name in names() if name.startswith("@")}
    with started(rootfs, "--network", "host", "-t", "--health-cmd", "true", ready="ready\r\n") as container:
        sctr("exec", container.name, "true").ok()
        assert {name for name in names() if name.startswith("@")} <= before


# CRI-O CVE-2022-0811: a value that is a second setting.
@pytest.mark.parametrize(
    "setting",
    [
        "kernel.shm_rmid_forced=1+kernel.core_pattern=|/x",
        "kernel.shm_rmid_forced=1\nkernel.core_pattern=|/x",
        "net.ipv4/../../kernel/core_pattern=x",
        "net/../kernel/core_pattern=x",
        "net.ipv4...core_pattern=x",
        "kernel.core_pattern=x",
    ],
)
def test_a_sysctl_that_smuggles_another(run, setting):
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    run("--sysctl", setting, "true").failed(125)
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before
