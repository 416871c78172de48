# SPDX-License-Identifier: LGPL-2.1-or-later
"""pull and push, with a registry on loopback."""

import base64
import json
import os
import subprocess

import pytest

from harness import eventually, sctr
from made_images import Image, Layer, base_layer, descriptor, sha
from registry import Registry
from store import STORE, load, nothing_stays_in_the_store, pulled  # noqa: F401 (fixtures)


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


def test_a_registry_that_dies_in_the_middle(registry, pulled):
    layers = [Layer().file(f"f{i}", os.urandom(100_000)) for i in range(3)]
    name = registry.add("a/b", "1", Image(base_layer(), *layers))
    registry.die_in_blob = registry.digest_of_layer(name, 2)
    pull(name).failed(125)
    assert sctr("run", "--pull", "never", name, "true").status == 125
    registry.die_in_blob = None
    before = registry.count("/blobs/")
    pull(name).ok()
    pulled.append(name)
    assert sctr("run", name, "ls", "/f2").ok() == "/f2"
    assert registry.count("/blobs/") - before < 5, "what had come was fetched again"


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
