# SPDX-License-Identifier: LGPL-2.1-or-later
"""pull and push, with a registry on loopback."""

import base64
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "oci"))

from guest import ACCOUNT, guest  # noqa: E402
from harness import DEADLINE, eventually, sctr  # noqa: E402
from made_images import Image, Layer, base_layer, descriptor, sha  # noqa: E402
from registry import Handler, Registry  # noqa: E402
from store import STORE, load, nothing_stays_in_the_store, pulled  # noqa: E402,F401 (fixtures)


@pytest.fixture
def registry():
    with Registry() as running:
        yield running
    sctr("system", "prune").ok()  # of what did not become an image


def pull(*words):
    return sctr("pull", "-q", "--tls-verify=false", *words)


def test_pull(registry, pulled):
    name = registry.add("a/b", "1", Image(base_layer(), Layer().file("x", "y"), Cmd=["cat", "/x"]))
    image = pull(name).ok()
    pulled.append(name)
    assert sctr("run", name).ok() == "y"
    assert sctr("run", image).ok() == "y"
    blobs = registry.count("/blobs/")
    assert pull(name).ok() == image
    assert registry.count("/blobs/") <= blobs + 1, "layers that are here are not fetched again"


def test_run_fetches(registry, pulled):
    """By one command."""
    name = registry.add("a/run", "1", Image(base_layer(), Layer().file("x", "y"), Cmd=["cat", "/x"]))
    pulled.append(name)
    with registry.without_tls():
        assert sctr("run", "--userns", "auto", name).ok() == "y"


def test_a_short_name(registry, pulled):
    """As people type it: in the registries that the configuration names, one after the other, or by its alias."""
    image = Image(base_layer(), Layer().file("x", "y"), Cmd=["cat", "/x"])
    full = registry.add("short/name", "latest", image)
    conf = f'unqualified-search-registries = ["127.0.0.1:1", "{registry.address}"]\n[aliases]\n"nick" = "{full.removesuffix(":latest")}"\n'
    with registry.without_tls(conf):
        for name in ("short/name", "nick"):
            assert sctr("run", name).ok() == "y"
            sctr("rmi", full).ok()
        sctr("run", "short/none").failed(125, "short/none", registry.address)


def test_a_short_name_where_a_file_of_the_configuration_is_wrong(registry):
    """The file and its line are named; a full name is none of its business."""
    with registry.without_tls("unqualified-search-registries = [\n  'a.example' 'b.example'\n]\n") as conf:
        sctr("run", "short/none").failed(125, f"{conf}, line 2", "containers-registries.conf(5)")
    with registry.without_tls("[aliases]\nnick = ['a.example/x']\n") as conf:
        sctr("pull", "nick").failed(125, f"{conf}, line 2", "the alias 'nick' is no string")


def test_later_files_of_the_configuration_win(registry, pulled):
    """Those of the directory in the order of their names; what is not named .conf is none of them."""
    full = registry.add("short/alias", "latest", Image(base_layer(), Layer().file("x", "y"), Cmd=["cat", "/x"]))
    pulled.append(full)
    directory = Path("/etc/containers/registries.conf.d")
    others = {
        "000-sctr-test.conf": '[aliases]\n"nick" = "127.0.0.1:1/no"\n',
        "zzz-sctr-test.conf": f'aliases.nick = "{full.removesuffix(":latest")}"\n',
        "zzz-sctr-test.conf.old": "no TOML [",
    }
    with registry.without_tls():
        try:
            for name, text in others.items():
                (directory / name).write_text(text)
            assert sctr("run", "nick").ok() == "y"
        finally:
            for name in others:
                (directory / name).unlink(missing_ok=True)


@contextlib.contextmanager
def files(texts):
    """They go again, and the directories that were made for them."""
    made = []
    try:
        for path, text in texts.items():
            assert not path.exists(), path
            for parent in reversed([path, *path.parents]):
                if not parent.exists():
                    made.append(parent)
                    parent.write_text(text) if parent == path else parent.mkdir()
        yield
    finally:
        for path in reversed(made):
            path.unlink() if path.is_file() else path.rmdir()


