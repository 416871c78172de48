# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each way to fail is one line that says what, where, why and what to do; nothing is left behind."""

import contextlib
import os
import socket
import subprocess
import threading

import pytest

from harness import Result, eventually, host, sctr, unique_name, unit_of


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda path: path / "missing", ["missing", "No such file"]),
        (lambda path: _file(path), ["file", "Not a directory"]),
        (lambda path: _loop(path), ["loop"]),
        (lambda path: "", ["--rootfs"]),
    ],
    ids=["missing", "file", "loop", "empty"],
)
def test_a_bad_rootfs(tmp_path, make, words):
    sctr("run", "--rootfs", make(tmp_path), "true").failed(125, *words)


def _file(path):
    (path / "file").write_text("")
    return path / "file"


def _loop(path):
    (path / "loop").symlink_to("loop")
    return path / "loop"


def test_no_rootfs():
    sctr("run").failed(125, "--rootfs", "name an image")


@pytest.mark.parametrize(
    "verb, said",
    [("rnu", "did you mean 'run'"), ("history", "image history"), ("info", "doctor"),
     ("login", "skopeo login"), ("logout", "skopeo logout"), ("search", "skopeo"), ("version", "--version")],
)  # fmt: skip
def test_an_unknown_verb(verb, said):
    sctr(verb).failed(125, f"'{verb}'", said)


def test_an_empty_rootfs(tmp_path):
    sctr("run", "--rootfs", tmp_path, "true").failed(127, "true")


def test_the_name_is_in_use(start, run):
    with start() as container:
        run("--name", container.name, "true").failed(125, "in use", container.name, "sctr rm -f")
        assert container.exec("echo", "unharmed").ok() == "unharmed"


def test_the_unit_exists_and_is_not_ours(run):
    name = unique_name()
    host("systemd-run", "--unit", unit_of(name).replace(".scope", ".service"), "sleep", "1000")
    try:
        assert run("--name", name, "echo", "a service is no scope").status == 0
    finally:
        host("systemctl", "stop", unit_of(name).replace(".scope", ".service"))


def test_the_scope_is_somebody_elses(run, background):
    name = unique_name()
    background("systemd-run", "--scope", "--unit", unit_of(name), "sleep", "1000")
    eventually(lambda: host("systemctl", "is-active", unit_of(name), check=False) == "active\n")
    try:
        run("--name", name, "true").failed(125, "in use", unit_of(name))
        assert host("systemctl", "is-active", unit_of(name)) == "active\n"
    finally:
        host("systemctl", "stop", unit_of(name))


def test_the_job_fails(run, tmp_path):
    # A unit that the scope requires and that cannot start: its job ends with "dependency".
    file = "/run/systemd/system/sctr-test-broken.service"
    with open(file, "w") as out:
        out.write("[Service]\nType=oneshot\nExecStart=/bin/false\n")
    try:
        host("systemctl", "daemon-reload")
        name = unique_name()
        words = ["-p", "Requires=sctr-test-broken.service", "-p", "After=sctr-test-broken.service"]
        run("--name", name, *words, "true").failed(125, unit_of(name))
    finally:
        os.unlink(file)
        host("systemctl", "reset-failed", "sctr-test-broken.service", check=False)
        host("systemctl", "daemon-reload")


def test_a_property_that_systemd_refuses(run):
    # A cycle in ordering is nothing that a flag's parser can see.
    run("-p", "Slice=not-a-slice", "true").failed(125)
    run("-p", "NoSuch=1", "true").failed(125, "NoSuch")


@pytest.fixture
def as_guest():
    def run_as_guest(*words):
        command = ["runuser", "-u", "guest", "--", "sctr", *words]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, cwd="/")
        return Result(command, done.returncode, done.stdout, done.stderr)

    return run_as_guest


def test_a_plain_user(as_guest):
    as_guest("run", "--userns", "host", "--rootfs", "/", "true").failed(125, "not root", "--uidmap")
    assert as_guest("--version").status == 0
    assert as_guest("ps").status == 0


def test_root_without_capabilities(rootfs):
    prefix = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs"]
    run_prefixed(prefix, rootfs, "true").failed(125, "not permitted")


@contextlib.contextmanager
def in_private_mounts(*commands):
    """A prefix that runs a command in a mount namespace of its own, after these."""
    yield ["unshare", "--mount", "sh", "-c", "; ".join([*commands, 'exec "$@"']), "-"]


def run_prefixed(prefix, rootfs, *words):
    command = [*prefix, "sctr", "run", "--rootfs", str(rootfs), *words]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    return Result(command, done.returncode, done.stdout, done.stderr)


def test_no_bus(rootfs):
    with in_private_mounts("mount -t tmpfs x /run/dbus") as prefix:
        run_prefixed(prefix, rootfs, "true").failed(125, "D-Bus", "system_bus_socket")


def test_no_systemd(rootfs):
    with in_private_mounts("mount -t tmpfs x /run/dbus", "mount -t tmpfs x /run/systemd") as prefix:
        run_prefixed(prefix, rootfs, "true").failed(125, "systemd")


