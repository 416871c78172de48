# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files NAME.container, and the services that the generator makes of them."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from harness import STATE, WAIT, eventually, host, sctr, unique_name, unit_of
from made_images import Image, base_layer
from services import await_trap, init_of, row, show, status
from store import load  # noqa: F401 (a fixture)

FILES = Path("/etc/sctr")
GENERATED = Path("/run/systemd/generator")


class Declared:
    """A file, its service and its container."""

    def __init__(self, name, directory):
        self.name = name
        self.directory = directory
        self.file = directory / f"{name}.container"
        self.unit = f"{name}.service"

    def show(self, *properties):
        return show(self.name, *properties, unit=self.unit)

    def state(self):
        return self.show("ActiveState")["ActiveState"]

    def drop_in(self, name, text):
        folder = self.directory / f"{self.file.name}.d"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        host("systemctl", "daemon-reload")

    def remove(self):
        host("systemctl", "stop", self.unit, check=False)
        host("systemctl", "reset-failed", self.unit, check=False)
        self.file.unlink(missing_ok=True)
        shutil.rmtree(f"{self.file}.d", ignore_errors=True)


@pytest.fixture
def declared(rootfs):
    """declared(KEYS, rest=...): a file with these keys of [Container], which systemd has read."""
    made = []

    def make(keys="", rest="", command=f"sh -c '{WAIT.replace(chr(34), chr(92) + chr(34)).replace('$', '$$')}'", name=None, directory=FILES):
        each = Declared(name or unique_name("q"), directory)
        made.append(each)
        directory.mkdir(parents=True, exist_ok=True)
        each.file.write_text(f"[Container]\nRootfs={rootfs}\nExec={command}\n{keys}\n{rest}\n")
        host("systemctl", "daemon-reload")
        return each

    yield make
    for each in made:
        each.remove()
    host("systemctl", "daemon-reload")


def complaints(word):
    """What the generator has said with this word in it."""
    out = host("journalctl", "-t", "sctr-generator", "-o", "cat", "--no-pager", "--since", "-5min")
    return [line for line in out.splitlines() if word in line]


def test_reload_and_start_are_all_it_takes(declared):
    web = declared()
    assert status(web.name) == ("created", None)
    host("systemctl", "start", web.unit)
    assert status(web.name) == ("running", None)
    assert row(web.name)["unit"] == unit_of(web.name)
    assert web.show("ActiveState", "Type", "SourcePath") == {
        "ActiveState": "active", "Type": "notify", "SourcePath": str(web.file),
    }  # fmt: skip
    assert web.unit in host("systemctl", "show", unit_of(web.name), "-P", "Before")
    assert sctr("exec", web.name, "echo", "here").ok() == "here"
    eventually(lambda: sctr("logs", web.name).stdout == "ready\n")
    (shown,) = json.loads(sctr("inspect", web.name).ok())
    assert shown["service"] == web.unit and shown["status"] == "running"
    host("systemctl", "stop", web.unit)
    assert status(web.name) == ("stopped", 0) and web.state() == "inactive"
    assert not (STATE / web.name).exists()


def test_verbs_of_sctr(declared):
    web = declared(rest="[Service]\nRestart=always")
    sctr("start", web.name).ok()
    assert web.state() == "active" and status(web.name) == ("running", None)
    before = init_of(web.name)
    sctr("restart", web.name).ok()
    assert init_of(web.name) != before
    sctr("rm", "-f", web.name).failed(125, str(web.file), "daemon-reload")
    sctr("run", "-d", "--name", web.name, "--rootfs", "/", "true").failed(125, web.name)
    for verb in ("enable", "disable"):
        sctr(verb, web.name).failed(125, str(web.file), "WantedBy=")
    await_trap(init_of(web.name))
    sctr("stop", web.name).ok()
    assert web.state() == "inactive" and status(web.name) == ("stopped", 0)
    assert sctr("wait", web.name).ok() == "0"
    sctr("pause", web.name).failed(125, "not running", web.name)
    (shown,) = json.loads(sctr("inspect", web.name).ok())
    assert shown["definition"]["file"] == str(web.file) and shown["exitStatus"] == 0


