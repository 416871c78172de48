# SPDX-License-Identifier: LGPL-2.1-or-later
"""podman run, and what is done with a running container."""

import json
import subprocess

import pytest

from harness import CGROUP, WAIT, eventually, host, unique_name
from podman import command_line, podman
from terminal import Terminal

as_root = pytest.mark.parametrize("account", ["root"], indirect=True, scope="session")
RUNNING = ("running", "running")
ENDED = ("exited", None)


@pytest.fixture
def run(image):
    """run(FLAG..., command=...): `podman run --rm` to its end."""
    return lambda *flags, command, **options: podman("run", "--rm", *flags, image, *command, **options)


def test_it_is_known_by_its_name():
    runtime = json.loads(podman("info", "--format", "json").ok())["host"]["ociRuntime"]
    assert runtime["name"] == "sctr" and runtime["path"].endswith("/sctr-oci")
    assert runtime["version"].startswith("sctr-oci version ")


def test_the_drop_in_does_not_make_it_the_default(account):
    info = json.loads(account.run("podman", "info", "--format", "json"))
    assert info["host"]["ociRuntime"]["name"] != "sctr"


def test_run_gives_output_and_status(run):
    done = run(command=["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (done.status, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_run_reads_standard_input(run):
    assert run("-i", command=["cat"], input=b"line\n").ok() == "line"


@pytest.mark.parametrize(
    "command, status, word",
    [
        (["no-such-command"], 127, "executable file not found"),
        (["/no/such/command"], 127, "No such file or directory"),
        (["/etc"], 126, "Permission denied"),
        (["/etc/passwd"], 126, "Permission denied"),
    ],
)
def test_a_command_that_cannot_run(run, command, status, word):
    done = run(command=command)
    assert done.status == status and word in done.stderr, done


def test_run_in_a_terminal(image):
    with Terminal(*command_line("run", "--rm", "-it", image, "sh"), rows=31, columns=101) as screen:
        screen.expect("/ # ")
        screen.send("stty size; tty\n")
        screen.expect("31 101\r\n")
        screen.expect("/dev/(pts/0|console)\r\n")
        screen.resize(40, 120)
        eventually(lambda: _size(screen) == "40 120", what="the new size")
        screen.send("exit 5\n")
        assert screen.wait() == 5


def _size(screen):
    screen.send("stty size\n")
    return screen.expect("([0-9]+ [0-9]+)\r\n").group(1).decode()


def test_the_life_of_a_container(container, account):
    one = container(command=["sh", "-c", 'trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done'])
    assert one.status() == RUNNING
    assert one.inspect("OCIRuntime") == "sctr"
    state = json.loads(account.oci("state", one.id).ok())
    assert state["pid"] == one.inspect("State", "Pid")
    scope = f"libpod-{one.id}.scope"
    assert account.show(scope, "ActiveState", "Slice") == {"Slice": account.slice, "ActiveState": "active"}
    podman("stop", one.name).ok()
    one.expect_status(*ENDED)
    assert one.inspect("State", "ExitCode") == 3
    assert not (account.slice_path / scope).exists()
    podman("start", one.name).ok()
    assert one.status() == RUNNING
    podman("kill", one.name).ok()
    assert podman("wait", one.name).ok() == "137"
    one.expect_status(*ENDED)
    podman("restart", one.name).ok()
    assert one.status() == RUNNING


def test_create_and_init_wait_for_start(image):
    name = unique_name("pod")
    podman("create", "--name", name, image, "echo", "it ran").ok()
    podman("init", name).ok()
    assert podman("logs", name).ok() == ""
    assert podman("inspect", "-f", "{{.State.Status}}", name).ok() == "initialized"
    assert podman("start", "--attach", name).ok() == "it ran"
    podman("rm", name).ok()


def test_exec(container):
    one = container("--env", "COLOUR=blue")
    done = one.exec("sh", "-c", "echo $COLOUR; cat /proc/self/cgroup; exit 9")
    assert done.status == 9 and done.lines[0] == "blue", done
    assert podman("exec", "-i", one.name, "cat", input=b"through").ok() == "through"
    flags = ["--user", "1234:50", "--workdir", "/tmp", "--env", "A=b"]
    assert podman("exec", *flags, one.name, "sh", "-c", "id -u; id -g; pwd; echo $A").lines == ["1234", "50", "/tmp", "b"]
    assert one.exec("no-such-command").status == 127
    assert one.exec("/etc").status == 126
    podman("exec", "-d", one.name, "touch", "/tmp/detached").ok()
    eventually(lambda: one.exec("test", "-e", "/tmp/detached").status == 0, what="the detached exec")
    assert one.exec("sh", "-c", "kill -9 $$").status == 137
    privileged = podman("exec", "--privileged", one.name, "grep", "CapEff", "/proc/self/status").ok()
    assert int(privileged.split()[1], 16) > int(one.exec("grep", "CapEff", "/proc/self/status").ok().split()[1], 16)


def test_exec_in_a_terminal(container):
    one = container()
    with Terminal(*command_line("exec", "-it", one.name, "sh"), rows=33, columns=99) as screen:
        screen.expect("/ # ")
        screen.send("stty size\n")
        screen.expect("33 99\r\n")
        screen.send("exit 4\n")
        assert screen.wait() == 4


def test_attach(container):
    one = container("-i", command=["sh", "-c", "echo ready; while read line; do echo got $line; done"])
    with Terminal(*command_line("attach", one.name)) as screen:
        screen.send("this\n")
        screen.expect("got this")
        assert one.status() == RUNNING
        screen.send("\x04")
        assert screen.wait() == 0


def test_pause_and_unpause(container, account):
    one = container(command=["sh", "-c", "echo ready; while :; do echo >> /tmp/beats; sleep 0.02; done"])
    podman("pause", one.name).ok()
    assert one.status() == ("paused", "paused")
    frozen = (account.slice_path / f"libpod-{one.id}.scope" / "cgroup.events").read_text()
    assert "frozen 1" in frozen
    podman("unpause", one.name).ok()
    assert one.status() == RUNNING
    podman("pause", one.name).ok()
    podman("rm", "--force", "--time", "0", one.name).ok()


@pytest.mark.parametrize("signal, status", [("TERM", 0), ("KILL", 137), ("15", 0)])
def test_kill(container, signal, status):
    one = container()
    podman("kill", "--signal", signal, one.name).ok()
    assert podman("wait", one.name).ok() == str(status)
    one.expect_status(*ENDED)


def test_stop_takes_its_time_and_no_more(container):
    one = container(command=["sh", "-c", 'trap "" TERM; echo ready; while :; do sleep 0.05; done'])
    podman("stop", "--time", "1", one.name).ok()
    assert one.inspect("State", "ExitCode") == 137


def test_top_and_stats(container, account):
    one = container()
    assert [line.split()[-2:] for line in podman("top", one.name, "pid", "args").lines[1:]]
    assert json.loads(account.oci("ps", "--format", "json", one.id).ok())
    stats = json.loads(podman("stats", "--no-stream", "--format", "json", one.name).ok())
    assert stats[0]["name"] == one.name


def test_update_reaches_systemd(container, account):
    one = container("--memory", "64m", "--cpus", "0.5", "--pids-limit", "70")

    def properties():
        return account.show(f"libpod-{one.id}.scope", "MemoryMax", "CPUQuotaPerSecUSec", "TasksMax")

    assert properties() == {"MemoryMax": "67108864", "CPUQuotaPerSecUSec": "500ms", "TasksMax": "70"}
    podman("update", "--memory", "128m", "--cpus", "2", "--pids-limit", "90", one.name).ok()
    assert properties() == {"MemoryMax": "134217728", "CPUQuotaPerSecUSec": "2s", "TasksMax": "90"}


def test_volumes(run, place):
    name = unique_name("vol")
    run("-v", f"{name}:/data", command=["sh", "-c", "echo kept > /data/file"]).ok()
    assert run("-v", f"{name}:/data:ro", command=["cat", "/data/file"]).ok() == "kept"
    assert run("-v", f"{name}:/data:ro", command=["touch", "/data/file"]).status == 1
    podman("volume", "rm", name).ok()
    (place / "host").write_text("from the host")
    assert run("-v", f"{place}:/mnt:rslave", command=["cat", "/mnt/host"]).ok() == "from the host"
    assert run("--mount", "type=tmpfs,dst=/t,tmpfs-size=1m", command=["grep", " /t ", "/proc/mounts"]).ok().startswith("tmpfs /t tmpfs")
    assert run("--tmpfs", "/etc", command=["ls", "/etc/passwd"]).ok() == "/etc/passwd"  # tmpcopyup


def test_volumes_from_another_container(container, run):
    one = container("-v", "/data")
    one.exec("sh", "-c", "echo shared > /data/file").ok()
    assert run("--volumes-from", one.name, command=["cat", "/data/file"]).ok() == "shared"


def test_read_only(run):
    done = run("--read-only", command=["sh", "-c", "touch /x; touch /tmp/x /dev/shm/x && echo fine"])
    assert done.ok() == "fine" and "Read-only file system" in done.stderr


def test_init(run):
    done = run("--init", command=["sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline; exit 3"])
    assert done.status == 3 and "init" in done.stdout


@as_root
@pytest.mark.parametrize(
    "flags, outside",
    [
        (["--userns", "auto"], None),
        (["--userns", "auto:size=3000"], None),
        (["--uidmap", "0:100000:5000", "--gidmap", "0:200000:5000"], "100000"),
        (["--uidmap", "0:100000:5000", "-v", "/var/tmp:/mnt:idmap"], "100000"),
    ],
)
def test_user_namespaces(run, flags, outside):
    first = run(*flags, command=["sh", "-c", "cat /proc/self/uid_map; touch /file; stat -c %u /file"]).lines
    assert first[0].split()[0] == "0" and first[0].split()[1] != "0" and first[-1] == "0"
    assert outside in (None, first[0].split()[1])


@pytest.mark.parametrize(
    "flags, command, expected",
    [
        (["--user", "1234"], "id -u", "1234"),
        (["--user", "alice", "--group-add", "99"], "id -G", "50 99"),
        (["--cap-add", "SYS_ADMIN"], "mount -t tmpfs t /tmp && echo mounted", "mounted"),
        (["--cap-drop", "all"], "grep CapEff /proc/self/status | cut -f2", "0000000000000000"),
        (["--privileged"], "test -w /proc/sys/kernel/hostname && echo writable", "writable"),
        (["--hostname", "here"], "hostname", "here"),
        (["--sysctl", "net.ipv4.ip_forward=1"], "cat /proc/sys/net/ipv4/ip_forward", "1"),
        (["--ulimit", "nofile=77:77"], "ulimit -n", "77"),
        (["--shm-size", "3m"], "grep -c size=3072k /proc/mounts", "1"),
        (["--network", "none"], "ls /sys/class/net", "lo"),
        (["--network", "host"], "readlink /proc/self/ns/net | cut -c1-4", "net:"),
        (["--pid", "host"], "test $$ -gt 1 && echo not first", "not first"),
        (["--ipc", "host", "--uts", "host"], "hostname", "sctr-host"),
        (["--device", "/dev/null:/dev/nothing"], "echo x > /dev/nothing && echo gone", "gone"),
        (["--security-opt", "no-new-privileges"], "grep NoNewPrivs /proc/self/status | cut -f2", "1"),
        (["--security-opt", "seccomp=unconfined"], "grep Seccomp: /proc/self/status | cut -f2", "0"),
        (["--security-opt", "mask=/etc/passwd"], "wc -c < /etc/passwd", "0"),
        (["--oom-score-adj", "77"], "cat /proc/self/oom_score_adj", "77"),
        (["--workdir", "/tmp"], "pwd", "/tmp"),
        (["--umask", "0077"], "umask", "0077"),
        (["--cgroup-parent", "sctrtest.slice"], "echo placed", "placed"),
        (["--memory", "64m", "--pids-limit", "50", "--cpus", "0.5"], "echo limited", "limited"),
        (["--cgroupns", "host"], "grep -c libpod /proc/self/cgroup", "1"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_flags(run, flags, command, expected):
    assert run(*flags, command=["sh", "-c", command]).ok() == expected


# As guest in the oci suite, over a root file system of guest's own.
@as_root
def test_rootfs_without_an_image(rootfs):
    assert podman("run", "--rm", "--rootfs", f"{rootfs}:O", "echo", "from a directory").ok() == "from a directory"


def test_preserved_file_descriptors(image, place):
    (place / "file").write_text("handed over")
    with open(place / "file") as file:
        command = command_line("run", "--rm", "--preserve-fds", "1", image, "sh", "-c", "cat <&3")
        words = ["bash", "-c", f'exec 3<&{file.fileno()}; exec "$@"', "bash", *command]
        done = subprocess.run(words, pass_fds=[file.fileno()], capture_output=True, text=True, timeout=60)
    assert done.stdout == "handed over", done


def test_copy_and_commit_and_export(container):
    one = container()
    one.exec("sh", "-c", "echo inside > /tmp/file").ok()
    assert podman("cp", f"{one.name}:/tmp/file", "-").ok().count("inside") == 1
    podman("commit", "--pause", "--quiet", one.name, "localhost/sctr-committed").ok()
    assert podman("run", "--rm", "localhost/sctr-committed", "cat", "/tmp/file").ok() == "inside"
    podman("rmi", "localhost/sctr-committed").ok()
    assert one.status() == RUNNING


def test_mount_while_it_runs(container, account):
    one = container()
    script = f'cat "$(podman mount {one.name})/etc/group" && podman unmount {one.name} > /dev/null'
    command = ["sh", "-c", script]
    shown = account.run(*command) if account.is_root else podman("unshare", *command).ok()
    assert shown.startswith("root:")


def test_published_ports(container):
    one = container("-p", "127.0.0.1:18080:80", command=["sh", "-c", "mkdir /w; echo page > /w/index.html; echo ready; exec httpd -f -p 80 -h /w"])
    eventually(lambda: "page" in host("busybox", "wget", "-qO-", "http://127.0.0.1:18080/", check=False), what="the page")
    assert podman("port", one.name).ok() == "80/tcp -> 127.0.0.1:18080"


def test_containers_share_namespaces(container, run):
    one = container("--hostname", "first")
    flags = [f"--{kind}=container:{one.name}" for kind in ("network", "pid", "ipc")]
    network = one.exec("readlink", "/proc/self/ns/net").ok()
    seen = run(*flags, command=["sh", "-c", "readlink /proc/self/ns/net; tr '\\0' ' ' < /proc/1/cmdline"]).lines
    assert seen[0] == network and seen[1].startswith("sh -c trap")