@pytest.mark.parametrize("program, status", [("sctr", 125), ("sctr-oci", 1)])
def test_half_an_installation(program, status):
    """What is on the PATH only starts the real program."""
    with in_private_mounts("mount -t tmpfs x /usr/libexec/sctr") as prefix:
        command = [*prefix, program, "--version"]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    error = Result(command, done.returncode, done.stdout, done.stderr)
    error.failed(status, f"/usr/libexec/sctr/{program}", "No such file", "install")


def test_a_bus_address_that_leads_nowhere(run):
    result = run("true", env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/no/such/socket"})
    result.failed(125, "/no/such/socket")


def test_a_bus_that_does_not_answer(run, tmp_path):
    """Somebody accepts the connection and says nothing: the deadline ends the wait."""
    path = tmp_path / "bus"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        held = []
        thread = threading.Thread(target=lambda: held.append(listener.accept()), daemon=True)
        thread.start()
        env = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={path}"}
        run("true", env=env, timeout=60).failed(125, "D-Bus")
        for connection, _ in held:
            connection.close()


@pytest.fixture
def forbid():
    """forbid(KIND): the kernel makes no more namespaces of that kind."""
    changed = []

    def write(kind):
        file = f"/proc/sys/user/max_{kind}_namespaces"
        before = open(file).read()
        try:
            with open(file, "w") as out:
                out.write("0")
        except PermissionError:
            pytest.skip("root of this host lacks CAP_SYS_RESOURCE, which limiting namespaces needs")
        changed.append((file, before))

    yield write
    for file, before in changed:
        with open(file, "w") as out:
            out.write(before)


@pytest.mark.parametrize("kind", ["pid", "mnt", "net", "ipc", "uts", "cgroup"])
def test_a_namespace_is_refused(run, forbid, kind):
    forbid(kind)
    error = run("true").failed(125, "namespace", "No space left")
    assert "max_" in error or {"mnt": "mount", "net": "network"}.get(kind, kind) in error


def test_a_mount_is_refused(own_rootfs):
    words = ["run", "--rootfs", own_rootfs]
    (own_rootfs / "file").write_text("")
    sctr(*words, "-v", "/etc:/file", "true").failed(125, "/file")
    sctr(*words, "-v", "/etc/hostname:/etc", "true").failed(125, "/etc")
    sctr(*words, "--tmpfs", "/file", "true").failed(125, "/file")
    sctr(*words, "-v", "/etc:/etc/passwd/x", "true").failed(125, "/etc/passwd")


def test_a_read_only_rootfs_without_mount_points(own_rootfs):
    (own_rootfs / "proc").rmdir()
    host("mount", "--bind", own_rootfs, own_rootfs)
    host("mount", "-o", "remount,bind,ro", own_rootfs)
    try:
        error = sctr("run", "--rootfs", own_rootfs, "true").failed(125, "/proc", "Read-only")
        assert "mount point" in error
    finally:
        host("umount", own_rootfs)


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    host("mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=20", "small", place)
    yield place
    host("umount", place)


def test_the_disk_is_full(run, small_disk):
    with contextlib.suppress(OSError):
        (small_disk / "filler").write_bytes(b"x" * 200_000)
    error = run("--pidfile", small_disk / "pid", "true").failed(125, "No space left")
    assert str(small_disk / "pid") in error
    assert not (small_disk / "pid").exists()


def test_the_disk_of_the_rootfs_is_full(small_disk):
    (small_disk / "bin").mkdir()
    with contextlib.suppress(OSError):
        for number in range(100):
            (small_disk / f"f{number}").touch()
    error = sctr("run", "--rootfs", small_disk, "/bin/x").failed(125, "No space left")
    assert "free space" in error


def test_the_state_directory_is_full(run):
    os.makedirs("/run/sctr", exist_ok=True)
    host("mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=3", "full", "/run/sctr")
    try:
        run("true").failed(125, "/run/sctr", "No space left")
    finally:
        host("umount", "/run/sctr")


def test_the_state_directory_cannot_be_made(run):
    os.makedirs("/run/sctr", exist_ok=True)
    host("mount", "-t", "tmpfs", "-o", "ro", "ro", "/run/sctr")
    try:
        run("true").failed(125, "/run/sctr", "Read-only")
    finally:
        host("umount", "/run/sctr")


def test_stdout_is_full():
    with open("/dev/full", "w") as full:
        done = subprocess.run(["sctr", "doctor"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 125 and "standard output" in done.stderr


def test_arguments_near_the_kernels_limit(run):
    run("-e", "A=" + "x" * 120_000, "true", *["x" * 100_000] * 10).ok()


def test_a_directory_is_not_mounted_on_a_file(own_rootfs):
    (own_rootfs / "file").write_text("")
    words = ["run", "--rootfs", own_rootfs]
    sctr(*words, "-v", "/etc:/file", "true").failed(125, "/file", "directory")
    sctr(*words, "-v", "/etc/hostname:/etc", "true").failed(125, "/etc", "directory")
