# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images and volumes as people of docker and podman know them: their verbs, flags and looks."""

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest

import harness
from harness import sctr, unique_name
from made_images import BUSYBOX, Image, Layer, base_layer, gzipped
from store import STORE, load, nothing_stays_in_the_store, pulled  # noqa: F401 (fixtures)


class Dated(Image):
    """Made when `created` says."""

    def __init__(self, created, *layers, **process):
        super().__init__(*layers, **process)
        self.created = created

    def config(self):
        return json.dumps(json.loads(super().config()) | {"created": self.created}).encode()


def not_compressed(layer):
    return layer


@pytest.fixture
def one_id_twice(load):
    """Two names of one image that came as two manifests: the same files, compressed and not."""
    layer = base_layer().file("own", os.urandom(50_000)).file("zeros", bytes(300_000)).bytes()
    return [load(Image(layer, compress=how, suffix=suffix)) for how, suffix in ((gzipped, "+gzip"), (not_compressed, ""))]


def listed(*words):
    return json.loads(sctr("images", "--json", *words).ok())


# images -------------------------------------------------------------------------------------------


def test_one_id_has_one_size(one_id_twice):
    rows = [image for image in listed() if set(image["names"]) & set(one_id_twice)]
    assert len({image["digest"] for image in rows}) == 2 and len({image["id"] for image in rows}) == 1
    assert len({image["size"] for image in rows}) == 1
    archive = Path("/bin/busybox").stat().st_size + 350_000
    assert archive < rows[0]["size"] < archive + 100_000, "what its layers unpack to, as podman says"
    for name in one_id_twice:
        assert json.loads(sctr("image", "inspect", name).ok())[0]["size"] == rows[0]["size"]
    assert len({line.split()[-2] for line in sctr("images").lines if line.split()[0] in one_id_twice}) == 1


def test_rmi_of_an_id_with_several_names(one_id_twice, load):
    """Refused the same way, however they came to be."""
    twice = load(Image(base_layer().file("own", os.urandom(8))))
    other = f"localhost/{unique_name('t')}:2"
    sctr("tag", twice, other).ok()
    for names in (one_id_twice, [twice, other]):
        image = next(image for image in listed() if names[0] in image["names"])["id"]
        for word in (image, image[:12]):
            sctr("rmi", word).failed(125, "cannot remove the image", "several names", "--force", *names)
        assert sctr("rmi", "-f", image).ok() == image
        assert not [image for image in listed() if set(names) & set(image["names"])]


def test_newest_first(load):
    years = (2021, 2024, 2022)
    names = {year: load(Dated(f"{year}-01-02T03:04:05Z", base_layer(), Layer().file("year", str(year)))) for year in years}
    found = [line.split()[0] for line in sctr("images").lines if line.split()[0] in names.values()]
    assert found == [names[2024], names[2022], names[2021]]
    assert [image["names"][0] for image in listed() if image["names"][0] in names.values()] == found


def test_flags_of_images(load):
    name = load(Image(base_layer().file("own", os.urandom(8))))
    image = json.loads(sctr("image", "inspect", name).ok())[0]
    assert sctr("images", "-a").ok() == sctr("images").ok()
    line = sctr("images", "--digests", name).lines
    assert line[0].split() == ["NAME", "DIGEST", "ID", "CREATED", "SIZE"] and line[1].split()[1] == image["digest"]
    assert sctr("images", "--no-trunc", name).lines[1].split()[1] == "sha256:" + image["id"]
    assert sctr("images", "-q", "--no-trunc", name).ok() == "sha256:" + image["id"]


def test_rmi_all_tells_what_images_shows(load, one_id_twice):
    """In a store of its own, as all of it goes."""
    script = 'sctr load -q -i "$1" >&2 && sctr tag localhost/habit:1 localhost/habit:2 && sctr images && sctr rmi -a && sctr images -q'
    home = Path(f"/tmp/{unique_name('home')}")
    archive = home / "image.tar"
    home.mkdir()
    try:
        Image(base_layer().file("own", os.urandom(8))).write_archive(archive, "localhost/habit:1")
        mount = f'mount -t tmpfs -o mode=755 none {STORE} && exec sh -c "$@"'
        words = ["unshare", "--mount", "sh", "-c", mount, "sh", script, "sh", str(archive)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=harness.DEADLINE)
        assert done.returncode == 0, done
        lines = done.stdout.splitlines()
        assert [line.split()[0] for line in lines[1:3]] == sorted(lines[3:]) == ["localhost/habit:1", "localhost/habit:2"]
    finally:
        archive.unlink()
        home.rmdir()