def test_the_file_is_removed_while_it_runs(declared):
    web = declared()
    sctr("start", web.name).ok()
    web.file.unlink()
    host("systemctl", "daemon-reload")
    assert status(web.name) == ("running", None)
    sctr("stop", web.name).ok()
    assert row(web.name) is None


def test_its_end_is_the_services(declared):
    web = declared(command="sh -c 'echo out; exit 5'", rest="[Service]\nRestart=no")
    sctr("start", web.name)
    eventually(lambda: web.state() == "failed")
    assert web.show("ExecMainStatus")["ExecMainStatus"] == "5"
    assert status(web.name) == ("stopped", 5) and sctr("wait", web.name).ok() == "5"
    assert sctr("logs", web.name).ok() == "out"


def test_a_command_that_cannot_be_executed(declared):
    web = declared(command="no-such-program")
    sctr("start", web.name).failed(127, "no-such-program")
    assert status(web.name) == ("stopped", 127)
    assert "no-such-program" in host("systemctl", "status", web.unit, check=False)


def test_started_again(declared):
    web = declared(command="sh -c 'echo begun; sleep 0.2; exit 3'", rest="[Service]\nRestart=on-failure")
    sctr("start", web.name)
    eventually(lambda: int(web.show("NRestarts")["NRestarts"]) >= 2)
    sctr("stop", web.name).ok()
    assert web.state() in ("inactive", "failed")


def test_a_killed_supervisor(declared):
    web = declared()
    sctr("start", web.name).ok()
    os.kill(int(web.show("MainPID")["MainPID"]), signal.SIGKILL)
    eventually(lambda: web.state() == "failed")
    assert status(web.name) == ("stopped", 137)
    assert not (STATE / web.name).exists()


def test_keys(declared, tmp_path):
    (tmp_path / "env").write_text("FROM_FILE=f\n")
    (tmp_path / "data").mkdir()
    script = 'echo "$$A $$B $$FROM_FILE $$(id -u) $$(hostname) $$(pwd) $$(ulimit -n)" >/data/out; touch /x || sleep 1000'
    web = declared(
        f"Environment=A=1 \"B=x y\"\nEnvironmentFile={tmp_path}/env\nUser=1234\nHostName=%p\n"
        f"WorkingDir=/tmp\nReadOnly=yes\nStopTimeout=1\nVolume={tmp_path}/data:/data\nUlimit=nofile=99:99\n",
        command=f"sh -c '{script}'",
    )
    (tmp_path / "data").chmod(0o777)
    sctr("start", web.name).ok()
    out = tmp_path / "data" / "out"
    eventually(lambda: out.exists() and out.read_text() == f"1 x y f 1234 {web.name} /tmp 99\n")
    assert str(tmp_path / "data") in web.show("RequiresMountsFor")["RequiresMountsFor"]


def test_labels_and_groups(declared):
    web = declared("Label=app=web\nAnnotation=org.x=y\nGroupAdd=4242")
    sctr("start", web.name).ok()
    (shown,) = json.loads(sctr("inspect", web.name).ok())
    assert (shown["labels"], shown["config"]["annotations"]["org.x"]) == ({"app": "web"}, "y")
    assert sctr("exec", web.name, "grep", "Groups:", "/proc/1/status").ok().split()[1:] == ["0", "4242"]


def test_limits_of_the_service_are_the_containers(declared, need_controller):
    need_controller("pids")
    web = declared(rest="[Service]\nTasksMax=77")
    sctr("start", web.name).ok()
    assert host("systemctl", "show", unit_of(web.name), "-P", "TasksMax").strip() == "77"


def test_health(declared):
    web = declared("HealthCmd=test -e /etc\nHealthInterval=1s\nNotify=healthy")
    sctr("start", web.name).ok()
    assert row(web.name)["health"] == "healthy"


