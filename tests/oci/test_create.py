# SPDX-License-Identifier: LGPL-2.1-or-later
"""What create, run and exec pass into a container: terminals, file descriptors, sockets."""

import array
import contextlib
import json
import os
import socket
import subprocess

import pytest

import engine
from engine import oci, refused
from harness import WAIT, eventually, unique_name


@contextlib.contextmanager
def receiver(path):
    """A socket that takes one fd, as conmon's console socket does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(1)
        listener.settimeout(20)

        def take():
            connection, _ = listener.accept()
            with connection:
                text, ancillary, _, _ = connection.recvmsg(256, socket.CMSG_SPACE(4))
            (_, kind, data), = ancillary
            assert kind == socket.SCM_RIGHTS and text
            return array.array("i", data)[0]

        yield take


def read_until(fd, text):
    seen = b""
    while text not in seen:
        try:
            data = os.read(fd, 4096)
        except OSError:
            data = b""
        assert data, seen
        seen += data
    return seen


def test_a_terminal_goes_to_the_console_socket(container, tmp_path):
    with receiver(tmp_path / "console") as take:
        one = container(
            "sh", "-c", "tty; stty size; echo done",
            process={"terminal": True, "consoleSize": {"height": 33, "width": 77}},
            flags=["--console-socket", tmp_path / "console"],
        )  # fmt: skip
        master = take()
    one.start()
    text = read_until(master, b"done")
    os.close(master)
    # ONLCR stays on, as runc and crun leave it: engines' own terminals are raw and add no carriage return.
    assert b"\r\n33 77\r\n" in text


@pytest.mark.parametrize("terminal, flags", [(True, []), (False, ["--console-socket", "/tmp/x"])])
def test_terminal_and_console_socket_go_together(bundle, terminal, flags):
    path = bundle("true", process={"terminal": terminal})
    refused(oci("create", "--bundle", path, *flags, unique_name()), "console" if flags else "terminal")


def test_a_console_socket_that_nobody_listens_to(bundle, tmp_path):
    path = bundle("true", process={"terminal": True})
    name = unique_name()
    refused(oci("create", "--bundle", path, "--console-socket", tmp_path / "none", name),
            str(tmp_path / "none"), "No such file")  # fmt: skip
    refused(oci("state", name), "does not exist")


def test_a_pidfd_socket(container, tmp_path):
    with receiver(tmp_path / "pidfd") as take:
        one = container("sleep", "1000", flags=["--pidfd-socket", tmp_path / "pidfd"])
        pidfd = take()
    info = open(f"/proc/self/fdinfo/{pidfd}").read()
    os.close(pidfd)
    assert f"Pid:\t{one.pid}\n" in info


def fds_of(command, count, tmp_path):
    """Runs a command with `count` fds open from 3 on, and reads what it wrote into the last."""
    files = [os.open(tmp_path / f"fd{i}", os.O_RDWR | os.O_CREAT) for i in range(count)]

    def place():
        lifted = [os.dup2(fd, 50 + i) for i, fd in enumerate(files)]
        for i, fd in enumerate(lifted):
            os.dup2(fd, 3 + i)

    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20,
                          pass_fds=tuple(range(3, 3 + count)), preexec_fn=place)  # fmt: skip
    for fd in files:
        os.close(fd)
    return done


@pytest.mark.parametrize("count", [1, 2, 9, 20])
def test_preserved_fds_arrive_where_they_were(bundle, tmp_path, count):
    last = 2 + count
    path = bundle("sh", "-c", f"ls /proc/self/fd | wc -l; echo here >&{last}")
    command = ["sctr-oci", "run", "--preserve-fds", str(count), "--bundle", path, unique_name()]
    name = unique_name()
    with open(os.devnull, "wb"):
        done = fds_of([*command[:2], "-d", *command[2:-1], name], count, tmp_path)
    try:
        assert done.returncode == 0, done
        eventually(lambda: (tmp_path / f"fd{count - 1}").read_text() == "here\n")
    finally:
        oci("delete", "--force", name).ok()


def test_fds_to_preserve_that_are_not_open(bundle):
    refused(oci("create", "--preserve-fds", "3", "--bundle", bundle("true"), unique_name(), close_fds=True),
            "preserve", "--preserve-fds")  # fmt: skip


@pytest.mark.parametrize("value", ["x", "-1", "99999"])
def test_bad_numbers_of_fds(bundle, value):
    refused(oci("create", "--preserve-fds", value, "--bundle", bundle("true"), unique_name()), "--preserve-fds", value)


def test_no_fd_of_the_caller_leaks(container):
    one = container("sh", "-c", "ls -l /proc/self/fd | wc -l; ls -l /proc/1/fd; echo done").start().expect("done")
    targets = [line.split(" -> ")[1] for line in one.text().splitlines() if " -> " in line]
    assert all(target == "/dev/null" or target.endswith("/output") or "/proc/" in target for target in targets), one.text()


def test_exec_of_words(container):
    one = container("sh", "-c", WAIT).start().expect("ready")
    assert one.exec("echo", "hi", "there").ok() == "hi there"
    assert one.exec("sh", "-c", "exit 7").status == 7
    assert one.exec("cat", input=b"through").ok() == "through"
    assert one.exec("id", "-u", flags=["--user", "12:34"]).ok() == "12"
    assert one.exec("id", "-G", flags=["--user", "12:34", "-g", "56"]).ok() == "34 56"
    assert one.exec("pwd", flags=["--cwd", "/etc"]).ok() == "/etc"
    assert one.exec("sh", "-c", "echo \"$A\"", flags=["--env", "A=b c"]).ok() == "b c"
    refused(one.exec("no-such"), 'exec: "no-such": executable file not found in $PATH', status=255)
    refused(oci("exec", unique_name(), "true"), "does not exist", status=255)


def process_json(tmp_path, *args, **changes):
    path = tmp_path / unique_name("process")
    config = {"args": list(args), "cwd": "/", "env": ["PATH=/bin:/usr/bin"], "user": {"uid": 0, "gid": 0}}
    path.write_text(json.dumps({**config, **changes}))
    return path


def test_exec_as_conmon_does_it(container, tmp_path):
    one = container("sh", "-c", WAIT).start().expect("ready")
    pid_file = tmp_path / "pid"
    path = process_json(tmp_path, "sh", "-c", "echo $A; id -u; sleep 1000",
                        env=["PATH=/bin:/usr/bin", "A=b"], user={"uid": 5, "gid": 6})  # fmt: skip
    with open(tmp_path / "out", "wb") as out:
        subprocess.run(
            ["sctr-oci", "exec", "--pid-file", pid_file, "--process", path, "--detach", one.id],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=20, check=True,
        )  # fmt: skip
    eventually(lambda: {"b", "5"} <= set((tmp_path / "out").read_text().splitlines()))
    assert int(pid_file.read_text()) in json.loads(oci("ps", "-f", "json", one.id).ok())


def test_exec_with_a_terminal(container, tmp_path):
    one = container("sh", "-c", WAIT).start().expect("ready")
    path = process_json(tmp_path, "sh", "-c", "test -t 0 && test -t 1 && echo a terminal", terminal=True)
    with receiver(tmp_path / "console") as take:
        oci("exec", "--process", path, "--detach", "--console-socket", tmp_path / "console", one.id).ok()
        master = take()
    read_until(master, b"a terminal")
    os.close(master)


def test_bad_processes(container, tmp_path):
    one = container("sh", "-c", WAIT).start().expect("ready")
    for text, word in [("{", "line 1"), ('{"args": 5, "cwd": "/"}', "/args"), ('{"cwd": "/"}', "args")]:
        path = tmp_path / "bad.json"
        path.write_text(text)
        refused(oci("exec", "--process", path, one.id), word, status=255)
    refused(oci("exec", "--process", tmp_path / "none", one.id), str(tmp_path / "none"), status=255)


def test_exec_into_a_container_that_is_only_created(container):
    one = container("sh", "-c", WAIT)
    result = one.exec("true")
    refused(result, "created", status=255)


def test_exec_joins_the_leaf_in_which_init_is(container):
    script = "mkdir /sys/fs/cgroup/leaf && echo 1 > /sys/fs/cgroup/leaf/cgroup.procs && echo ready; sleep 1000"
    config = engine.default_config()
    mounts = [{**mount, "options": [o for o in mount["options"] if o != "ro"]}
              if mount["destination"] == "/sys/fs/cgroup" else mount for mount in config["mounts"]]  # fmt: skip
    one = container("sh", "-c", script, mounts=mounts).start().expect("ready")
    assert "0::/leaf" in one.exec("cat", "/proc/self/cgroup").lines


def test_relative_paths_are_below_the_bundle(bundle, rootfs, tmp_path):
    path = bundle("cat", "/data/file", mounts=[
        *engine.default_config()["mounts"],
        {"destination": "/data", "type": "bind", "source": "data", "options": ["bind", "ro"]},
    ])  # fmt: skip
    (path / "data").mkdir()
    (path / "data/file").write_text("found")
    (path / "rootfs").symlink_to(rootfs)
    config = json.loads((path / "config.json").read_text())
    config["root"]["path"] = "rootfs"
    (path / "config.json").write_text(json.dumps(config))
    assert oci("run", "--bundle", path, unique_name()).ok() == "found"
    assert oci("run", unique_name(), cwd=path).ok() == "found"


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"process": {"cwd": "relative"}}, ["/process/cwd"]),
        ({"process": {"args": []}}, ["/process/args"]),
        ({"process": {"capabilities": {"bounding": ["CAP_NONSENSE"]}}}, ["/process/capabilities/bounding", "CAP_NONSENSE"]),
        ({"linux": {"namespaces": [{"type": "nonsense"}]}}, ["/linux/namespaces/0", "nonsense"]),
        ({"linux": {"cgroupsPath": "a:b:c:d"}}, ["/linux/cgroupsPath"]),
        ({"root": {"path": "/no/such/rootfs"}}, ["/no/such/rootfs"]),
        ({"ociVersion": "x"}, ["/ociVersion"]),
    ],
)
def test_bad_configs_are_found_before_anything_is_made(bundle, changes, words):
    name = unique_name()
    refused(oci("create", "--bundle", bundle("true", **changes), name), *words)
    refused(oci("state", name), "does not exist")


def test_a_bundle_without_config(tmp_path):
    refused(oci("create", "--bundle", tmp_path, "x"), "config.json", "No such file")
