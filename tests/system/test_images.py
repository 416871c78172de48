# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images: their names and archives, containers made from them, and crashes on the way into the store."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest

import harness
from harness import Result, eventually, sctr, unique_name
from made_images import BUSYBOX, Image, Layer, base_layer
from services import init_of
from store import STORE, load, nothing_stays_in_the_store  # noqa: F401 (fixtures)


def test_what_the_image_says(load):
    name = load(
        Image(
            base_layer(),
            Entrypoint=["/bin/echo", "-n"],
            Cmd=["from", "the", "image"],
            Env=["A=1", "PATH=/bin"],
        )
    )
    assert sctr("run", name).ok() == "from the image"
    assert sctr("run", name, "mine").ok() == "mine"
    assert sctr("run", "--entrypoint", "/bin/env", name).ok().splitlines()[:2] == ["PATH=/bin", "A=1"]
    sctr("run", "--entrypoint", "", name).failed(125, "no command")


def test_user_directory_and_environment(load):
    name = load(
        Image(base_layer(), User="alice", WorkingDir="/home/alice", Cmd=["sh", "-c", "id; pwd; env"])
    )
    out = sctr("run", "-e", "B=2", name).ok()
    assert "uid=1234(alice) gid=50(staff) groups=50(staff),99(wheel)" in out
    assert "\n/home/alice\n" in out and "B=2" in out and "HOME=/home/alice" in out
    assert sctr("run", "-u", "root", "-w", "/tmp", name, "sh", "-c", "id -u; pwd").ok() == "0\n/tmp"


def test_what_is_written_is_forgotten(load):
    name = load(Image(base_layer()))
    alone = ["run", "--network", "none"]
    assert sctr(*alone, name, "sh", "-c", "echo x > /etc/new; rm /etc/group; ls /etc").ok() == "new\npasswd"
    assert sctr(*alone, name, "ls", "/etc").ok() == "group\npasswd"


def test_read_only(load):
    name = load(Image(base_layer()))
    assert sctr("run", "--read-only", name, "touch", "/x").status == 1


def test_by_id_and_short_name(load):
    name = load(Image(base_layer(), Cmd=["echo", "yes"]))
    image = json.loads(sctr("image", "inspect", name).ok())[0]
    for other in (image["id"], image["id"][:12], "sha256:" + image["id"], name.removeprefix("localhost/")):
        assert sctr("run", other).ok() == "yes", other


def test_no_such_image():
    sctr("run", "--pull", "never", "localhost/none").failed(125, "localhost/none", "no such image")
    sctr("run", "--pull", "never", "NO").failed(125, "NO", "invalid image name")
    sctr("run", "--pull", "seldom", "x").failed(125, "--pull", "seldom")


def test_a_damaged_name():
    sctr("run", "--pull", "never", "../../etc").failed(125, "invalid image name")