def test_install(declared):
    web = declared(rest=f"[Install]\nWantedBy=multi-user.target\nAlias=alias{os.getpid()}.service")
    link = GENERATED / "multi-user.target.wants" / web.unit
    assert link.is_symlink() and link.resolve() == GENERATED / web.unit
    assert web.unit in host("systemctl", "show", "multi-user.target", "-P", "Wants")
    host("systemctl", "start", f"alias{os.getpid()}.service")
    assert web.state() == "active"


def test_drop_ins(declared):
    web = declared("HostName=one")
    web.drop_in("10-host.conf", "[Container]\nHostName=two\n")
    sctr("start", web.name).ok()
    assert sctr("exec", web.name, "hostname").ok() == "two"


def test_a_template(declared):
    base = unique_name("q")
    template = declared("HostName=%i", name=f"{base}@")
    try:
        host("systemctl", "start", f"{base}@a.service", f"{base}@b.service")
        assert status(f"{base}-a") == ("running", None)
        assert sctr("exec", f"{base}-b", "hostname").ok() == "b"
        sctr("stop", f"{base}-a").ok()
        state = host("systemctl", "is-active", f"{base}@a.service", check=False).strip()
        assert state == "inactive" and row(f"{base}-a") is None
    finally:
        host("systemctl", "stop", f"{base}@a.service", f"{base}@b.service")
    assert template.file.exists()


def test_order(declared):
    db = declared()
    web = declared(rest=f"[Unit]\nRequires={db.file.name}\nAfter={db.file.name}")
    sctr("start", web.name).ok()
    assert status(db.name) == ("running", None)
    await_trap(init_of(web.name))
    host("systemctl", "stop", db.unit)
    assert status(web.name) == ("stopped", 0)


def test_reload(declared):
    web = declared(
        "ReloadSignal=HUP\nStopTimeout=1", command="sh -c 'trap \"echo again\" HUP; echo ready; while sleep 0.05; do :; done'"
    )
    sctr("start", web.name).ok()
    eventually(lambda: "ready" in sctr("logs", web.name).stdout)
    host("systemctl", "reload", web.unit)
    eventually(lambda: "again" in sctr("logs", web.name).stdout)


def test_one_bad_file_is_told_and_the_others_go_on(declared):
    bad = declared("Pod=a.pod\nImag=x")
    good = declared()
    assert good.show("LoadState")["LoadState"] == "loaded"
    assert bad.show("LoadState")["LoadState"] == "not-found"
    eventually(lambda: len(complaints(str(bad.file))) >= 2, what="the generator's complaints")
    said = "\n".join(complaints(str(bad.file)))
    assert f"{bad.file}:4: Pod=: not supported yet (use Network=container:" in said
    assert f"{bad.file}:5: unknown key 'Imag' in [Container]: did you mean 'Image'?" in said
    shown = sctr("generate", bad.file)
    assert shown.status == 1 and f"{bad.file}:4: Pod" in shown.stderr
    assert row(bad.name) is None


def test_generate(declared):
    web = declared()
    shown = sctr("generate", web.file).ok()
    assert shown == f"--- {web.unit}\n" + (GENERATED / web.unit).read_text().rstrip("\n")
    assert web.unit in sctr("generate").ok()
    assert sctr("generate", "/no/such.container").status == 1
    generator = "/usr/lib/systemd/system-generators/sctr-generator"
    assert f"--- {web.unit}\n" in host(generator, "--dryrun", check=False)


def test_the_unit_is_sound(declared):
    web = declared(
        "Environment=\"A=b c\"\nVolume=/etc:/host:ro\nHealthCmd=true",
        "[Unit]\nAfter=x.container\n[Service]\nRestart=always\n[Install]\nWantedBy=multi-user.target",
    )
    assert host("systemd-analyze", "verify", web.unit, check=False) == ""


def test_the_first_directory_counts(declared):
    web = declared("HostName=etc")
    run = declared("HostName=run", name=web.name, directory=Path("/run/sctr-containers"))
    sctr("start", web.name).ok()
    assert sctr("exec", web.name, "hostname").ok() == "run"
    sctr("stop", web.name).ok()
    run.file.write_text("")  # hides what comes after it
    host("systemctl", "daemon-reload")
    assert web.show("LoadState")["LoadState"] == "not-found"


