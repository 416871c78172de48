# SPDX-License-Identifier: LGPL-2.1-or-later
"""sctr-oci and sctr as a plain user: by hand, in a user namespace, and under rootless podman."""

import copy
import json
import os
import shutil
import subprocess
import tempfile

import pytest

import engine
import guest
from guest import ACCOUNT, oci
from harness import WAIT, Result, eventually, unique_name
from services import await_trap

OWN = [{"containerID": 0, "hostID": ACCOUNT.pw_uid, "size": 1}]
RANGE = [{"containerID": 0, "hostID": 100000, "size": 65536}]
OWN_AND_RANGE = [*OWN, {"containerID": 1, "hostID": 100000, "size": 65535}]
ALL_MAPS = pytest.mark.parametrize(
    "maps", [OWN, RANGE, OWN_AND_RANGE], ids=["own", "range", "both"]
)


@pytest.fixture(scope="module")
def home():
    """A directory of guest's that others may enter."""
    path = tempfile.mkdtemp(prefix="sctr-guest-", dir="/var/tmp")
    os.chown(path, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def guest_rootfs(home, rootfs):
    path = f"{home}/rootfs"
    subprocess.run(["cp", "-a", rootfs, path], check=True)
    subprocess.run(["chown", "-R", "guest:guest", path], check=True)
    return path


@pytest.fixture(autouse=True)
def nothing_of_guests_is_left():
    yield
    eventually(lambda: not guest.scopes(), what="the end of guest's scopes")
    assert not list(guest.STATE.glob("[!.]*"))


class Bundle:
    """What `sctr-oci spec --rootless` writes, to be changed and run by guest."""

    def __init__(self, home, rootfs):
        self.name = unique_name("rl")
        self.path = f"{home}/{self.name}"
        guest.guest("mkdir", self.path).ok()
        oci("spec", "--rootless", "--bundle", self.path).ok()
        with open(f"{self.path}/config.json") as file:
            self.config = json.load(file)
        self.config["root"] = {"path": rootfs}
        self.config["process"]["terminal"] = False

    @property
    def linux(self):
        return self.config["linux"]

    @property
    def process(self):
        return self.config["process"]

    def map(self, maps):
        self.linux["uidMappings"] = self.linux["gidMappings"] = copy.deepcopy(maps)

    def without(self, *namespaces):
        kept = [one for one in self.linux["namespaces"] if one["type"] not in namespaces]
        self.linux["namespaces"] = kept

    def mount(self, destination, **changes):
        """Changes the mount at a destination."""
        (found,) = [one for one in self.config["mounts"] if one["destination"] == destination]
        found.update(changes)

    def write(self, *command):
        self.process["args"] = list(command) or ["sh", "-c", WAIT]
        with open(f"{self.path}/config.json", "w") as file:
            json.dump(self.config, file)

    def run(self, *command, before=(), **options):
        """`sctr-oci run` to its end; `before` are words before it, such as another program."""
        self.write(*command)
        return guest.guest(
            *before, "sctr-oci", "run", "--bundle", self.path, self.name, **options
        )

    def start(self, env=None):
        """The pid of its init, once its command has been started."""
        self.write()
        with open(f"{self.path}/output", "wb") as output:
            for words in (["create", "--bundle", self.path], ["start"]):
                subprocess.run(
                    ["sctr-oci", *words, self.name], check=True, timeout=20,
                    stdout=output, stderr=output, **guest.options(env),
                )  # fmt: skip
        return self.state(env)["pid"]

    def state(self, env=None):
        return json.loads(oci("state", self.name, env=env).ok())


@pytest.fixture
def bundle(home, guest_rootfs):
    made = Bundle(home, guest_rootfs)
    yield made
    oci("delete", "--force", made.name)


# By hand -----------------------------------------------------------------------------------------


@ALL_MAPS
def test_a_run(bundle, maps):
    bundle.map(maps)
    lines = bundle.run("sh", "-c", "id -u; cat /proc/self/uid_map; echo > /dev/null").lines
    assert lines[0] == "0"
    assert [line.split() for line in lines[1:]] == [list(map(str, m.values())) for m in maps]


@ALL_MAPS
def test_a_whole_life(bundle, maps):
    bundle.map(maps)
    pid = bundle.start()
    state = bundle.state()
    assert (state["status"], state["owner"]) == ("running", "guest")
    scope = state["systemd-scope"]
    with open(f"/proc/{pid}/cgroup") as file:
        assert f"0::{guest.USER_SLICE}/{scope}" in file.read().splitlines()
    inside = oci("exec", bundle.name, "sh", "-c", "id -u; readlink /proc/self/ns/user; echo $$")
    space, number = inside.lines[1:]
    assert inside.lines[0] == "0" and space == os.readlink(f"/proc/{pid}/ns/user")
    assert int(number) > 1
    oci("update", "--memory", "64M", "--pids-limit", "77", bundle.name).ok()
    shown = guest.systemctl("show", scope, "-p", "MemoryMax", "-p", "TasksMax")
    assert set(shown.splitlines()) == {"MemoryMax=67108864", "TasksMax=77"}
    oci("pause", bundle.name).ok()
    assert bundle.state()["status"] == "paused"
    oci("resume", bundle.name).ok()
    await_trap(pid)
    oci("kill", bundle.name, "TERM").ok()
    eventually(lambda: bundle.state()["status"] == "stopped", what="the end")
    oci("delete", bundle.name).ok()


def test_an_exec_is_in_the_containers_cgroup(bundle):
    pid = bundle.start()
    with open(f"/proc/{pid}/cgroup") as file:
        wanted = file.read()
    with subprocess.Popen(
        ["sctr-oci", "exec", bundle.name, "sh", "-c", "echo here; exec sleep 1000"],
        stdout=subprocess.PIPE, **guest.options(),
    ) as process:  # fmt: skip
        assert process.stdout.readline() == b"here\n"
        listed = lambda: set(json.loads(oci("ps", "--format", "json", bundle.name).ok()))  # noqa: E731
        # The process from which the command was born may end after the command's first word.
        added = eventually(lambda: len(found := listed() - {pid, *children_of(pid)}) == 1 and found, what="it alone")
        (child,) = added
        with open(f"/proc/{child}/cgroup") as file:
            assert file.read() == wanted
        oci("delete", "--force", bundle.name).ok()
        process.wait(20)


def test_an_exec_in_a_chosen_cgroup(bundle):
    pid = bundle.start()
    with open(f"/proc/{pid}/cgroup") as file:
        (cgroup,) = [line[3:].strip() for line in file if line.startswith("0::")]
    show = ["sed", "-n", "s/^0:://p", "/proc/self/cgroup"]
    # The root of the container's cgroup namespace is where init was born.
    assert oci("exec", "--cgroup", "/", bundle.name, *show).ok() == "/"
    below = f"/sys/fs/cgroup{cgroup}/below"
    guest.guest("mkdir", below).ok()
    assert oci("exec", "--cgroup", "below", bundle.name, *show).ok() == "/below"
    eventually(lambda: guest.guest("rmdir", below).status == 0, what="the end of the exec")
    for path, words in {"nope": "control group", "../x": "not a path below"}.items():
        engine.refused(oci("exec", "--cgroup", path, bundle.name, "true"), words, status=255)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return set(map(int, file.read().split()))


def test_users_and_groups(bundle):
    bundle.map(RANGE)
    bundle.process["user"] = {"uid": 7, "gid": 8, "additionalGids": [9, 10]}
    assert bundle.run("sh", "-c", "id -u; id -g; id -G").lines == ["7", "8", "8 9 10"]


def test_what_only_the_hosts_root_may_lower_stays(bundle):
    bundle.process["oomScoreAdj"] = -900
    assert bundle.run("cat", "/proc/self/oom_score_adj").ok() == "0"


@ALL_MAPS
def test_a_terminal_group_without_an_id(bundle, maps):
    bundle.map(maps)
    bundle.mount("/dev/pts", options=["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"])
    shown = bundle.run("grep", " /dev/pts ", "/proc/mounts").ok()
    assert ("gid=" in shown) == (maps != OWN)


def test_mounts_of_namespaces_that_are_the_hosts(bundle):
    bundle.without("network", "ipc", "cgroup")
    bundle.mount("/sys", type="sysfs", source="sysfs", options=["nosuid", "ro"])
    result = bundle.run("sh", "-c", "cut -d ' ' -f 2-4 /proc/mounts; cat /proc/self/cgroup")
    mounts = [line.split() for line in result.lines if line.startswith("/")]
    found = {target: (kind, options.split(",")[0]) for target, kind, options in mounts}
    assert found["/sys"] == ("sysfs", "ro")
    assert found["/sys/fs/cgroup"] == ("cgroup2", "ro")
    assert found["/dev/mqueue"][0] == "mqueue"
    assert f"{guest.USER_SLICE}/sctr-{bundle.name}.scope" in result.stdout


def test_in_a_user_namespace_of_the_caller(bundle):
    no_user_namespace(bundle)
    bundle.mount("/dev/pts", options=["newinstance", "gid=5"])
    environment = {"DBUS_SESSION_BUS_ADDRESS": None}
    result = bundle.run("sh", "-c", "id -u; cat /proc/self/uid_map", before=["unshare", "-Ur"], env=environment)
    assert [line.split() for line in result.lines] == [["0"], ["0", str(ACCOUNT.pw_uid), "1"]]


def test_the_bus_is_found_without_a_runtime_directory(bundle):
    assert bundle.run("true", env={"XDG_RUNTIME_DIR": None}).status == 0


def test_systemds_own_socket_without_a_bus(bundle, home):
    directory = f"{home}/runtime"
    guest.guest("mkdir", directory).ok()
    guest.guest("ln", "-s", f"{guest.RUNTIME}/systemd", f"{directory}/systemd").ok()
    environment = {"XDG_RUNTIME_DIR": directory}
    assert bundle.run("sh", "-c", "exit 6", env=environment).status == 6
    bundle.start(env=environment)
    assert oci("exec", bundle.name, "id", "-u", env=environment).ok() == "0"
    oci("pause", bundle.name, env=environment).ok()
    oci("delete", "--force", bundle.name, env=environment).ok()


# Errors ------------------------------------------------------------------------------------------


def no_user_namespace(bundle):
    bundle.without("user")
    for name in ("uidMappings", "gidMappings"):
        del bundle.linux[name]


def foreign_range(bundle):
    bundle.linux["uidMappings"] = [{"containerID": 0, "hostID": 5000, "size": 10}]


def groups_with_own_id(bundle):
    bundle.process["user"]["additionalGids"] = [7]


@pytest.mark.parametrize(
    "change, words",
    [
        (no_user_namespace, ["/linux/namespaces", "not root", "spec --rootless"]),
        (foreign_range, ["newuidmap", "5000-5010", "/etc/subuid", "usermod"]),
        (groups_with_own_id, ["additional groups", "own group alone"]),
    ],
)
def test_configs_that_cannot_be(bundle, change, words):
    change(bundle)
    engine.refused(bundle.run("true"), *words)


def test_checkpoint_and_restore_are_for_root(bundle, home):
    bundle.start()
    engine.refused(oci("checkpoint", "--image-path", f"{home}/saved", bundle.name), "cannot checkpoint", "CRIU", "root")
    assert bundle.state()["status"] == "running" and not os.path.exists(f"{home}/saved")
    words = ["restore", "--image-path", f"{home}/saved", "--bundle", bundle.path, unique_name("rl")]
    engine.refused(oci(*words), "cannot restore", "CRIU", "root")


@pytest.mark.parametrize(
    "env, words",
    [
        ({"XDG_RUNTIME_DIR": "/var/empty"}, ["/var/empty/sctr-oci", "XDG_RUNTIME_DIR", "linger"]),
        ({"DBUS_SESSION_BUS_ADDRESS": "unix:path=/var/empty/bus"},
         ["/var/empty/bus", f"enable-linger {ACCOUNT.pw_uid}", "dbus-user-session"]),
    ],
)  # fmt: skip
def test_environments_without_a_user_manager(bundle, env, words):
    engine.refused(bundle.run("true", env=env), *words)


def test_no_newuidmap(bundle):
    bundle.map(RANGE)
    bundle.write("true")
    script = "mount --bind /dev/null /usr/bin/newuidmap; exec /sbin/runuser -u guest -- \"$@\""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh",
         "sctr-oci", "run", "--bundle", bundle.path, bundle.name],
        env=guest.ENVIRONMENT, capture_output=True, timeout=20,
    )  # fmt: skip
    result = Result([], done.returncode, done.stdout, done.stderr)
    engine.refused(result, "no newuidmap", "install uidmap")