def test_ps_and_the_unit_name_the_image(load):
    name = load(Image(base_layer()))
    container = unique_name("c")
    process = subprocess.Popen(
        ["sctr", "run", "--name", container, name, "sh", "-c", harness.WAIT], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    line = next(line for line in sctr("ps").lines if line.startswith(container))
    assert line.split()[1] == name
    description = harness.unit_property(container, "Description")["Description"]
    assert description.startswith(name + ": sh")
    sctr("rmi", name).failed(125, "a container runs on it")
    sctr("stop", container).ok()
    assert process.wait(20) == 0
    process.stdout.close()


def test_stop_signal(load):
    name = load(
        Image(base_layer(), StopSignal="SIGUSR1", Cmd=["sh", "-c", 'trap "exit 7" USR1; echo ready; sleep 99 & wait'])
    )
    container = unique_name("c")
    process = subprocess.Popen(["sctr", "run", "--name", container, name], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    sctr("stop", container).ok()
    assert process.wait(20) == 7
    process.stdout.close()


def test_a_stored_container_keeps_what_it_wrote(load):
    name = load(Image(base_layer(), Cmd=["sh", "-c", "echo x >> /var/count; cat /var/count"]))
    container = unique_name("c")
    sctr("run", "-d", "--name", container, name).ok()
    sctr("wait", container).ok()
    sctr("start", container).ok()
    sctr("wait", container).ok()
    eventually(lambda: "x\nx" in sctr("logs", container).ok(), what="the second line")
    sctr("rmi", name).failed(125, f"stored container '{container}'")
    sctr("rename", container, container + "b").ok()
    assert (STORE / "roots" / (container + "b") / "upper/var/count").read_text() == "x\nx\n"
    sctr("rm", container + "b").ok()
    assert not (STORE / "roots" / (container + "b")).exists()


def test_a_detached_container_with_rm(load):
    name = load(Image(base_layer(), Cmd=["touch", "/x"]))
    container = unique_name("c")
    sctr("run", "-d", "--rm", "--name", container, name).ok()
    eventually(lambda: not (STORE / "roots" / container).exists(), what="the end of the root")


def test_a_killed_supervisor_leaves_what_the_next_sweeps(load):
    name = load(Image(base_layer()))
    container = unique_name("c")
    process = subprocess.Popen(
        ["sctr", "run", "--name", container, name, "sh", "-c", "echo old > /file; echo ready; sleep 99"],
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait()
    process.stdout.close()
    eventually(lambda: container not in sctr("ps", "-a", "-q").lines, what="the sweep of the record")
    assert sctr("run", "--name", container, name, "ls", "/file").status == 1


def test_directories_nested_without_end(load):
    """More levels than a process may have files open; they go with the container all the same."""
    name = load(Image(base_layer()))
    container = unique_name("c")
    process = subprocess.Popen(
        ["sctr", "run", "--name", container, name, "sh", "-c", harness.WAIT], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    process.stdout.close()
    directory = os.open(f"/proc/{init_of(container)}/root/", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=directory)
        below = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    os.close(directory)
    sctr("stop", container).ok()
    assert process.wait(20) == 0


def test_overlay_on_a_directory(rootfs):
    before = sorted(os.listdir(rootfs))
    assert sctr("run", "--rootfs", f"{rootfs}:O", "sh", "-c", "echo x > /new; cat /new").ok() == "x"
    assert sorted(os.listdir(rootfs)) == before


def test_more_than_a_hundred_layers(load):
    layers = [Layer().file(f"many/{i}", str(i)) for i in range(120)]
    name = load(Image(base_layer(), *layers))
    assert sctr("run", name, "sh", "-c", "cat /many/0 /many/119; ls /many | busybox wc -l").ok() == "0119120"


# Names --------------------------------------------------------------------------------------------


def test_images_and_tags(load):
    name = load(Image(base_layer().file("own", os.urandom(8))))
    other = f"localhost/{unique_name('t')}:2"
    sctr("tag", name, other).ok()
    listed = json.loads(sctr("images", "--json").ok())
    image = next(image for image in listed if name in image["names"])
    assert other in image["names"]
    assert {line.split()[0] for line in sctr("images").lines} >= {"NAME", name, other}
    assert [line.split()[0] for line in sctr("images", other.rpartition("/")[2]).lines] == ["NAME", other]
    assert sctr("images", "-q", "no-such-image").ok() == ""
    sctr("rmi", image["id"]).failed(125, "several names")
    sctr("rmi", other).ok()
    assert sctr("run", name, "echo", "still").ok() == "still"
    sctr("rmi", "localhost/none").failed(125, "no such image")


def test_layers_are_shared(load):
    base = base_layer().file("own", os.urandom(8)).bytes()
    sctr("system", "prune").ok()
    before = len(list((STORE / "layers").glob("*")))
    load(Image(base, Layer().file("one", "1")))
    load(Image(base, Layer().file("two", "2")))
    assert len(list((STORE / "layers").glob("*"))) == before + 3


def test_history_and_tree(load):
    name = load(Image(base_layer(), Layer().file("x", "y")))
    assert [line.split()[-1] for line in sctr("image", "history", name).lines[1:]] == ["0", "1"]
    assert len(sctr("image", "tree", name).lines) == 3


def test_save_and_load_again(load, tmp_path):
    name = load(Image(base_layer(), Cmd=["echo", "same"]))
    digest = json.loads(sctr("image", "inspect", name).ok())[0]["digest"]
    for form in ("oci-archive", "docker-archive", "oci-dir"):
        path = tmp_path / form
        sctr("save", "--format", form, "-o", path, name).ok()
        sctr("rmi", name).ok()
        assert sctr("load", "-q", "-i", path).ok() == name
        assert sctr("run", name).ok() == "same"
    assert digest.startswith("sha256:")


def test_save_to_where_nothing_can_be(load, tmp_path):
    name = load(Image(base_layer()))
    for form in ("oci-archive", "docker-archive", "oci-dir"):
        sctr("save", "--format", form, "-o", tmp_path / "none/x", name).failed(125, "cannot write: ", "none/x")


def test_in_a_directory_that_is_gone(load, tmp_path):
    """A relative path leads nowhere, and not below /."""
    name = load(Image(base_layer()))
    gone = tmp_path / "gone"
    gone.mkdir()
    def there(*words):
        gone.mkdir(exist_ok=True)
        script = f'cd {gone} && rmdir {gone} && exec sctr "$@"'
        done = subprocess.run(["sh", "-c", script, "sh", *map(str, words)], capture_output=True, timeout=20)
        return Result(list(words), done.returncode, done.stdout, done.stderr)

    assert there("run", name, "echo", "works").ok() == "works"
    there("load", "-i", "etc/hostname").failed(125, "etc/hostname")
    there("run", "-v", "./etc:/x", name, "true").failed(125, "No such file or directory")
    container = unique_name("c")
    sctr("run", "-d", "--name", container, name, "sleep", "1000").ok()
    try:
        there("cp", "etc/hostname", f"{container}:/").failed(125, "etc/hostname")
    finally:
        sctr("rm", "-f", container).ok()


def test_import(tmp_path):
    path = tmp_path / "root.tar"
    path.write_bytes(base_layer().bytes())
    name = unique_name("imported")
    image = sctr("import", "--cmd", "echo", "--cmd", "hi", path, name).ok()
    assert sctr("run", name).ok() == "hi"
    assert sctr("run", image).ok() == "hi"
    sctr("rmi", name).ok()


def test_import_of_a_directory(tmp_path, monkeypatch):
    """As its archive would be, with the owners and modes that it has."""
    root = tmp_path / "root"
    with tarfile.open(fileobj=io.BytesIO(base_layer().bytes())) as base:
        base.extractall(root, filter="tar")
    (root / "su").write_text("x")
    os.chown(root / "su", 7, 8)
    (root / "su").chmod(0o4750)
    os.link(root / "su", root / "again")
    (root / "there").symlink_to("/su")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(root)  # its path may be too long for a socket
        listener.bind("socket")
    name = unique_name("imported")
    monkeypatch.chdir(tmp_path)
    sctr("import", "root", name).ok()
    shown = sctr("run", name, "stat", "-c", "%n %a %u %g %h", "/su").ok()
    assert shown == "/su 4750 7 8 2"
    assert sctr("run", name, "stat", "-L", "-c", "%n %a", "/there").ok() == "/there 4750"
    assert sctr("run", name, "ls", "/socket").status == 1
    assert sctr("system", "check").ok() == ""
    sctr("rmi", name).ok()
    sctr("import", "nothing", name).failed(125, "nothing", "No such file or directory")


@pytest.mark.parametrize("form", ["layout", "archive", "docker"])
def test_load_of_nothing(tmp_path, form):
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (tmp_path / "index.json").write_text('{"schemaVersion": 2, "manifests": []}')
    path = tmp_path
    if form != "layout":
        (tmp_path / "manifest.json").write_text("[]")
        path = tmp_path / "images.tar"
        members = ["manifest.json"] if form == "docker" else ["oci-layout", "index.json"]
        subprocess.run(["tar", "cf", path, "-C", tmp_path, *members], check=True)
    sctr("load", "-i", path).failed(125, "nothing was loaded", str(path), "no image")


def test_load_from_a_path_with_a_colon(tmp_path):
    name = f"localhost/{unique_name('c')}:1"
    for form in ("oci-archive", "docker-archive", "oci-dir"):
        whole = Image(base_layer()).write_archive(tmp_path / "whole.tar", name)
        sctr("load", "-q", "-i", whole).ok()
        sctr("save", "--format", form, "-o", tmp_path / f"a:b-{form}", name).ok()
        sctr("rmi", name).ok()
        assert sctr("load", "-q", "-i", tmp_path / f"a:b-{form}").ok() == name
        sctr("rmi", name).ok()


def test_build(tmp_path):
    name = unique_name("built")
    (tmp_path / "busybox").write_bytes(Path(BUSYBOX).read_bytes())
    (tmp_path / "busybox").chmod(0o755)
    (tmp_path / "Containerfile").write_text(
        'FROM scratch\nCOPY busybox /bin/busybox\nENV A=b\nCMD ["/bin/busybox", "env"]\n'
    )
    image = sctr("build", "-q", "-t", name, tmp_path, timeout=120).lines[-1]
    try:
        assert "A=b" in sctr("run", name).lines
        assert sctr("run", image, "/bin/busybox", "echo", "x").ok() == "x"
        (tmp_path / "Containerfile").write_text("FROM scratch\nFLY\n")
        failed = sctr("build", "-q", "-t", name, tmp_path, timeout=120)  # with buildah's own words
        assert failed.status == 125 and "FLY" in failed.stderr
    finally:
        sctr("rmi", name).ok()
        harness.host("buildah", "rmi", "--all", "--force")
    sctr("build", "-t", "NO", tmp_path).failed(125, "NO", "invalid image name")


def test_build_on_an_image_that_is_here(load, tmp_path):
    """buildah has a store of its own, of which nobody should have to know."""
    tag = unique_name("above")
    for text in ("old", "new"):
        base = load(Image(base_layer(), Layer().file("text", text)), name="localhost/lent:1")
        (tmp_path / "Containerfile").write_text(f'FROM {base} AS one\nFROM one\nCMD ["cat", "/text"]\n')
        sctr("build", "-q", "-t", tag, tmp_path, timeout=120).ok()
        assert sctr("run", tag).ok() == text
        sctr("rmi", tag).ok()
        sctr("rmi", base).ok()
    harness.host("buildah", "rmi", "--all", "--force")


def test_build_without_buildah(tmp_path):
    """Said before anything is done."""
    hide = f'mount --bind /dev/null {shutil.which("buildah")} && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", hide, "sh", "sctr", "build", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, timeout=harness.DEADLINE)
    Result(words, done.returncode, done.stdout, done.stderr).failed(125, "cannot build", "install buildah")


def test_load_of_nonsense(tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(Layer().file("x", "y").bytes())
    sctr("load", "-i", path).failed(125, "neither index.json")
    sctr("load", "-i", tmp_path / "none").failed(125, "none")
    sctr("load", "-i", tmp_path).failed(125, "no OCI layout")


# Crashes ------------------------------------------------------------------------------------------


def test_killed_while_loading(tmp_path):
    """Whenever it is killed, the store works, and the next load and rmi leave nothing behind."""
    name = f"localhost/{unique_name('k')}:1"
    layers = [Layer().file(f"d{i}/{j}", os.urandom(2000)) for i in range(4) for j in range(20)][::20]
    path = Image(base_layer(), *layers, Cmd=["echo", "whole"]).write_archive(tmp_path / "k.tar", name)
    for delay in range(0, 300, 20):
        process = subprocess.Popen(
            ["sctr", "load", "-q", "-i", str(path)], stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            process.wait(delay / 1000)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        done = sctr("run", "--pull", "never", name)
        assert done.out == b"whole\n" or "no such image" in done.stderr, done
    assert sctr("load", "-q", "-i", path).ok() == name
    assert sctr("run", name).ok() == "whole"
    sctr("rmi", name).ok()


def test_a_power_cut_that_leaves_damaged_blobs(tmp_path):
    """What skopeo had written and no image refers to is not on disk for sure: it is fetched anew."""
    name = f"localhost/{unique_name('d')}:1"
    layers = [base_layer(), Layer().file("x", os.urandom(5000)), Layer().file("y", os.urandom(5000))]
    image = Image(*layers, Cmd=["echo", "whole"])
    path = image.write_archive(tmp_path / "d.tar", name)
    for digest in image.blobs()[0]:
        (STORE / "blobs/sha256" / digest).write_bytes(b"\0" * 5000)
    sctr("load", "-q", "-i", path).ok()
    assert sctr("run", name).ok() == "whole"
    assert sctr("system", "check").ok() == ""
    sctr("rmi", name).ok()


def test_loads_at_once(tmp_path):
    name = f"localhost/{unique_name('p')}:1"
    path = Image(base_layer(), Layer().file("x", "y")).write_archive(tmp_path / "p.tar", name)
    processes = [
        subprocess.Popen(["sctr", "load", "-q", "-i", str(path)], stdout=subprocess.DEVNULL) for _ in range(4)
    ]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert sctr("run", name, "cat", "/x").ok() == "y"
    sctr("rmi", name).ok()