def test_it_is_quick(declared, tmp_path):
    for number in range(200):
        text = f"[Container]\nRootfs=/r\nEnvironment=A={number}\n[Install]\nWantedBy=multi-user.target\n"
        (tmp_path / f"c{number}.container").write_text(text)
    out = tmp_path / "out"
    out.mkdir()
    generator = "/usr/lib/systemd/system-generators/sctr-generator"
    began = time.monotonic()
    host("env", f"SCTR_UNIT_DIRS={tmp_path}", generator, out)
    assert time.monotonic() - began < 5
    assert len(list(out.glob("*.service"))) == 200
    assert len(list((out / "multi-user.target.wants").iterdir())) == 200
    needed = host("ldd", generator)
    assert "libsystemd" not in needed and "sdbus" not in needed


def test_a_service_of_ones_own(rootfs, run):
    """`sctr run --service` in a unit that a person has written."""
    name = unique_name("q")
    unit = Path(f"/run/systemd/system/{name}-own.service")
    command = f"sctr run --service %n --name {name} --stop-timeout 1 --rootfs {rootfs} sleep 1000"
    unit.write_text(f"[Service]\nType=notify\nExecStart=/usr/bin/{command}\n")
    host("systemctl", "daemon-reload")
    try:
        host("systemctl", "start", unit.name)
        assert status(name) == ("running", None)
        sctr("stop", name).ok()
        state = host("systemctl", "is-active", unit.name, check=False).strip()
        assert state in ("inactive", "failed")
    finally:
        host("systemctl", "stop", unit.name, check=False)
        host("systemctl", "reset-failed", unit.name, check=False)
        unit.unlink()
        host("systemctl", "daemon-reload")
    run("--service", "web", "true").failed(125, "--service", "web.service")
    run("--service", "x.service", "-d", "true").failed(125, "--service", "-d (drop")
    run("--service", "x.service", "--restart", "always", "true").failed(125, "--restart", "x.service")


def test_an_image_and_a_volume(load):
    """Image= and named volumes, as in files that were written for Quadlet."""
    image = load(Image(base_layer(), Cmd=["sh", "-c", "echo x >> /v/count; " + WAIT]))
    name, volume = unique_name("q"), unique_name("v")
    file = FILES / f"{name}.container"
    file.write_text(f"[Container]\nImage={image}\nPull=never\nVolume={volume}:/v\n")
    try:
        host("systemctl", "daemon-reload")
        host("systemctl", "start", f"{name}.service")
        host("systemctl", "restart", f"{name}.service")
        eventually(lambda: sctr("exec", name, "cat", "/v/count").stdout == "x\nx\n", what="the second line")
        sctr("rmi", image).failed(125, "a container runs on it")
        assert image in sctr("ps").stdout
    finally:
        host("systemctl", "stop", f"{name}.service", check=False)
        file.unlink()
        host("systemctl", "daemon-reload")
    sctr("volume", "rm", volume).ok()


@pytest.fixture
def files():
    """files(NAME, TEXT): a file in /etc/sctr that goes with the test, and its unit is stopped."""
    made = []

    def make(name, text):
        FILES.mkdir(parents=True, exist_ok=True)
        (FILES / name).write_text(text)
        made.append(name)

    yield make
    for name in reversed(made):
        stem, kind = name.rsplit(".", 1)
        unit = f"{stem}.service" if kind == "container" else f"{stem}-{kind}.service"
        host("systemctl", "stop", unit, check=False)
        (FILES / name).unlink()
    host("systemctl", "daemon-reload")


