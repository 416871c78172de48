# SPDX-License-Identifier: LGPL-2.1-or-later
"""Input without measure: what comes is sctr's own error, soon, and in bounded memory."""

import json
import os
import time

import pytest

import engine
from made_images import Layer, descriptor
from store import load, nothing_stays_in_the_store  # noqa: F401 (fixtures)

MIB = 1 << 20
# Of a process with what it has read; an ordinary start takes 12 MiB.
MOST_MEMORY = 400 * MIB
MOST_SECONDS = float(os.environ.get("SCTR_TEST_DEADLINE", "20")) * 3


def measured(*words, stdin=os.devnull):
    """Runs a program to its end: its status, what it wrote to stderr, and nothing beyond the bounds."""
    with open(stdin, "rb") as source, open(os.memfd_create("stderr"), "rb+") as errors, open(os.devnull, "wb") as null:
        began = time.monotonic()
        pid = os.posix_spawnp(
            words[0], list(map(str, words)), os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, source.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, null.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, errors.fileno(), 2),
            ],
        )  # fmt: skip
        _, status, usage = os.wait4(pid, 0)
        took = time.monotonic() - began
        errors.seek(0)
        text = errors.read(MIB).decode(errors="replace")
    assert took < MOST_SECONDS, f"took {took:.1f} s"
    assert usage.ru_maxrss * 1024 < MOST_MEMORY, f"took {usage.ru_maxrss // 1024} MiB"
    return os.waitstatus_to_exitcode(status), text


def refused(outcome, *words):
    status, text = outcome
    assert status not in (0, None) and status > 0, outcome
    assert text.startswith(("sctr-oci: ", "sctr: ")) and text.count("\n") == 1, text[:500]
    assert len(text) < 8192
    for word in words:
        assert word in text, text


def with_member(config, text):
    """The config's text with one more member, written as it is."""
    return json.dumps(config)[:-1] + "," + text + "}"


def grown(change):
    """A maker of texts from the default config, changed as a document."""

    def make(config):
        change(config)
        return json.dumps(config)

    return make


HUGE = {
    "blanks": lambda config: json.dumps(config) + " " * (100 * MIB),
    "a word": lambda config: '"' + "x" * (100 * MIB),
    "an annotation": grown(lambda config: config.update(annotations={"a": "x" * (100 * MIB)})),
    "an argument": grown(lambda config: config["process"].update(args=["x" * (100 * MIB)])),
    "numbers": lambda config: with_member(config, '"a":[' + "1," * (30 * MIB) + "1]"),
    "objects": lambda config: with_member(config, '"a":[' + '{"a":1},' * (10 * MIB) + "1]"),
    "arrays in arrays": lambda config: "[" * (50 * MIB),
}


@pytest.mark.parametrize("what", HUGE)
def test_a_huge_config(bundle, what):
    path = bundle("true")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(HUGE[what](config))
    refused(measured("sctr-oci", "create", "--bundle", path, "huge"), "config", "File too large")


def test_a_config_that_never_ends(bundle):
    path = bundle("true")
    (path / "config.json").unlink()
    (path / "config.json").symlink_to("/dev/zero")
    refused(measured("sctr-oci", "create", "--bundle", path, "huge"), "File too large")


NEARLY = 7 * MIB

LARGE = {
    "garbage": (lambda config: '"' + "x" * NEARLY, "invalid config"),
    "10,000 levels": (lambda config: with_member(config, '"a":' + "[" * 10000 + "]" * 10000), "nested deeper"),
    "objects 10,000 deep": (lambda config: with_member(config, '"a":' + '{"a":' * 10000 + "1" + "}" * 10000), "nested deeper"),
    "a name": (lambda config: with_member(config, '"process":{"args":["' + "x" * NEARLY + '"],"cwd":"/"}'), ""),
    "a wrong type": (grown(lambda config: config["process"].update(cwd={"x" * NEARLY: 1})), "/process/cwd"),
    "a mount option": (
        grown(lambda config: config["mounts"][0].update(options=["x" * NEARLY])),
        "cannot mount",
    ),
    "a property": (
        grown(lambda config: config.update(annotations={"org.systemd.property.Xyz": "[" * NEARLY})),
        "org.systemd.property.Xyz",
    ),
    "a filter": (
        grown(
            lambda config: config["linux"].update(
                seccomp={
                    "defaultAction": "SCMP_ACT_ALLOW",
                    "syscalls": [
                        {"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": i, "op": "SCMP_CMP_EQ"}]}
                        for i in range(20000)
                    ],
                }
            )
        ),
        "4096",
    ),
    "100,000 mounts": (
        grown(
            lambda config: config["mounts"].extend(
                {"destination": f"/tmp/{i}", "type": "tmpfs", "source": "x"} for i in range(100000)
            )
        ),
        "cannot",
    ),
    "an argument": (grown(lambda config: config["process"].update(args=["true", "x" * NEARLY])), "too long"),
}


@pytest.mark.parametrize("what", LARGE)
def test_a_large_config(bundle, own_rootfs, what):
    make, word = LARGE[what]
    path = bundle("true")
    config = json.loads((path / "config.json").read_text())
    config["root"] = {"path": str(own_rootfs)}
    (path / "config.json").write_text(make(config))
    outcome = measured("sctr-oci", "run", "--bundle", path, "large")
    engine.oci("delete", "--force", "large")
    refused(outcome, word)


@pytest.mark.parametrize("size", [100 * MIB, NEARLY])
@pytest.mark.parametrize("verb", ["exec", "update", "update from stdin"])
def test_other_documents(container, tmp_path, verb, size):
    running = container().start().expect("ready")
    file = tmp_path / "huge.json"
    file.write_text('{"args":["' + "x" * size + '"],"cwd":"/","memory":{"limit":"' + "y" * 100 + '"}}')
    words = {
        "exec": ("exec", "--process", file, running.id),
        "update": ("update", "--resources", file, running.id),
        "update from stdin": ("update", "--resources", "-", running.id),
    }[verb]
    refused(measured("sctr-oci", *words, stdin=file if verb.endswith("stdin") else os.devnull))


@pytest.mark.parametrize("size", [100 * MIB, NEARLY])
@pytest.mark.parametrize("where", ["index", "manifest", "config", "docker"])
def test_an_image_of_huge_documents(tmp_path, where, size):
    long_text = json.dumps({"schemaVersion": 2, "manifests": 1, "layers": 1, "x": "y" * size}).encode()
    archive = Layer().file("oci-layout", '{"imageLayoutVersion":"1.0.0"}')
    kind = "application/vnd.oci.image."
    if where == "index":
        archive.file("index.json", long_text)
    elif where == "docker":
        archive = Layer().file("manifest.json", long_text)
    else:
        blobs = [long_text]
        entry = descriptor(kind + "manifest.v1+json", long_text)
        if where == "config":
            manifest = {"schemaVersion": 2, "config": descriptor(kind + "config.v1+json", long_text), "layers": []}
            blobs.append(json.dumps(manifest).encode())
            entry = descriptor(kind + "manifest.v1+json", blobs[-1])
        archive.file("index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        for blob in blobs:
            archive.file("blobs/sha256/" + descriptor("", blob)["digest"].removeprefix("sha256:"), blob)
    path = tmp_path / "huge.tar"
    path.write_bytes(archive.bytes())
    refused(measured("sctr", "load", "-q", "-i", path))
    measured("sctr", "system", "prune")
