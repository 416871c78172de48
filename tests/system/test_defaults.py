# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a container has when nobody asks for anything, beside podman's and docker's: never more."""

import json
import shutil
import subprocess

import pytest

from harness import host, sctr, unique_name

# Source: docs.docker.com, "Runtime privilege and Linux capabilities".
DOCKERS_CAPABILITIES = set(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID "
    "SYS_CHROOT".split()
)
# Source: docker's API, HostConfig.MaskedPaths and ReadonlyPaths of a container that asks for nothing.
DOCKERS_MASKED = set(
    "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi "
    "/proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware".split()
)
DOCKERS_READONLY = set("/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split())

RESTRICTIONS = {"ro", "nosuid", "nodev", "noexec"}


@pytest.fixture(scope="module")
def podmans(rootfs, tmp_path_factory):
    """The OCI configuration that the installed podman makes for a container that asks for nothing."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")
    root = tmp_path_factory.mktemp("podman") / "rootfs"
    host("cp", "-a", rootfs, root)
    name = unique_name("defaults")
    # Any runtime does: what is looked at is what podman asks of it.
    podman = ["podman", "--runtime", "/usr/bin/sctr-oci"]
    host(*podman, "create", "--name", name, "--network", "none", "--rootfs", root, "sh")
    try:
        host(*podman, "init", name)
        with open(host("podman", "inspect", "-f", "{{.OCIConfigPath}}", name).strip()) as file:
            return json.load(file)
    finally:
        host(*podman, "rm", "-f", name)


@pytest.fixture(scope="module")
def ours(rootfs):
    return json.loads(sctr("run", "--dry-run", "--rootfs", rootfs, "true").ok())


@pytest.fixture(scope="module")
def status(rootfs):
    lines = sctr("run", "--rootfs", rootfs, "cat", "/proc/self/status").ok().splitlines()
    return dict(line.split(":\t", 1) for line in lines)


def names_of(bits):
    """The names of a capability set, as capsh(1) has them."""
    text = subprocess.run(["capsh", f"--decode={bits}"], capture_output=True, text=True, check=True).stdout
    listed = text.strip().partition("=")[2]
    return {name.removeprefix("cap_").upper() for name in listed.split(",") if name}


def test_capabilities(podmans, status):
    theirs = {name.removeprefix("CAP_") for name in podmans["process"]["capabilities"]["bounding"]}
    for name in ("CapBnd", "CapEff", "CapPrm"):
        own = names_of(status[name])
        assert own <= theirs, name
        assert own < DOCKERS_CAPABILITIES, name
    # With these a container makes device nodes, forges packets and writes to the host's audit log.
    assert not {"MKNOD", "NET_RAW", "AUDIT_WRITE"} & names_of(status["CapBnd"])
    for name in ("CapInh", "CapAmb"):
        assert names_of(status[name]) == set(), name


def test_masked_and_read_only_paths(podmans, ours):
    masked, readonly = set(ours["maskedPaths"]), set(ours["readonlyPaths"])
    assert masked >= set(podmans["linux"]["maskedPaths"]) and masked >= DOCKERS_MASKED
    for theirs in (set(podmans["linux"]["readonlyPaths"]), DOCKERS_READONLY):
        assert masked | readonly >= theirs


def test_mounts(podmans, ours):
    own = {mount["target"]: set(mount.get("attributes", [])) for mount in ours["mounts"]}
    seen = 0
    for mount in podmans["mounts"]:
        if mount["destination"].startswith(("/proc", "/sys", "/dev")):
            assert own[mount["destination"]] >= RESTRICTIONS & set(mount["options"]), mount
            seen += 1
    assert seen >= 7
    assert {target for target in own if target.startswith(("/proc", "/sys", "/dev"))} <= {
        mount["destination"] for mount in podmans["mounts"]
    }


def test_namespaces(podmans, ours):
    own = {name for name, kind in ours["namespaces"].items() if kind == "new"}
    assert own >= {each["type"] for each in podmans["linux"]["namespaces"]}


def test_devices(ours, run):
    """The nodes that the OCI runtime-spec asks for ("Default Devices"), and no other can be used."""
    assert set(ours["devices"]) == {f"/dev/{name}" for name in "null zero full random urandom tty".split()}
    allowed = {device: access for device, access in ours["unit"]["properties"]["DeviceAllow"]}
    assert ours["unit"]["properties"]["DevicePolicy"] == "strict"
    only_made = {device for device, access in allowed.items() if access == "m"}
    assert only_made == {"char-*", "block-*"}, "what may be made may not be opened"
    usable = set(allowed) - only_made
    assert usable == {f"/dev/char/{number}" for number in "1:3 1:5 1:7 1:8 1:9 5:0 5:1 5:2".split()} | {"char-136"}
    found = run("sh", "-c", "find /dev -type b -o -type c | sort").ok().split()
    assert set(found) == set(ours["devices"]) | {"/dev/pts/ptmx"}


def test_no_new_privileges_and_seccomp(podmans, status):
    # Neither podman nor docker sets it: sudo and ping of images work by set-user-ID. --security-opt does.
    assert podmans["process"].get("noNewPrivileges", False) is False
    assert status["NoNewPrivs"] == "0"
    assert status["Seccomp"] == "2"


def test_limits_are_never_raised(run):
    """podman and docker raise the number of files and processes as far as they can; here they are the caller's."""
    callers = host("cat", "/proc/self/limits")
    assert run("cat", "/proc/self/limits").ok() == callers.rstrip("\n")


def test_privileged_is_what_it_says(run):
    """The one word that lifts all of this is not the default of anything."""
    assert int(run("--privileged", "grep", "CapBnd", "/proc/self/status").ok().split()[1], 16) > 2**38