# Verbs --------------------------------------------------------------------------------------------


def test_verbs_of_image(load, tmp_path):
    """docker's and podman's `image VERB`."""
    name = load(Image(base_layer().file("own", os.urandom(8)), Cmd=["echo", "yes"]))
    assert sctr("image", "ls").ok() == sctr("image", "list").ok() == sctr("images").ok()
    other, third = (f"localhost/{unique_name('t')}:2" for _ in range(2))
    sctr("image", "tag", name, other, third).ok()
    assert sctr("run", third).ok() == "yes"
    sctr("image", "save", "-o", tmp_path / "x.tar", other).ok()
    assert sctr("image", "rm", other).ok() == other
    assert sctr("image", "load", "-q", "-i", tmp_path / "x.tar").ok() == other
    assert [sctr("image", "exists", word).status for word in (other, "localhost/none")] == [0, 1]
    sctr("image", "untag", other).ok()
    assert [sctr("image", "exists", word).status for word in (other, name)] == [1, 0]
    sctr("untag", name, third).ok()
    sctr("untag", name, third).failed(125, third, "no such name")
    assert sctr("image", "exists", name).ok() == "" and sctr("image", "exists", third).status == 1
    sctr("image", "prune", "-f").ok()
    sctr("image", "nothing").failed(125, "nothing", "sctr image --help")
    help_text = sctr("image", "--help").ok()
    assert all(word in help_text for word in ("ls", "rm", "prune", "pull", "push", "build", "load", "save", "import"))


def test_untag_of_all_names(load):
    """The image stays, without a name."""
    name = load(Image(base_layer().file("own", os.urandom(8))))
    image = json.loads(sctr("image", "inspect", name).ok())[0]["id"]
    sctr("tag", name, name + "b").ok()
    sctr("untag", image).ok()
    assert [each["names"] for each in listed() if each["id"] == image] == [[]]
    assert sctr("rmi", image).ok() == image


def test_verbs_of_container(run):
    """docker's and podman's `container VERB`."""
    name = unique_name("c")
    sctr("container", "ls", "-a").ok()
    assert sctr("container", "ls", "-a").lines[0] == sctr("ps", "-a").lines[0]
    sctr("container", "rm", name).failed(125, name)
    sctr("container", "prune-all").failed(125, "prune-all", "sctr container --help")
    assert "inspect" in sctr("container", "--help").ok()


def test_volume_habits():
    name = unique_name("v")
    sctr("volume", "exists", name).status == 1
    assert sctr("volume", "create", "-d", "local", "-l", "a=b", name).ok() == name
    try:
        assert sctr("volume", "exists", name).status == 0
        assert json.loads(sctr("volume", "inspect", name).ok())[0]["labels"] == {"a": "b"}
    finally:
        sctr("volume", "rm", name).ok()
    sctr("volume", "create", "--driver", "nfs", name).failed(125, "--driver", "nfs", "local")
    sctr("volume", "create", "-o", "type=nfs", name).failed(125, "--opt", "type=nfs", "type=bind")
    assert sctr("volume", "exists", name).status == 1


def test_a_mount_without_a_type_is_a_volume(load):
    image = load(Image(base_layer()))
    name = unique_name("v")
    sctr("run", "--mount", f"src={name},dst=/t", image, "touch", "/t/here").ok()
    try:
        assert sctr("run", "--mount", f"type=volume,src={name},dst=/t", image, "ls", "/t").ok() == "here"
    finally:
        sctr("volume", "rm", name).ok()
    assert sctr("run", "--mount", "dst=/t", image, "ls", "/t").ok() == ""
    sctr("run", "--mount", "src=/tmp,dst=/t", image, "true").failed(125, "--mount", "/tmp", "type=bind")
    sctr("run", "--mount", "type=,dst=/t", image, "true").failed(125, "no known type")


# build --------------------------------------------------------------------------------------------


@pytest.fixture
def context(tmp_path):
    (tmp_path / "busybox").write_bytes(Path(BUSYBOX).read_bytes())
    (tmp_path / "Other").write_text('FROM scratch\nCOPY --chmod=755 busybox /bin/busybox\nCMD ["/bin/busybox", "echo", "yes"]\n')
    yield tmp_path
    harness.host("buildah", "rmi", "--all", "--force")