def configuration(registry, *nicks, insecure=True):
    """One in which these are aliases of the image x, y."""
    aliases = "".join(f'"{nick}" = "{registry.address}/x"\n' for nick in nicks)
    rest = f'[[registry]]\nlocation = "{registry.address}"\ninsecure = true\n' if insecure else ""
    return f"[aliases]\n{aliases}{rest}"


def test_a_chosen_file_of_the_configuration(registry, pulled, tmp_path):
    """Its aliases count, and what skopeo takes of it, too; that of the host does not."""
    pulled.append(registry.add("x", "latest", Image(base_layer(), Cmd=["echo", "works"])))
    conf = tmp_path / "some.conf"
    conf.write_text(configuration(registry, "nick"))
    environment = {**os.environ, "CONTAINERS_REGISTRIES_CONF": str(conf)}
    assert sctr("run", "nick", env=environment).ok() == "works"
    conf.unlink()
    sctr("pull", "nick", env=environment).failed(125, str(conf), "No such file", "CONTAINERS_REGISTRIES_CONF")


def test_root_s_own_files_of_the_configuration(registry, pulled, tmp_path):
    pulled.append(registry.add("x", "latest", Image(base_layer(), Cmd=["echo", "works"])))
    own = tmp_path / ".config/containers"
    (own / "registries.conf.d").mkdir(parents=True)
    environment = {**os.environ, "HOME": str(tmp_path)}
    (own / "registries.conf.d/x.conf").write_text(configuration(registry, "nick"))
    assert sctr("run", "nick", env=environment).ok() == "works"
    # With a file of his own, the host's directory is not read any more.
    with registry.without_tls(configuration(registry, "other", insecure=False)):
        sctr("pull", "-q", "other", env=environment).ok()
        (own / "registries.conf").write_text('unqualified-search-registries = ["127.0.0.1:1"]\n')
        assert sctr("run", "nick", env=environment).ok() == "works"
        sctr("pull", "other", env=environment).failed(125, "127.0.0.1:1")


def test_names_that_were_chosen_before(registry, pulled):
    """podman's cache of short names goes before what the files say, and says nothing else."""
    pulled.append(registry.add("x", "latest", Image(base_layer(), Cmd=["echo", "works"])))
    cache = Path("/var/cache/containers/short-name-aliases.conf")
    text = 'unqualified-search-registries = ["127.0.0.1:1"]\n' + configuration(registry, "nick", insecure=False)
    wrong = f'unqualified-search-registries = ["{registry.address}"]\n[aliases]\nnick = "127.0.0.1:1/no"\n'
    with files({cache: text}), registry.without_tls(wrong):
        assert sctr("run", "nick").ok() == "works"
        assert sctr("run", "--pull", "always", "x").ok() == "works"
    with files({cache: "[aliases\n"}):
        sctr("pull", "nick").failed(125, f"{cache}, line 1")


def test_a_plain_users_files_of_the_configuration(registry):
    home = Path(ACCOUNT.pw_dir)
    registry.add("x", "latest", Image(base_layer(), Cmd=["echo", "works"]))
    own = home / ".config/containers/registries.conf"
    cache = home / ".cache/containers/short-name-aliases.conf"
    pulled_as = f"{registry.address}/x:latest"
    with files({own: configuration(registry, "nick"), cache: configuration(registry, "nack", insecure=False)}):
        for nick in ("nick", "nack"):
            guest("sctr", "pull", "-q", nick).ok()
            guest("sctr", "rmi", pulled_as).ok()


def test_run_fetches_with_the_callers_credentials(registry, pulled, tmp_path):
    registry.password = "user:secret"
    name = registry.add("a/run", "2", Image(base_layer(), Layer().file("x", "y"), Cmd=["cat", "/x"]))
    sctr("run", "--tls-verify=false", name).failed(125, name)
    told = {"auths": {registry.address: {"auth": base64.b64encode(b"user:secret").decode()}}}
    (tmp_path / "auth.json").write_text(json.dumps(told))
    flags = ("--tls-verify=false", "--authfile", tmp_path / "auth.json")
    pulled.append(name)
    assert sctr("run", *flags, name).ok() == "y"
    sctr("run", *flags, "--rootfs", tmp_path, "true").failed(125, "--authfile", "a directory is not fetched")


