# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every command and flag that people and engines know from runc (and of crun's, those they use)."""

import json

import pytest

from engine import oci

CREATE = "--bundle -b --config -f --console-socket --pid-file --pidfd-socket --preserve-fds --no-pivot --no-new-keyring"
CRIU = ("--image-path --work-path --tcp-established --ext-unix-sk --shell-job --lazy-pages --file-locks "
        "--manage-cgroups-mode --empty-ns --auto-dedup")  # fmt: skip

FLAGS = {
    "create": CREATE,
    "run": CREATE + " --detach -d --keep --no-subreaper",
    "start": "",
    "state": "",
    "exec": "--process -p --cwd --env -e --tty -t --user -u --additional-gids -g --detach -d --pid-file "
            "--console-socket --pidfd-socket --process-label --apparmor --no-new-privs --cap -c --preserve-fds "
            "--ignore-paused --cgroup",
    "kill": "--all -a",
    "delete": "--force -f",
    "pause": "",
    "resume": "",
    "list": "--format -f --quiet -q",
    "ps": "--format -f",
    "update": "--resources -r --blkio-weight --cpu-period --cpu-quota --cpu-burst --cpu-share --cpu-rt-period "
              "--cpu-rt-runtime --cpuset-cpus --cpuset-mems --cpu-idle --memory --memory-reservation --memory-swap "
              "--pids-limit",
    "events": "--stats --interval",
    "checkpoint": CRIU + " --parent-path --leave-running --page-server --pre-dump --status-fd",
    "restore": CRIU + " --bundle -b --detach -d --pid-file --no-subreaper --no-pivot --console-socket --lsm-profile "
                      "--lsm-mount-context",
    "features": "",
    "spec": "--bundle -b --rootless",
}  # fmt: skip
TOP = "--root --log --log-format --log-level --debug --systemd-cgroup --cgroup-manager --rootless --version -v"


def words(text):
    """Every flag that a help text names as one of its own."""
    left = [line.strip().split("  ")[0] for line in text.splitlines() if line.strip().startswith("-")]
    return {word.rstrip(",") for column in left for word in column.replace(",", " ").split() if word.startswith("-")}


@pytest.mark.parametrize("verb", FLAGS)
@pytest.mark.parametrize("ask", ["--help", "-h"])
def test_every_flag_is_known_and_explained(verb, ask):
    text = oci(verb, ask).ok()
    missing = set(FLAGS[verb].split()) - words(text)
    assert not missing
    assert f"sctr-oci {verb}" in text, "an example"


def test_the_flags_before_the_command():
    text = oci("--help").ok()
    assert not set(TOP.split()) - words(text)
    assert all(f"\n  {verb} " in text for verb in FLAGS)
    assert oci("-h").ok() == text and oci().ok() == text


def test_engines_find_that_checkpoints_are_possible():
    """podman asks so."""
    assert oci("checkpoint", "--help").status == 0
    assert json.loads(oci("features").ok())["annotations"]["org.opencontainers.runc.checkpoint.enabled"] == "true"


def test_no_flag_goes_without_a_word():
    for verb in FLAGS:
        for line in oci(verb, "--help").ok().splitlines():
            if line.strip().startswith("-") and not line.strip().startswith("--log-level"):
                assert len(line.split("  ")) > 2, line


