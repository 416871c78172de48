# SPDX-License-Identifier: LGPL-2.1-or-later
"""pull and push with Debian's docker-registry, by name and password, as people have it."""

import base64
import json
import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from harness import eventually, sctr, unique_name
from made_images import Image, Layer, base_layer
from store import load, nothing_stays_in_the_store, pulled  # noqa: F401 (fixtures)

pytestmark = pytest.mark.skipif(not shutil.which("docker-registry"), reason="there is no docker-registry")
USER, PASSWORD = "user", "secret"
TOKEN = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
CONFIG = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {data}}}, delete: {{enabled: true}}}}
http: {{addr: 127.0.0.1:{port}}}
auth: {{htpasswd: {{realm: here, path: {passwords}}}}}
"""


class Registry:
    def __init__(self, directory):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        # Go's registry takes bcrypt alone.
        hashed = subprocess.run(
            ["perl", "-e", "print crypt($ARGV[0], '$2y$05$abcdefghijklmnopqrstuu')", PASSWORD], capture_output=True, check=True
        ).stdout.decode()
        passwords = directory / "htpasswd"
        passwords.write_text(f"{USER}:{hashed}\n")
        config = directory / "config.yml"
        config.write_text(CONFIG.format(data=directory / "data", port=port, passwords=passwords))
        self.process = subprocess.Popen(["docker-registry", "serve", config], stderr=subprocess.DEVNULL)
        eventually(lambda: self.get("/v2/") is not None, what="the registry")

    def get(self, path):
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Authorization": f"Basic {TOKEN}"})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.read()
        except urllib.error.URLError:
            assert self.process.poll() is None, "the registry has ended"
            return None

    def tags(self, repository):
        return json.loads(self.get(f"/v2/{repository}/tags/list") or b"{}").get("tags")


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    running = Registry(tmp_path_factory.mktemp("registry"))
    yield running
    running.process.terminate()
    running.process.wait(20)


@pytest.fixture
def auth_file(registry, tmp_path):
    path = tmp_path / "auth.json"
    path.write_text(json.dumps({"auths": {registry.address: {"auth": TOKEN}}}))
    return path


@pytest.fixture
def target(registry):
    return f"{registry.address}/{unique_name('r')}:1"


def inspect(name):
    return json.loads(sctr("image", "inspect", name).ok())[0]


def push(*words):
    return sctr("push", "-q", "--tls-verify=false", *words, timeout=60)


def pull(*words):
    return sctr("pull", "-q", "--tls-verify=false", *words, timeout=60)


def test_push_and_pull(load, pulled, target, auth_file, registry):
    name = load(Image(base_layer(), Layer().file("x", os.urandom(100_000)), Cmd=["echo", "there and back"]))
    push("--authfile", auth_file, name, target).ok()
    assert registry.tags(target.split("/")[1].split(":")[0]) == ["1"]
    image = inspect(name)["id"]
    assert pull("--authfile", auth_file, target).ok() == image
    pulled.append(target)
    assert sctr("run", target).ok() == "there and back"
    # From now on it is there as a whole, and is the same wherever it is named.
    digest = inspect(target)["digest"]
    push("--creds", f"{USER}:{PASSWORD}", target, target + "again").ok()
    sctr("rmi", target).ok()
    pull("--creds", f"{USER}:{PASSWORD}", target + "again").ok()
    pulled[:] = [target + "again"]
    assert inspect(target + "again")["digest"] == digest


def test_run_without_a_password(load, target, auth_file):
    name = load(Image(base_layer(), Cmd=["echo", "fetched"]))
    push("--authfile", auth_file, name, target).ok()
    sctr("run", "--pull", "missing", target).failed(125, target)
    assert pull(target).status == 125


@pytest.mark.parametrize("words", [[], ["--creds", f"{USER}:wrong"], ["--creds", "nobody:secret"]])
def test_a_wrong_password(words, load, target, registry):
    name = load(Image(base_layer()))
    said = push(*words, name, target).failed(125, "cannot push the image", name, target)
    assert "authentication required" in said or "unauthorized" in said.lower(), said
    said = pull(*words, target).failed(125, target)
    assert "authentication required" in said or "unauthorized" in said.lower(), said
    assert registry.tags(target.split("/")[1].split(":")[0]) is None


def test_what_the_registry_does_not_have(target, auth_file):
    pull("--authfile", auth_file, target).failed(125, target, "unknown")


def test_docker_s_own_manifests(load, pulled, target, auth_file, tmp_path, registry):
    image = Image(base_layer(), Layer().file("x", os.urandom(100_000)), Cmd=["echo", "docker's"])
    archive = image.write_archive(tmp_path / "image.tar", "localhost/x:1")
    subprocess.run(
        ["skopeo", "copy", "-q", "--format", "v2s2", "--dest-tls-verify=false", "--dest-creds", f"{USER}:{PASSWORD}",
         f"oci-archive:{archive}", f"docker://{target}"],
        check=True, capture_output=True,
    )  # fmt: skip
    pull("--authfile", auth_file, target).ok()
    pulled.append(target)
    kept = inspect(target)
    assert "docker" in kept["manifest"]["mediaType"]
    assert sctr("run", target).ok() == "docker's"
    push("--authfile", auth_file, target, target + "again").ok()
    sctr("rmi", target).ok()
    pull("--authfile", auth_file, target + "again").ok()
    pulled[:] = [target + "again"]
    assert inspect(target + "again")["digest"] == kept["digest"]
    elsewhere = f"{registry.address}/{unique_name('r')}:1"
    push("--authfile", auth_file, target + "again", elsewhere).ok()
    assert sctr("run", target + "again").ok() == "docker's"