# People ------------------------------------------------------------------------------------------


@pytest.fixture
def sctr(guest_rootfs):
    return lambda *words, **more: guest.guest("sctr", "run", "--rootfs", guest_rootfs, *words, **more)


def test_people_get_their_own_ids(sctr):
    result = sctr("sh", "-c", "id -u; cat /proc/self/uid_map")
    assert [line.split() for line in result.lines] == [
        ["0"], ["0", str(ACCOUNT.pw_uid), "1"], ["1", "100000", "65536"],
    ]  # fmt: skip
    assert sctr("-u", "33:44", "id", "-u").ok() == "33"
    assert sctr("--uidmap", f"0:{ACCOUNT.pw_uid}:1", "id", "-u").ok() == "0"


def test_a_limit_that_is_not_delegated(sctr, controllers):
    with open(f"/sys/fs/cgroup{os.path.dirname(guest.USER_SLICE)}/cgroup.controllers") as file:
        if "memory" in file.read():
            assert sctr("--memory", "64m", "true").status == 0
            return
    sctr("--memory", "64m", "true").failed(
        125, "--memory", "'memory'", "systemctl edit user@.service"
    )


def test_peoples_exec_and_stop(guest_rootfs):
    name = unique_name("rl")
    with subprocess.Popen(
        ["sctr", "run", "--name", name, "--rootfs", guest_rootfs, "sh", "-c", WAIT],
        stdout=subprocess.PIPE, **guest.options(),
    ) as process:  # fmt: skip
        assert process.stdout.readline() == b"ready\n"
        assert name in guest.guest("sctr", "ps").ok()
        assert guest.guest("sctr", "exec", "-u", "7", name, "id", "-u").ok() == "7"
        guest.guest("sctr", "stop", name).ok()
        assert process.wait(20) == 0


