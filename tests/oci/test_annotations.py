# SPDX-License-Identifier: LGPL-2.1-or-later
"""Annotations run.oci.*, as crun has them."""

import json
from pathlib import Path

import pytest

import engine
from engine import oci, refused
from harness import CGROUP, WAIT, eventually, unique_name


def cgroup_of(pid):
    return Path(f"/proc/{pid}/cgroup").read_text().splitlines()[-1].removeprefix("0::")


def test_a_subgroup(container):
    one = container("sh", "-c", "tail -n 1 /proc/self/cgroup; " + WAIT, annotations={"run.oci.systemd.subgroup": "payload"})
    assert cgroup_of(one.pid).endswith(f"/sctr-{one.id}.scope/payload")
    one.start().expect("ready")
    assert "0::/\n" in one.text(), "it is the root of its cgroup namespace"
    added = one.exec("tail", "-n", "1", "/proc/self/cgroup").ok()
    assert added == "0::/"
    assert one.pid in json.loads(oci("ps", "-f", "json", one.id).ok())
    oci("pause", one.id).ok()
    assert one.status() == "paused"
    oci("resume", one.id).ok()
    oci("events", "--stats", one.id).ok()
    oci("kill", "--all", one.id, "KILL").ok()
    one.stopped()
    oci("delete", one.id).ok()
    eventually(lambda: not list(CGROUP.glob(f"**/sctr-{one.id}.scope")), what="the end of its cgroup")


def test_a_delegated_cgroup_below_it(container):
    one = container("sh", "-c", "tail -n 1 /proc/self/cgroup; " + WAIT,
                    annotations={"run.oci.systemd.subgroup": "limits", "run.oci.delegate-cgroup": "own"})  # fmt: skip
    assert cgroup_of(one.pid).endswith(f"/sctr-{one.id}.scope/limits/own")
    one.start().expect("ready")
    assert "0::/own\n" in one.text(), "the namespace's root is above it"


def test_an_empty_subgroup_is_none(container):
    one = container("true", annotations={"run.oci.systemd.subgroup": ""})
    assert cgroup_of(one.pid).endswith(f"/sctr-{one.id}.scope")


@pytest.mark.parametrize(
    "annotations, words",
    [
        ({"run.oci.systemd.subgroup": "../other"}, ["run.oci.systemd.subgroup", "../other"]),
        ({"run.oci.systemd.subgroup": "a//b"}, ["run.oci.systemd.subgroup", "a//b"]),
        ({"run.oci.delegate-cgroup": "own"}, ["run.oci.delegate-cgroup", "run.oci.systemd.subgroup"]),
        ({"run.oci.systemd.subgroup": "a", "run.oci.delegate-cgroup": ".."}, ["run.oci.delegate-cgroup"]),
    ],
)
def test_bad_cgroups(bundle, annotations, words):
    name = unique_name()
    refused(oci("create", "--bundle", bundle("true", annotations=annotations), name), *words)
    refused(oci("state", name), "does not exist")


NOTIFIES = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]}


@pytest.mark.parametrize("how", ["annotation", "variable"])
def test_a_seccomp_receiver(bundle, tmp_path, how):
    """That it is asked; who answers is tested with listenerPath."""
    path = str(tmp_path / "nobody")
    annotations = {"run.oci.seccomp.receiver": path} if how == "annotation" else {}
    env = {"RUN_OCI_SECCOMP_RECEIVER": path} if how == "variable" else {}
    one = bundle("true", annotations=annotations, linux={"seccomp": NOTIFIES})
    refused(oci("run", "--bundle", one, unique_name(), env=env), path)


def test_a_receiver_is_an_absolute_path(bundle):
    one = bundle("true", annotations={"run.oci.seccomp.receiver": "nobody"}, linux={"seccomp": NOTIFIES})
    refused(oci("run", "--bundle", one, unique_name()), "nobody", "run.oci.seccomp.receiver")


def test_output_of_hooks(container, tmp_path):
    hook = [{"path": "/bin/sh", "args": ["sh", "-c", "echo out; echo err >&2"]}]
    one = container("true", hooks={"createRuntime": hook, "poststop": hook},
                    annotations={"run.oci.hooks.stdout": str(tmp_path / "out"), "run.oci.hooks.stderr": str(tmp_path / "err")})  # fmt: skip
    one.start().stopped()
    oci("delete", one.id).ok()
    assert (tmp_path / "out").read_text() == "out\nout\n" and (tmp_path / "err").read_text() == "err\nerr\n"


def test_exec_into_a_cgroup_of_the_container(container):
    one = container("sh", "-c", WAIT, annotations={"run.oci.systemd.subgroup": "payload"}).start().expect("ready")
    show = ["tail", "-n", "1", "/proc/self/cgroup"]
    for name in ("payload", "/payload/"):
        assert one.exec(*show, flags=["--cgroup", name]).ok() == "0::/"
    scope = CGROUP / cgroup_of(one.pid).removesuffix("/payload").lstrip("/")
    own = one.exec(*show, flags=["--cgroup", "/"])
    if (scope / "cgroup.subtree_control").read_text().strip():
        # The kernel keeps processes out of what passes controllers on.
        refused(own, "busy", status=255)
    else:
        assert own.ok() == "0::/.."
    for name in ("missing", "../..", "cpu:/x"):
        refused(one.exec("true", flags=["--cgroup", name]), "cgroup", status=255)