def test_pull_of_a_new_version(registry, pulled):
    base = base_layer().bytes()
    name = registry.add("a/b", "1", Image(base, Layer().file("x", "old"), Cmd=["cat", "/x"]))
    first = pull(name).ok()
    pulled.extend([name, first])
    registry.add("a/b", "1", Image(base, Layer().file("x", "new"), Cmd=["cat", "/x"]))
    assert pull(name).ok() != first
    assert sctr("run", name).ok() == "new"
    assert sctr("run", first).ok() == "old"


def test_pull_with_a_password(registry, pulled):
    registry.password = "user:secret"
    name = registry.add("a/b", "1", Image(base_layer()))
    pull(name).failed(125, name)
    pull("--creds", "user:secret", name).ok()
    pulled.append(name)


def test_a_password_is_on_no_command_line_of_skopeos(registry, pulled, tmp_path, monkeypatch):
    """ps shows those to everybody."""
    seen = set()
    is_allowed = Handler.is_allowed

    def look(handler, password):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().split(b"\0")
                if b"skopeo" in words[0]:
                    seen.add(tuple(words))
        return is_allowed(handler, password)

    monkeypatch.setattr(Handler, "is_allowed", look)
    registry.password = "user:secret"
    name = registry.add("a/b", "1", Image(base_layer()))
    others = tmp_path / "auth.json"
    others.write_text(json.dumps({"auths": {name.split("/")[0]: {"auth": "d3Jvbmc6d3Jvbmc="}}}))
    pull("--creds", "user:secret", "--authfile", others, name).ok()
    pulled.append(name)
    assert seen and not [words for words in seen if b"secret" in b" ".join(words)]
    pull("--creds", "user", name).failed(125, "--creds", "password")


def test_a_registry_that_dies_in_the_middle(registry, pulled):
    layers = [Layer().file(f"f{i}", os.urandom(100_000)) for i in range(3)]
    name = registry.add("a/b", "1", Image(base_layer(), *layers))
    registry.die_in_blob = registry.hold_blob = registry.digest_of_layer(name, 2)
    process = subprocess.Popen(["sctr", "pull", "-q", "--tls-verify=false", name], stderr=subprocess.DEVNULL)
    come = [registry.digest_of_layer(name, number) for number in (0, 1, 3)]
    eventually(lambda: all((STORE / "blobs/sha256" / digest).exists() for digest in come), what="the other blobs")
    registry.may_answer.set()
    assert process.wait(DEADLINE) == 125
    assert sctr("run", "--pull", "never", name, "true").status == 125
    registry.die_in_blob = None
    registry.requests.clear()
    pull(name).ok()
    pulled.append(name)
    assert sctr("run", name, "ls", "/f2").ok() == "/f2"
    assert [registry.count(digest) for digest in come] == [0] * 3, "what had come was fetched again"


def test_a_registry_that_lies(registry):
    name = registry.add("a/b", "1", Image(base_layer()))
    registry.blobs[registry.digest_of_layer(name, 0)] = b"something else"
    pull(name).failed(125)


def test_pulls_at_once_do_the_work_once(registry, pulled):
    name = registry.add("a/b", "1", Image(base_layer(), Layer().file("x", os.urandom(3_000_000))))
    command = ["sctr", "pull", "-q", "--tls-verify=false", name]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    ids = {process.communicate(timeout=60)[0] for process in processes}
    pulled.append(name)
    assert len(ids) == 1 and all(process.returncode == 0 for process in processes)
    assert registry.count(registry.digest_of_layer(name, 1)) == 1


def test_push(registry, load, pulled):
    name = load(Image(base_layer(), Layer().file("x", os.urandom(100)), Cmd=["echo", "pushed"]))
    image = json.loads(sctr("image", "inspect", name).ok())[0]["id"]
    target = f"{registry.address}/sent/here:2"
    sctr("push", "-q", "--tls-verify=false", name, target).ok()
    sctr("rmi", name).ok()
    pull(target).ok()
    pulled.append(target)
    assert sctr("run", target).ok() == "pushed"
    assert json.loads(sctr("image", "inspect", target).ok())[0]["id"] == image
    sctr("push", target, "short").failed(125, "registry")
    sctr("push", "none:1", target).failed(125, "no such image")