# podman ------------------------------------------------------------------------------------------


def podman(*words, timeout=60):
    return guest.guest("podman", "--runtime", "/usr/bin/sctr-oci", *words, timeout=timeout)


@pytest.fixture
def named():
    """Names of containers or pods, which are removed after the test."""
    names = []

    def name():
        names.append(unique_name("pod"))
        return names[-1]

    yield name
    for one in names:
        podman("rm", "--force", "--time", "0", one)
        podman("pod", "rm", "--force", "--time", "0", "--ignore", one)


@pytest.fixture
def in_podman(guest_rootfs):
    return lambda *words: podman("run", "--rm", *words[:-3], "--rootfs", guest_rootfs, *words[-3:])


PODMAN_RUNS = {
    "plain": ([], "id -u", "0"),
    "own id": (["--userns", "keep-id"], "id -u", str(ACCOUNT.pw_uid)),
    "no own id": (["--userns", "nomap"], "awk '{print $2}' /proc/self/uid_map", "1"),
    "a user": (["-u", "33:44", "--group-add", "55"], "id -u; id -G", "33\n44 55"),
    "read-only": (["--read-only"], "touch /x 2>/dev/null || echo no", "no"),
    "no network": (["--network", "none"], "ls /sys/class/net", "lo"),
    "host's network": (["--network", "host"], "grep -c ' /sys sysfs ro' /proc/mounts", "1"),
    "own id, host's network": (
        ["--userns", "keep-id", "--network", "host"],
        "grep -c ' /sys sysfs ro' /proc/mounts",
        "1",
    ),
    "host's pids": (["--pid", "host"], "cat /proc/1/comm", "systemd"),
    "host's ipc": (["--ipc", "host"], "grep -c ' /dev/mqueue ' /proc/mounts", "1"),
    "host's cgroups": (
        ["--cgroupns", "host"],
        f"grep -c {guest.USER_SLICE}/libpod- /proc/self/cgroup; mkdir /sys/fs/cgroup/x 2>/dev/null || echo no",
        "1\nno",
    ),
    "privileged": (["--privileged"], "mount -t tmpfs x /tmp && echo yes", "yes"),
    "a device": (["--device", "/dev/fuse"], "test -c /dev/fuse && echo yes", "yes"),
    "limits": (["--memory", "64m", "--pids-limit", "50"], "echo yes", "yes"),
    "init": (["--init"], "cat /proc/1/comm", "podman-init"),
    "a sysctl": (
        ["--sysctl", "net.ipv4.ip_unprivileged_port_start=81"],
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
        "81",
    ),
}


