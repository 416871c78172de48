# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hooks of the OCI runtime-spec: what runs when, where, with which state, and what a failure does."""

import json
import os

import pytest

from harness import eventually, host

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
# startContainer hooks see the container's root, where these tests find nothing of theirs.
ON_HOST = [kind for kind in KINDS if kind != "startContainer"]
IN_RUNTIME = ("prestart", "createRuntime", "poststart", "poststop")


def shell(script, **members):
    return {
        "path": "/bin/sh",
        "args": ["sh", "-c", script],
        "env": ["PATH=/usr/bin:/bin"],
    } | members


def failed(result, *words):
    assert result.status != 0, result
    for word in words:
        assert word in result.stderr, f"no {word!r} in {result}"


def test_the_state(bundle):
    bundle.config["annotations"] = {"com.example/key": "value"}
    bundle.config["hooks"] = {
        kind: [shell(f"cat > {bundle.path}/{kind}")] for kind in ON_HOST
    } | {"startContainer": [shell("cat > /tmp/state")]}
    inside = json.loads(bundle.run("cat", "/tmp/state").ok())
    states = {kind: json.loads((bundle.path / kind).read_text()) for kind in ON_HOST}
    states["startContainer"] = inside
    pids = {kind: state.pop("pid", None) for kind, state in states.items()}
    statuses = {kind: state.pop("status") for kind, state in states.items()}
    assert statuses == {
        "prestart": "created",
        "createRuntime": "creating",
        "createContainer": "creating",
        "startContainer": "created",
        "poststart": "running",
        "poststop": "stopped",
    }
    # The pid is that of the pid namespace in which the hook runs.
    assert pids["createContainer"] == pids["startContainer"] == 1
    assert pids["prestart"] == pids["createRuntime"] == pids["poststart"] > 1
    assert pids["poststop"] is None
    for kind in KINDS:
        assert states[kind] == {
            "ociVersion": "1.3.0",
            "id": bundle.name,
            "bundle": str(bundle.path),
            "annotations": {"com.example/key": "value"},
        }


def test_the_order(bundle):
    log = bundle.path / "log"
    bundle.config["hooks"] = {
        kind: [shell(f"echo {kind} {i} >> {log}") for i in (1, 2)] for kind in ON_HOST
    }
    bundle.config["hooks"]["startContainer"] = [shell("echo first > /tmp/mark")]
    bundle.config["mounts"].append(
        {"destination": "/log", "type": "bind", "source": str(bundle.path), "options": ["bind"]}
    )
    # The command ends once the poststart hooks are done, whose order to it is not defined.
    wait = "until grep -q 'poststart 2' /log/log; do :; done"
    bundle.run("sh", "-c", f"echo command $(cat /tmp/mark) >> /log/log; {wait}").ok()
    lines = log.read_text().splitlines()
    lines.remove("command first")
    assert lines == [f"{kind} {i}" for kind in ON_HOST for i in (1, 2)]


def test_the_namespaces(bundle):
    kinds = ("mnt", "pid", "net", "uts", "ipc")
    look = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
    bundle.config["hooks"] = {kind: [shell(f"({look}) > {kind}.ns")] for kind in IN_RUNTIME}
    bundle.config["hooks"]["createContainer"] = [shell(f"({look}) > {bundle.path}/inner")]
    bundle.config["hooks"]["startContainer"] = [shell(f"({look}) > /tmp/ns")]
    inside = bundle.run("sh", "-c", f"cat /tmp/ns; {look}").ok().splitlines()
    own = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
    assert inside[:5] == inside[5:]
    assert not set(inside) & set(own)
    assert (bundle.path / "inner").read_text().split() == inside[5:]
    for kind in IN_RUNTIME:
        # The working directory is the bundle.
        assert (bundle.path / f"{kind}.ns").read_text().split() == own


def test_the_process_is_in_its_scope_and_its_root_prepared(bundle, rootfs):
    script = """
        pid=$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/')
        cat /proc/$pid/cgroup > cgroup
        nsenter -t $pid -m stat -f -c %T {root}/proc {root}/tmp > mounts
        readlink /proc/$pid/root > root
    """
    bundle.config["hooks"] = {"createRuntime": [shell(script.format(root=rootfs))]}
    bundle.run("true").ok()
    assert f"{bundle.name}.scope" in (bundle.path / "cgroup").read_text()
    assert (bundle.path / "mounts").read_text().split() == ["proc", "tmpfs"]


def test_the_environment(bundle):
    places = {kind: bundle.path / kind for kind in ON_HOST} | {"startContainer": "/tmp/test"}
    bundle.config["hooks"] = {
        kind: [{"path": "/bin/sh", "args": ["sh", "-c", f"echo $TEST > {place}"]}]
        for kind, place in places.items()
    }
    bundle.process["env"].append("TEST=container")
    run = bundle.run("cat", "/tmp/test", env=os.environ | {"TEST": "runtime"})
    assert run.ok() == "container"
    for kind in ON_HOST:
        assert (bundle.path / kind).read_text() == "runtime\n", kind