def test_pull_of_nothing(registry):
    pull(f"{registry.address}/none:1").failed(125, "none")
    sctr("pull").failed(125, "no image named")


def test_what_removes_does_not_wait_for_a_pull_without_end(registry, load):
    name = load(Image(base_layer()))
    pulled = registry.add("slow/image", "1", Image(base_layer().file("own", os.urandom(8))))
    registry.hold_blob = registry.digest_of_layer(pulled, 0)
    process = subprocess.Popen(["sctr", "pull", "-q", "--tls-verify=false", pulled], stderr=subprocess.PIPE)
    try:
        assert registry.is_asked.wait(20)
        for words in (["rmi", name], ["system", "prune"], ["system", "check", "--repair"]):
            refused = sctr(*words)
            assert refused.status == 125
            assert "waiting until nothing is pulled" in refused.stderr
            assert f"the store is in use: by sctr pull (pid {process.pid}) (try again" in refused.stderr
    finally:
        process.kill()
        process.communicate()
        registry.may_answer.set()
    sctr("system", "prune").ok()


class DockerImage(Image):
    """With the media types of docker's manifests, schema 2."""

    def blobs(self):
        blobs, entry = super().blobs()
        text = blobs.pop(entry["digest"].removeprefix("sha256:")).decode()
        for ours, theirs in {
            "oci.image.manifest.v1": "docker.distribution.manifest.v2",
            "oci.image.config.v1+json": "docker.container.image.v1+json",
            "oci.image.layer.v1.tar+gzip": "docker.image.rootfs.diff.tar.gzip",
        }.items():
            text = text.replace(ours, theirs)
        blob = text.encode()
        return blobs | {sha(blob): blob}, descriptor("application/vnd.docker.distribution.manifest.v2+json", blob)


@pytest.mark.parametrize("is_list", [False, True], ids=["manifest", "list"])
def test_docker_s_manifests_are_kept_and_their_layers_resumed(is_list, registry, pulled):
    base = base_layer().file("own", os.urandom(8)).bytes()
    image = DockerImage(base, *[Layer().file(f"f{i}", os.urandom(50_000)) for i in range(3)], Cmd=["echo", "whole"])
    name = registry.add("a/b", "1", image)
    digest = registry.tags["a/b", "1"]
    come = [registry.digest_of_layer(name, number) for number in (0, 1, 3)]
    if is_list:
        kind = "application/vnd.docker.distribution.manifest."
        entries = [
            descriptor(kind + "v2+json", registry.blobs[digest]) | {"platform": {"os": "linux", "architecture": machine}}
            for machine in ("amd64", "s390x")
        ]
        text = json.dumps({"schemaVersion": 2, "mediaType": kind + "list.v2+json", "manifests": entries}).encode()
        registry.blobs[sha(text)] = text
        registry.tags["a/b", "1"] = sha(text)
    registry.die_in_blob = json.loads(registry.blobs[digest])["layers"][2]["digest"].removeprefix("sha256:")
    pull(name).failed(125)
    registry.die_in_blob = None
    here = [each for each in come if (STORE / "blobs/sha256" / each).exists()]
    registry.requests.clear()
    pull(name).ok()
    pulled.append(name)
    assert [registry.count(each) for each in here] == [0] * len(here)
    assert json.loads(sctr("image", "inspect", name).ok())[0]["digest"] == "sha256:" + digest
    assert sctr("run", name).ok() == "whole"
    other = registry.add("a/c", "1", DockerImage(base, Layer().file("x", "y")))
    registry.requests.clear()
    pull(other).ok()
    pulled.append(other)
    assert registry.count(come[0]) == 0
    assert sctr("system", "check").ok() == ""


def test_a_killed_pull_is_resumed(registry, pulled):
    """Blobs that had come as a whole are there; of the others skopeo begins anew."""
    layers = [Layer().file(f"f{i}", os.urandom(100_000)) for i in range(4)]
    name = registry.add("a/b", "1", Image(base_layer(), *layers))
    registry.hold_blob = registry.digest_of_layer(name, 2)
    process = subprocess.Popen(["sctr", "pull", "-q", "--tls-verify=false", name])
    come = [registry.digest_of_layer(name, number) for number in (0, 1, 3, 4)]
    assert registry.is_asked.wait(20)
    eventually(lambda: all((STORE / "blobs/sha256" / digest).exists() for digest in come), what="the other blobs")
    process.kill()
    process.wait()
    registry.may_answer.set()
    registry.requests.clear()
    pull(name).ok()
    pulled.append(name)
    assert [registry.count(digest) for digest in come] == [0] * 4
    assert registry.count(registry.digest_of_layer(name, 2)) == 1
    assert sctr("run", name, "ls", "/f0", "/f3").lines == ["/f0", "/f3"]