@pytest.mark.parametrize("name", PODMAN_RUNS)
def test_podman_run(in_podman, name):
    flags, command, output = PODMAN_RUNS[name]
    assert in_podman(*flags, "sh", "-c", command).ok() == output


@pytest.mark.parametrize(
    "command, status", [("exit 7", 7), ("sh -c 'kill -9 $$'; exit $?", 137), ("exec nosuch", 127)]
)
def test_podman_exit_status(in_podman, command, status):
    assert in_podman("sh", "-c", command).status == status


def test_podman_volume(in_podman, home):
    directory = f"{home}/{unique_name('volume')}"
    guest.guest("mkdir", directory).ok()
    in_podman("-v", f"{directory}:/v", "sh", "-c", "echo written > /v/file").ok()
    assert os.stat(f"{directory}/file").st_uid == ACCOUNT.pw_uid
    assert in_podman("-v", f"{directory}:/v:ro", "sh", "-c", "echo > /v/file").status == 1


def test_podman_verbs(named, guest_rootfs):
    name = named()
    podman("run", "-d", "--name", name, "--rootfs", guest_rootfs, "sh", "-c", WAIT).ok()
    assert podman("exec", name, "id", "-u").ok() == "0"
    assert podman("exec", "-u", "33", name, "id", "-u").ok() == "33"
    podman("pause", name).ok()
    assert podman("inspect", "-f", "{{.State.Status}}", name).ok() == "paused"
    podman("unpause", name).ok()
    podman("update", "--memory", "100m", name).ok()
    podman("stop", name).ok()
    assert podman("wait", name).ok() == "0"
    podman("start", name).ok()
    podman("kill", name).ok()
    assert podman("wait", name).ok() == "137"
    podman("rm", name).ok()


def test_podman_terminal(named, guest_rootfs):
    name = named()
    podman("run", "-d", "--name", name, "--rootfs", guest_rootfs, "sh", "-c", WAIT).ok()
    words = f"podman --runtime /usr/bin/sctr-oci exec -it {name} tty"
    assert "/dev/pts/0" in guest.guest("script", "-qec", words, "/dev/null", timeout=60).ok()


@pytest.mark.parametrize("userns", [(), ("--userns", "keep-id")], ids=["plain", "own id"])
def test_podman_pod(named, in_podman, guest_rootfs, userns):
    pod = named()
    podman("pod", "create", "--name", pod, "--hostname", "together", *userns).ok()
    podman("run", "-d", "--pod", pod, "--rootfs", guest_rootfs, "sh", "-c", WAIT).ok()
    assert in_podman("--pod", pod, "sh", "-c", "hostname").ok() == "together"
    podman("pod", "stop", "--time", "1", pod).ok()
    podman("pod", "rm", pod).ok()