def test_a_create_container_hook_can_still_mount(bundle):
    mount = "mount -t tmpfs -o size=64k tmpfs ./root && echo found > ./root/by-hook"
    bundle.config["hooks"] = {"createContainer": [shell(mount)]}
    assert bundle.run("cat", "/root/by-hook").ok() == "found"


def test_start_container_hooks_have_no_more_than_the_command(bundle):
    bundle.process["user"] = {"uid": 1234, "gid": 50, "umask": 0o27}
    bundle.process["noNewPrivileges"] = True
    bundle.process["cwd"] = "/etc"
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}],
    }
    look = (
        "pwd; umask; mkdir /tmp/x 2>/dev/null || echo no; "
        "grep -E '^(Uid|Cap|NoNew|Seccomp:)' /proc/self/status"
    )
    bundle.config["hooks"] = {"startContainer": [shell(f"({look}) > /tmp/hook")]}
    bundle.config["mounts"][-1]["options"] = ["mode=1777"]
    lines = bundle.run("sh", "-c", f"cat /tmp/hook; {look}").ok().splitlines()
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]
    assert lines[:3] == ["/etc", "0027", "no"]


def test_a_hook_of_the_container_sees_no_file_of_the_host(bundle):
    look = "for f in /proc/self/fd/* /proc/1/fd/*; do readlink $f || :; done > /tmp/fds"
    bundle.config["hooks"] = {"startContainer": [shell(look)]}
    fds = bundle.run("cat", "/tmp/fds").ok().splitlines()
    assert {fd.split(" ")[0] for fd in fds} <= {"/memfd:state", "/memfd:hook-output", "/tmp/fds"}
    assert len(fds) >= 3


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_failed_hook_fails_the_container(bundle, kind):
    bundle.config["hooks"] = {
        kind: [shell("exit 0"), shell("echo money is out >&2; exit 7"), shell("touch never")],
        "poststop": [shell("touch poststop")],
    }
    result = bundle.run("sleep", "1000")
    failed(result, f"/hooks/{kind}/1", "/bin/sh", "exit status 7", "money is out")
    assert not (bundle.path / "never").exists()
    assert (bundle.path / "poststop").exists()


def test_a_failed_poststop_hook_is_a_warning(bundle):
    bundle.config["hooks"] = {
        "poststop": [shell("exit 7"), shell("touch next"), {"path": "/no/such"}]
    }
    result = bundle.run("true")
    assert result.status == 0
    assert "/hooks/poststop/0" in result.stderr and "/hooks/poststop/2" in result.stderr
    assert (bundle.path / "next").exists()


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_late_hook_is_killed(bundle, kind):
    # With its child, which would be found by its name.
    script = f"sh -c ': {bundle.name}; sleep 1000; :' & wait"
    bundle.config["hooks"] = {kind: [shell(script, timeout=1)]}
    failed(bundle.run("sleep", "1000"), f"/hooks/{kind}/0", "within 1 s")
    eventually(lambda: not host("pgrep", "-f", f": {bundle.name}", check=False), what="the end of its child")


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer", "startContainer"])
@pytest.mark.parametrize(
    ("path", "why"), [("/no/such/hook", "No such file"), ("/etc/passwd", "Permission denied")]
)
def test_a_hook_that_cannot_be_executed(bundle, kind, path, why):
    bundle.config["hooks"] = {kind: [{"path": path}]}
    failed(bundle.run("true"), f"/hooks/{kind}/0 ({path})", why)


def test_output_goes_to_the_files_of_the_annotations(bundle):
    out, err = bundle.path / "out", bundle.path / "err"
    bundle.config["annotations"] = {
        "run.oci.hooks.stdout": str(out),
        "run.oci.hooks.stderr": str(err),
    }
    bundle.config["hooks"] = {kind: [shell(f"echo {kind}; echo {kind} >&2")] for kind in KINDS}
    bundle.run("sh", "-c", "sleep 0.2").ok()
    assert sorted(out.read_text().split()) == sorted(KINDS)
    assert err.read_text() == out.read_text()


def test_hooks_in_a_user_namespace(bundle):
    bundle.map_users()
    look = shell("tr -s ' ' < /proc/self/uid_map >&2; exit 7")
    for kind, mapping in (
        ("createRuntime", "0 0 4294967295"),
        ("createContainer", "0 100000 65536"),
        ("startContainer", "0 100000 65536"),
    ):
        bundle.config["hooks"] = {kind: [look]}
        failed(bundle.run("true"), mapping)
