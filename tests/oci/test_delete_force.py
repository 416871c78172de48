# SPDX-License-Identifier: LGPL-2.1-or-later
"""delete --force does not wait for whoever hangs."""

import subprocess

from engine import oci, refused
from harness import DEADLINE, WAIT, eventually, unique_name


def hook(*args):
    return [{"path": "/bin/sh", "args": ["sh", "-c", *args]}]


def begin(background, *words):
    return background("sctr-oci", *words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def test_of_a_start_whose_hook_in_the_container_hangs(container, background):
    one = container("sh", "-c", WAIT, hooks={"startContainer": hook("exec sleep 1000")})
    start = begin(background, "start", one.id)
    eventually(lambda: len(oci("ps", "-f", "json", one.id).ok().split(",")) > 1, what="the hook")
    oci("delete", "--force", one.id).ok()
    start.wait(DEADLINE)
    refused(oci("state", one.id), "does not exist")


def test_of_a_start_whose_hook_on_the_host_hangs(container, background, tmp_path):
    mark = tmp_path / "hangs"
    one = container("sh", "-c", WAIT, hooks={"poststart": hook(f"touch {mark}; exec sleep 1000")})
    start = begin(background, "start", one.id)
    eventually(mark.exists, what="the hook")
    oci("delete", "--force", one.id).ok()
    refused(oci("state", one.id), "does not exist")
    start.terminate()
    assert start.wait(DEADLINE) != 0


def test_of_a_create_whose_hook_hangs(bundle, background, tmp_path):
    mark = tmp_path / "hangs"
    name = unique_name()
    path = bundle("true", hooks={"createRuntime": hook(f"touch {mark}; exec sleep 1000")})
    create = begin(background, "create", "--bundle", path, name)
    eventually(mark.exists, what="the hook")
    oci("delete", "--force", name).ok()
    refused(oci("state", name), "does not exist")
    create.terminate()
    assert create.wait(DEADLINE) != 0
    refused(oci("state", name), "does not exist")