# Platforms ----------------------------------------------------------------------------------------


class OfAnother(Image):
    """An image of another machine than this."""

    def config(self):
        return json.dumps(json.loads(super().config()) | {"architecture": "s390x"}).encode()


def index_of(registry, repository, **images):
    """An image index; returns its full name."""
    entries = []
    for machine, image in images.items():
        blobs, manifest = image.blobs()
        registry.blobs.update(blobs)
        entries.append(manifest | {"platform": {"os": "linux", "architecture": machine}})
    kind = "application/vnd.oci.image.index.v1+json"
    text = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode()
    registry.blobs[sha(text)] = text
    registry.tags[repository, "1"] = sha(text)
    return f"{registry.address}/{repository}:1"


def test_a_platform_that_is_not_there(registry, pulled):
    """As docker says it, of an index and of a single image, and nothing is fetched; podman takes another without a word of it."""
    single = registry.add("a/single", "1", Image(base_layer()))
    several = index_of(registry, "a/index", amd64=Image(base_layer()), s390x=OfAnother(base_layer()))
    for name in (single, several):
        registry.requests.clear()
        pull("--platform", "linux/arm64", name).failed(125, name, "linux/arm64")
        assert sctr("image", "exists", name).status == 1
        assert registry.count(registry.digest_of_layer(single, 0)) == 0
        with registry.without_tls():
            sctr("run", "--platform", "linux/arm64", name, "true").failed(125, name, "linux/arm64")
    pull("--platform", "linux/arm64", single).failed(125, "does not match", "linux/amd64")


def test_the_platform_that_is_asked_for(registry, pulled):
    several = index_of(registry, "a/index", amd64=Image(base_layer(), Cmd=["echo", "x"]), s390x=OfAnother(base_layer()))
    pulled.append(several)
    for platform in ("linux/s390x", "linux/amd64", "linux/x86_64"):
        pull("--platform", platform, several).ok()
        machine = json.loads(sctr("image", "inspect", several).ok())[0]["config"]["architecture"]
        assert machine == platform.removeprefix("linux/").replace("x86_64", "amd64")


def test_run_fetches_the_platform_where_another_is_here(registry, pulled):
    several = index_of(registry, "a/index", amd64=Image(base_layer(), Cmd=["echo", "x"]), s390x=OfAnother(base_layer()))
    pulled.append(several)
    pull("--platform", "linux/s390x", several).ok()
    sctr("run", "--pull", "never", "--platform", "linux/amd64", several).failed(125, several, "linux/s390x")
    with registry.without_tls():
        assert sctr("run", "--platform", "linux/amd64", several).ok() == "x"


def test_an_image_of_another_machine_is_told(registry, pulled):
    name = registry.add("a/other", "1", OfAnother(base_layer()))
    pulled.append(name)
    done = pull(name)
    assert done.status == 0 and "linux/s390x" in done.stderr and name in done.stderr


# What people read ---------------------------------------------------------------------------------


def test_where_a_push_and_a_pull_failed(registry, load):
    image = load(Image(base_layer(), Layer().file("own", os.urandom(8))))
    registry.password = "me:secret"
    target = f"{registry.address}/a/b:1"
    push = ["push", "--tls-verify=false", image, target]
    said = sctr(*push)
    assert said.status == 125 and said.stderr.count("Copying blob") <= 2
    error = said.stderr.splitlines()[-1]
    for word in (image, target, f"skopeo login {registry.address}", "--authfile"):
        assert word in error
    pull(target).failed(125, "cannot pull the image", target, f"skopeo login {registry.address}", "--authfile")
    registry.password = None
    pull(f"{registry.address}/a/none:1").failed(125, "cannot pull the image", "/a/none:1", "list-tags")