def test_volumes_and_images_that_are_declared(load, files):
    """A container brings its volume and its image along, in order, and does not start without them."""
    base = load(Image(base_layer()))
    name, volume = unique_name("q"), unique_name("v")
    container = f"[Container]\nImage={{}}\nPull=never\nStopTimeout=1\nVolume={name}.volume:/v\nExec=sh -c \"touch /v/x; sleep 1000\"\n"
    files(f"{name}.volume", f"[Volume]\nVolumeName={volume}\nLabel=who=me\n")
    files(f"{name}.image", "[Image]\nImage=127.0.0.1:9/nothing:1\n")
    files(f"{name}.container", container.format(f"{name}.image"))
    host("systemctl", "daemon-reload")
    units = [f"{name}.service", f"{name}-volume.service", f"{name}-image.service"]
    assert host("systemd-analyze", "verify", *units, check=False) == ""
    wanted = host("systemctl", "show", "-p", "Requires", "-p", "After", units[0])
    assert wanted.count(units[1]) == 2 and wanted.count(units[2]) == 2
    host("systemctl", "start", units[0], check=False)
    assert host("systemctl", "is-failed", units[2], check=False).strip() == "failed"
    assert host("systemctl", "is-active", units[0], check=False).strip() == "inactive"
    host("systemctl", "reset-failed", units[2])
    (FILES / f"{name}.container").write_text(container.format(base))
    host("systemctl", "daemon-reload")
    host("systemctl", "start", units[0])
    eventually(lambda: sctr("exec", name, "ls", "/v/x").status == 0)
    assert json.loads(sctr("volume", "inspect", volume).ok())[0]["labels"] == {"who": "me"}
    host("systemctl", "restart", units[1])
    host("systemctl", "stop", *units)
    sctr("volume", "rm", volume).ok()


def test_networks_that_are_declared(rootfs, files):
    """A container brings its network along; one that is there already stays as it is."""
    name, net = unique_name("q"), unique_name("n")
    files(f"{name}.network",
          f"[Network]\nNetworkName={net}\nSubnet=10.209.14.0/24\nIPRange=10.209.14.64-10.209.14.65\nLabel=who=me\n"
          "Options=mtu=1400\n")  # fmt: skip
    text = f"[Container]\nRootfs={rootfs}\nNetwork={name}.network:alias=db\nExec=sleep 1000\n"
    files(f"{name}.container", text)
    files(f"{name}x.container", text.replace("db", "dbx").replace("sleep", "sleep  "))
    host("systemctl", "daemon-reload")
    units = [f"{name}.service", f"{name}x.service", f"{name}-network.service"]
    assert host("systemd-analyze", "verify", *units, check=False) == ""
    host("systemctl", "start", *units[:2])
    try:
        made = json.loads(sctr("network", "inspect", net).ok())[0]
        assert made["labels"] == {"who": "me"} and made["mtu"] == 1400
        addresses = [each["addresses"] for each in made["containers"].values()]
        assert sorted(addresses) == [["10.209.14.64"], ["10.209.14.65"]]
        assert made["containers"][name]["aliases"] == ["db"]
        sctr("run", "--network", net, "--rootfs", rootfs, "true").failed(125, "no free address", "10.209.14.64")
        host("systemctl", "restart", units[2], units[0])
        assert json.loads(sctr("network", "inspect", net).ok())[0]["id"] == made["id"]
    finally:
        host("systemctl", "stop", *units)
        sctr("network", "rm", net).ok()


def test_an_image_that_is_built(load, files, tmp_path):
    if not shutil.which("buildah"):
        pytest.skip("there is no buildah")
    name, tag = unique_name("q"), f"localhost/{unique_name('b')}:1"
    (tmp_path / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (tmp_path / "busybox").chmod(0o755)
    (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY busybox /bin/busybox\nCMD [\"/bin/busybox\", \"sleep\", \"1000\"]\n")
    files(f"{name}.build", f"[Build]\nImageTag={tag}\nFile={tmp_path}/Containerfile\n")
    files(f"{name}.container", f"[Container]\nImage={name}.build\nPull=never\nStopTimeout=1\n")
    host("systemctl", "daemon-reload")
    host("systemctl", "start", f"{name}.service", timeout=90)
    assert tag in sctr("ps").stdout
    host("systemctl", "stop", f"{name}.service")
    sctr("rmi", tag).ok()
    host("buildah", "rmi", "--all", "--force")
    host("umount", "/var/lib/containers/storage/overlay", check=False)  # buildah leaves it
    assert f"--- {name}-build.service\n" in sctr("generate").stdout