def test_the_file_of_the_id(context):
    name = f"localhost/{unique_name('built')}:latest"
    for words in (["--iidfile", context / "id"], [f"--iidfile={context / 'id2'}"]):
        out = sctr("build", "-q", *words, "-t", name, "-f", context / "Other", context, timeout=120).ok()
        file = Path(str(words[-1]).removeprefix("--iidfile="))
        assert file.read_text() == "sha256:" + out.splitlines()[-1]
        assert sctr("run", file.read_text()).ok() == "yes"
        sctr("rmi", name).ok()  # the next one has another layer, made at another time
    sctr("build", "-q", "--iidfile", context / "none/id", context).failed(125, "--iidfile", "none/id", "No such file")


def test_flags_after_the_context(context, pulled):
    name = f"localhost/{unique_name('built')}:latest"
    pulled.append(name)
    sctr("build", context, "-q", "-t", name, "-f", context / "Other", timeout=120).ok()
    assert sctr("run", name).ok() == "yes"
    sctr("rmi", name).ok()
    sctr("build", "-q", context, "-f", context / "Other", "--no-cache", "--tag", name, timeout=120).ok()
    assert sctr("run", name).ok() == "yes"


# What went wrong, where ---------------------------------------------------------------------------


@pytest.fixture
def volume():
    name = sctr("volume", "create", unique_name("v")).ok()
    yield name
    sctr("volume", "rm", name).ok()


def test_the_archive_is_named_as_it_was_typed(volume, tmp_path):
    bad = tmp_path / "bad"
    bad.write_text("this is no archive\n" * 100)
    for words in (["volume", "import", volume, bad], ["import", bad, "x"], ["load", "-i", bad]):
        said = sctr(*words).failed(125, f": {bad}: ")
        assert "layer" not in said and "work-" not in said, said
    for words in (["volume", "import", volume, "-"], ["import", "-", "x"], ["load"]):
        for text in (bad.read_text(), ""):
            said = sctr(*words, input=text).failed(125, "standard input")
            assert "layer" not in said and "/var/lib/sctr" not in said, said
    sctr("load", "-i", tmp_path / "none").failed(125, f"{tmp_path}/none", "No such file or directory")
    sctr("import", tmp_path / "none", "x").failed(125, f"{tmp_path}/none", "No such file or directory")
    sctr("volume", "import", volume, tmp_path / "none").failed(125, f"{tmp_path}/none", "No such file or directory")
    sctr("system", "prune").ok()  # of blobs that did not become an image


@pytest.mark.parametrize(
    "words, said",
    [(["volume", "rm"], "no volume named"), (["network", "rm"], "no network named"), (["network", "reload"], "no container named"),
     (["secret", "rm"], "no secret named"), (["rm"], "no container named")],
)  # fmt: skip
def test_what_is_to_be_named(words, said):
    sctr(*words).failed(125, said)


@pytest.mark.parametrize("words, meant", [
    (["volume", "ls", "--frob"], None), (["volume", "ls", "--jsno"], "--json"), (["ps", "--josn"], "--json"),
    (["run", "--nmae", "x", "y"], "--name"), (["frobnicate"], None), (["imgaes"], "images"),
])  # fmt: skip
def test_did_you_mean_what_is_alike(words, meant):
    said = sctr(*words).failed(125)
    assert (f"did you mean '{meant}'" in said) if meant else ("did you mean" not in said)


def test_system_df(load, run, volume):
    image = load(Image(base_layer().file("own", os.urandom(200_000))))
    name = unique_name("c")
    sctr("create", "--name", name, "-v", f"{volume}:/v", image, "true").ok()
    try:
        lines = sctr("system", "df").lines
        assert lines[0].split() == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]
        rows = {line.split("  ")[0]: line.split()[-6:] for line in lines[1:]}
        assert list(rows) == ["Images", "Containers", "Volumes"]
        kinds = {row["type"]: row for row in json.loads(sctr("system", "df", "--json").ok())}
        assert kinds["Images"]["total"] == len(listed()) and kinds["Images"]["active"] >= 1
        assert kinds["Images"]["size"] >= 200_000
        assert kinds["Volumes"]["active"] >= 1 and kinds["Containers"]["total"] >= 1
        reclaimable = kinds["Images"]["reclaimable"]
        (STORE / "volumes" / volume / "data" / "file").write_bytes(bytes(100_000))
        before = kinds["Volumes"]["reclaimable"]
        assert {row["type"]: row for row in json.loads(sctr("system", "df", "--json").ok())}["Volumes"]["reclaimable"] == before
    finally:
        sctr("rm", name).ok()
    kinds = {row["type"]: row for row in json.loads(sctr("system", "df", "--json").ok())}
    assert kinds["Images"]["reclaimable"] >= reclaimable + 200_000
    assert kinds["Volumes"]["reclaimable"] >= before + 100_000
