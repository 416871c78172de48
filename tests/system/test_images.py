# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images: how they come into the store, what their layers become, and containers made from them."""

import json
import os
import signal
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

import harness
from harness import eventually, sctr, unique_name
from made_images import BUSYBOX, MTIME, Image, Layer, base_layer
from registry import Registry
from services import init_of
from store import STORE, load, nothing_stays_in_the_store  # noqa: F401 (fixtures)

def failed_load(tmp_path, image, *words):
    path = image.write_archive(tmp_path / "bad.tar")
    sctr("load", "-q", "-i", path).failed(125, *words)
    sctr("system", "prune").ok()


# Running ------------------------------------------------------------------------------------------


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
    assert sctr("run", name, "sh", "-c", "echo x > /etc/new; rm /etc/group; ls /etc").ok() == "new\npasswd"
    assert sctr("run", name, "ls", "/etc").ok() == "group\npasswd"


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


# Layers -------------------------------------------------------------------------------------------


def show(name, *command):
    return sctr("run", name, *command).ok()


def test_whiteouts(load):
    lower = base_layer().file("a/one", "1").file("a/two", "2").file("b/one", "1").file("c", "c")
    upper = Layer().file("a/.wh.one").file("b/.wh..wh..opq").file("b/new", "n").file(".wh.c")
    name = load(Image(lower, upper))
    assert show(name, "ls", "/a") == "two"
    assert show(name, "ls", "/b") == "new"
    assert sctr("run", name, "ls", "/c").status == 1


def test_a_whiteout_does_not_hide_its_own_layer(load):
    lower = base_layer().file("d/old", "o").file("f", "old")
    before = Layer().file(".wh.d").dir("d").file("d/new", "n").file(".wh.f").file("f", "new")
    after = Layer().dir("d").file("d/new", "n").file(".wh.d").file("f", "new").file(".wh.f")
    for upper in (before, after):
        name = load(Image(lower if upper is before else lower_again(), upper))
        assert show(name, "sh", "-c", "ls /d; cat /f") == "new\nnew"


def lower_again():
    return base_layer().file("d/old", "o").file("f", "old")


def test_metadata(load):
    layer = base_layer()
    layer.file("suid", "x", mode=0o4755, uid=7, gid=8)
    layer.hardlink("hard", "suid", mode=0o4755, uid=7, gid=8)
    layer.dir("sticky", 0o1770, uid=3, gid=4)
    layer.file("sticky/inside", "x")
    layer.add("fifo", kind=tarfile.FIFOTYPE, mode=0o640)
    layer.device("null", 1, 3, mode=0o666)
    layer.file(
        "attributes", "x", pax_headers={"SCHILY.xattr.user.colour": "green", "SCHILY.xattr.trusted.overlay.opaque": "y"}
    )
    name = load(Image(layer))
    lower = Path(json.loads(sctr("image", "inspect", name).ok())[0]["layers"][0])
    suid = (lower / "suid").stat()
    assert (suid.st_mode & 0o7777, suid.st_uid, suid.st_gid, suid.st_mtime) == (0o4755, 7, 8, MTIME)
    assert suid.st_ino == (lower / "hard").stat().st_ino
    sticky = (lower / "sticky").stat()
    assert (sticky.st_mode & 0o7777, sticky.st_uid, sticky.st_gid, sticky.st_mtime) == (0o1770, 3, 4, MTIME)
    assert stat.S_ISFIFO((lower / "fifo").stat().st_mode)
    assert (lower / "null").stat().st_rdev == os.makedev(1, 3)
    assert os.listxattr(lower / "attributes") == ["user.colour"]
    assert os.getxattr(lower / "attributes", "user.colour") == b"green"
    link = (lower / "bin/sh").lstat()
    assert stat.S_ISLNK(link.st_mode) and link.st_mtime == MTIME


def test_implied_directories_look_as_below(load):
    lower = base_layer().dir("closed", 0o700, uid=5)
    name = load(Image(lower, Layer().file("closed/file", "x").file("fresh/file", "y")))
    assert show(name, "stat", "-c", "%a %u", "/closed", "/fresh", "/").splitlines() == ["700 5", "755 0", "755 0"]


def test_the_later_of_two_members(load):
    layer = base_layer().file("x", "old").dir("x").file("x/y", "in").dir("z").file("z/in", "q").file("z", "file")
    name = load(Image(layer))
    assert show(name, "cat", "/x/y", "/z") == "infile"


def test_plain_layers(load):
    name = load(Image(base_layer(), compress=lambda data: data, suffix=""))
    assert show(name, "echo", "x") == "x"


@pytest.mark.parametrize("kind", ["zstd", "zstd:chunked"])
def test_zstd_layers(tmp_path, kind):
    """Those that skopeo makes; of chunked ones what the chunks are for is passed over."""
    name = f"localhost/{unique_name('z')}:1"
    text = os.urandom(300_000).hex()
    image = Image(base_layer().file("x", text), Layer().file("y", "y"), compress=lambda data: data, suffix="")
    plain, packed = image.write_archive(tmp_path / "plain.tar", name), tmp_path / "packed"
    harness.host("skopeo", "copy", "--dest-compress-format", kind, f"oci-archive:{plain}", f"oci:{packed}:{name}")
    assert sctr("load", "-q", "-i", packed).ok() == name
    types = {layer["mediaType"] for layer in json.loads(sctr("image", "inspect", name).ok())[0]["manifest"]["layers"]}
    assert types == {"application/vnd.oci.image.layer.v1.tar+zstd"}
    assert sctr("run", name, "cat", "/y", "/x").ok() == "y" + text
    sctr("rmi", name).ok()


def sparse_layer():
    """A GNU sparse member of 1 GiB with one byte at its end, as tar writes it."""
    path = Path("/var/tmp/sctr-sparse")
    with open(path, "wb") as file:
        file.truncate(1 << 30)
        file.seek((1 << 30) - 1)
        file.write(b"x")
    done = subprocess.run(
        ["tar", "-C", path.parent, "--sparse", "--format=gnu", "-c", path.name], capture_output=True, check=True
    )
    path.unlink()
    return done.stdout


def test_sparse_files_stay_sparse(load):
    name = load(Image(base_layer(), sparse_layer()))
    lower = Path(json.loads(sctr("image", "inspect", name).ok())[0]["layers"][0])
    status = (lower / "sctr-sparse").stat()
    assert status.st_size == 1 << 30 and status.st_blocks * 512 < 1 << 20


HOSTILE = {
    "climbs": (Layer().file("../../evil", "x"), "leads out"),
    "climbs_within": (Layer().file("a/../../evil", "x"), "leads out"),
    "link_to_nothing": (Layer().hardlink("x", "etc/shadow"), "does not have"),
    "link_that_climbs": (Layer().hardlink("x", "../../../etc/shadow"), "leads out"),
    "long_name": (Layer().file("x" * 300, "x"), "255"),
    "long_path": (Layer().file("d/" * 2500 + "x", "x"), "4095"),
    "whiteout_of_dots": (Layer().file("a/.wh..."), "whiteout of nothing"),
    "link_to_a_directory": (Layer().dir("d").hardlink("x", "d"), "no file"),
    "no_archive": (b"this is no archive at all" * 100, "layer"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_layers_are_refused(tmp_path, case):
    layer, word = HOSTILE[case]
    failed_load(tmp_path, Image(layer), word)


def test_links_that_lead_out_are_contained(load):
    target = Path("/var/tmp/sctr-escaped")
    layer = base_layer().dir("var/tmp").symlink("out", "/var/tmp").file("out/sctr-escaped", "x")
    layer.symlink("up", "../../../../../../var/tmp").file("up/sctr-escaped-too", "y")
    name = load(Image(layer))
    assert show(name, "cat", "/var/tmp/sctr-escaped", "/var/tmp/sctr-escaped-too") == "xy"
    assert not target.exists() and not Path("/var/tmp/sctr-escaped-too").exists()


def test_a_link_that_leads_nowhere_is_no_directory(tmp_path):
    layer = Layer().symlink("out", "/var/tmp").file("out/sctr-escaped", "x")
    failed_load(tmp_path, Image(layer), "symbolic link")


def test_absolute_names_are_below_the_root(load):
    target = Path("/sctr-absolute")
    name = load(Image(base_layer().file("/sctr-absolute", "x")))
    assert not target.exists()
    assert show(name, "cat", "/sctr-absolute") == "x"


def test_a_layer_that_is_another(tmp_path):
    image = Image(base_layer())
    image.diff_ids = ["sha256:" + "0" * 64]
    failed_load(tmp_path, image, "not what the image's config says")


WALK = """
import hashlib, json, os, stat, sys
found = {}
for directory, _, _ in os.walk(sys.argv[1]):
    for name in [".", *os.listdir(directory)]:
        path = os.path.normpath(os.path.join(directory, name))
        info = os.lstat(path)
        content = ""
        if stat.S_ISREG(info.st_mode):
            content = hashlib.sha256(open(path, "rb").read()).hexdigest()
        elif stat.S_ISLNK(info.st_mode):
            content = os.readlink(path)
        xattrs = {x: os.getxattr(path, x, follow_symlinks=False).hex()
                  for x in os.listxattr(path, follow_symlinks=False) if ".overlay." not in x}
        found[os.path.relpath(path, sys.argv[1])] = [
            info.st_mode, info.st_uid, info.st_gid, info.st_rdev, info.st_nlink if content else 0,
            info.st_mtime_ns, content, xattrs]
print(json.dumps(found))
"""


def tree_of(path, *prefix):
    return json.loads(harness.host(*prefix, "python3", "-c", WALK, path))


def test_the_tree_is_podmans(load, tmp_path):
    """The same image gives the same tree: bytes, modes, owners, times, xattrs."""
    lower = base_layer().dir("home").dir("gone").dir("kept").dir("replaced")
    lower.file("gone/a", "a").file("kept/b", "b", mode=0o4751, uid=5, gid=6)
    lower.dir("closed", 0o711, uid=9).file("closed/in", "i").file("replaced/x", "x").hardlink("two", "kept/b")
    lower.device("null", 1, 3, mode=0o666).add("fifo", kind=tarfile.FIFOTYPE, mode=0o600)
    # Every builder writes the directories on the way, too; those it leaves out podman makes up.
    upper = Layer().dir("gone").dir("closed", 0o711, uid=9).dir("replaced")
    upper.file("gone/.wh.a").file("closed/new", "n").file("replaced/.wh..wh..opq").file("replaced/y", "y")
    upper.file("x", "x", pax_headers={"SCHILY.xattr.user.a": "b"}).symlink("abs", "/etc/passwd")
    cap = bytes.fromhex("0100000200200000000000000000000000000000")
    upper.file("ping", "p", mode=0o755, pax_headers={"SCHILY.xattr.security.capability": cap.decode("latin-1")})
    image = Image(lower, upper)
    name = load(image)
    harness.host("podman", "load", "-q", "-i", image.write_archive(tmp_path / "p.tar", name))
    try:
        theirs = tree_of(harness.host("podman", "image", "mount", name).strip())
        layers = json.loads(sctr("image", "inspect", name).ok())[0]["layers"]
        mount = f"mount -t overlay none -o ro,lowerdir={':'.join(layers)} {layers[0]} && exec \"$@\""
        ours = tree_of(layers[0], "unshare", "--mount", "sh", "-c", mount, "sh")
    finally:
        harness.host("podman", "rmi", "-f", name)
    del ours["."], theirs["."]  # podman makes it 0555 where no layer tells of it
    assert ours == theirs


# Names --------------------------------------------------------------------------------------------


def test_images_and_tags(load):
    name = load(Image(base_layer().file("own", os.urandom(8))))
    other = f"localhost/{unique_name('t')}:2"
    sctr("tag", name, other).ok()
    listed = json.loads(sctr("images", "--json").ok())
    image = next(image for image in listed if name in image["names"])
    assert other in image["names"]
    assert {line.split()[0] for line in sctr("images").lines} >= {"NAME", name, other}
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


def test_import(tmp_path):
    path = tmp_path / "root.tar"
    path.write_bytes(base_layer().bytes())
    name = unique_name("imported")
    image = sctr("import", "--cmd", "echo", "--cmd", "hi", path, name).ok()
    assert sctr("run", name).ok() == "hi"
    assert sctr("run", image).ok() == "hi"
    sctr("rmi", name).ok()


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


def test_load_of_nonsense(tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(Layer().file("x", "y").bytes())
    sctr("load", "-i", path).failed(125, "neither index.json")
    sctr("load", "-i", tmp_path / "none").failed(125, "none")
    sctr("load", "-i", tmp_path).failed(125, "no OCI layout")


# Registries ---------------------------------------------------------------------------------------


@pytest.fixture
def registry():
    with Registry() as running:
        yield running
    sctr("system", "prune").ok()  # of what did not become an image


@pytest.fixture
def pulled():
    """Names that go with the test."""
    names = []
    yield names
    for name in names:
        sctr("rmi", name)


def pull(*words):
    return sctr("pull", "-q", "--tls-verify=false", *words)


def test_pull(registry, pulled):
    name = registry.add("a/b", "1", Image(base_layer(), Layer().file("x", "y"), Cmd=["cat", "/x"]))
    image = pull(name).ok()
    pulled.append(name)
    assert sctr("run", name).ok() == "y"
    assert sctr("run", image).ok() == "y"
    blobs = registry.count("/blobs/")
    assert pull(name).ok() == image
    assert registry.count("/blobs/") <= blobs + 1, "layers that are here are not fetched again"


def test_pull_of_a_new_version(registry, pulled):
    base = base_layer().bytes()
    name = registry.add("a/b", "1", Image(base, Layer().file("x", "old"), Cmd=["cat", "/x"]))
    first = pull(name).ok()
    pulled.extend([name, first])
    registry.add("a/b", "1", Image(base, Layer().file("x", "new"), Cmd=["cat", "/x"]))
    assert pull(name).ok() != first
    assert sctr("run", name).ok() == "new"
    assert sctr("run", first).ok() == "old"


def test_pull_with_a_password(registry, pulled):
    registry.password = "user:secret"
    name = registry.add("a/b", "1", Image(base_layer()))
    pull(name).failed(125, name)
    pull("--creds", "user:secret", name).ok()
    pulled.append(name)


def test_a_registry_that_dies_in_the_middle(registry, pulled):
    layers = [Layer().file(f"f{i}", os.urandom(100_000)) for i in range(3)]
    name = registry.add("a/b", "1", Image(base_layer(), *layers))
    registry.die_in_blob = registry.digest_of_layer(name, 2)
    pull(name).failed(125)
    assert sctr("run", "--pull", "never", name, "true").status == 125
    registry.die_in_blob = None
    before = registry.count("/blobs/")
    pull(name).ok()
    pulled.append(name)
    assert sctr("run", name, "ls", "/f2").ok() == "/f2"
    assert registry.count("/blobs/") - before < 5, "what had come was fetched again"


def test_a_registry_that_lies(registry):
    name = registry.add("a/b", "1", Image(base_layer()))
    registry.blobs[registry.digest_of_layer(name, 0)] = b"something else"
    pull(name).failed(125)


def test_pulls_at_once_do_the_work_once(registry, pulled):
    name = registry.add("a/b", "1", Image(base_layer(), Layer().file("x", os.urandom(3_000_000))))
    command = ["sctr", "pull", "-q", "--tls-verify=false", name]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    ids = {process.communicate(timeout=60)[0] for process in processes}
    pulled.append(name)
    assert len(ids) == 1 and all(process.returncode == 0 for process in processes)
    assert registry.count(registry.digest_of_layer(name, 1)) == 1


def test_push(registry, load, pulled):
    name = load(Image(base_layer(), Layer().file("x", os.urandom(100)), Cmd=["echo", "pushed"]))
    digest = json.loads(sctr("image", "inspect", name).ok())[0]["digest"]
    target = f"{registry.address}/sent/here:2"
    sctr("push", "-q", "--tls-verify=false", name, target).ok()
    sctr("rmi", name).ok()
    pull(target).ok()
    pulled.append(target)
    assert sctr("run", target).ok() == "pushed"
    assert json.loads(sctr("image", "inspect", target).ok())[0]["digest"] == digest
    sctr("push", target, "short").failed(125, "registry")
    sctr("push", "none:1", target).failed(125, "no such image")


def test_pull_of_nothing(registry):
    pull(f"{registry.address}/none:1").failed(125, "none")
    sctr("pull").failed(125, "no image named")


# What containers write ----------------------------------------------------------------------------


@pytest.fixture
def stored(load):
    """A stored container that has changed its files, and ended."""
    lower = base_layer().file("gone", "g").file("changed", "c").file("d/old", "o")
    name = load(Image(lower, Cmd=["sh", "-c", "rm /gone; echo new > /changed; rm -r /d; busybox mkdir /d; touch /d/new"]))
    container = unique_name("c")
    sctr("run", "-d", "--name", container, name).ok()
    sctr("wait", container).ok()
    yield container
    sctr("rm", container).ok()


def test_diff(stored):
    assert sctr("diff", stored).lines == ["C /changed", "C /d", "A /d/new", "D /gone"]
    sctr("diff", "none").failed(125, "none")


def test_what_a_container_in_the_foreground_has_left(load, pulled, tmp_path):
    container = unique_name("c")
    sctr("run", "--rm=false", "--name", container, load(Image(base_layer())), "sh", "-c", "echo new > /new").ok()
    assert sctr("diff", container).lines == ["A /new"]
    sctr("cp", f"{container}:/new", tmp_path).ok()
    assert (tmp_path / "new").read_text() == "new\n"
    sctr("export", "-o", tmp_path / "all.tar", container).ok()
    with tarfile.open(tmp_path / "all.tar") as archive:
        assert "new" in [name.removeprefix("./") for name in archive.getnames()]
    pulled.append(f"localhost/{container}:1")
    sctr("commit", container, pulled[-1]).ok()
    assert sctr("run", pulled[-1], "cat", "/new").ok() == "new"
    sctr("rm", container).ok()
    sctr("diff", container).failed(125, "does not exist")


def test_diff_is_without_what_was_made_to_mount_on(load):
    bare = Layer().dir("bin").file("bin/sh", Path(BUSYBOX).read_bytes(), mode=0o755)
    container = unique_name("c")
    sctr("run", "-d", "--name", container, load(Image(bare)), "sh", "-c", "echo new > /new").ok()
    sctr("wait", container).ok()
    assert sctr("diff", container).lines == ["A /new"]
    sctr("rm", container).ok()


def test_commit(stored, pulled):
    name = f"localhost/{unique_name('m')}:1"
    image = sctr("commit", "--cmd", "ls", "--cmd", "/d", "-e", "A=b", "-m", "why", stored, name).ok()
    pulled.append(name)
    assert sctr("run", name).ok() == "new"
    assert sctr("run", name, "sh", "-c", "cat /changed; ls /gone; echo $A").ok().splitlines() == ["new", "b"]
    assert json.loads(sctr("image", "inspect", name).ok())[0]["id"] == image


def test_export(stored, tmp_path):
    path = tmp_path / "out.tar"
    sctr("export", "-o", path, stored).ok()
    with tarfile.open(path) as archive:
        names = {name.removeprefix("./") for name in archive.getnames()}
        assert {"d/new", "bin/busybox", "changed"} <= names and not {"gone", "d/old"} & names
        assert archive.extractfile("changed").read() == b"new\n"


def test_system(load, tmp_path):
    name = load(Image(base_layer(), Cmd=["echo", "x"]))
    assert [line.split()[0] for line in sctr("system", "df").lines[1:]] == [
        "layers", "blobs/sha256", "roots", "volumes", "tmp",
    ]  # fmt: skip
    assert sctr("system", "check").ok() == ""
    image = json.loads(sctr("image", "inspect", name).ok())[0]
    blob = STORE / "blobs/sha256" / image["manifest"]["layers"][0]["digest"].removeprefix("sha256:")
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-1] + b"?")
    found = sctr("system", "check")
    assert found.status == 1 and "damaged" in found.stdout
    sctr("system", "check", "--repair").ok()
    assert not blob.exists() and sctr("run", name).ok() == "x"
    blob.write_bytes(whole)
    (STORE / "names/localhost%2Fdangling:1").symlink_to("../images/" + "0" * 64)
    assert "leads to no image" in sctr("system", "check").stdout
    sctr("system", "check", "--repair").ok()
    assert sctr("system", "check").ok() == ""
    sctr("system", "prune").ok()
    assert sctr("run", name).ok() == "x"
    sctr("system", "nothing").failed(125, "df, prune or check")


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
    path = Image(*layers, Cmd=["echo", "whole"]).write_archive(tmp_path / "d.tar", name)
    sctr("load", "-q", "-i", path).ok()
    digests = [layer["digest"] for layer in json.loads(sctr("image", "inspect", name).ok())[0]["manifest"]["layers"]]
    sctr("rmi", name).ok()
    for digest in digests[1:]:
        (STORE / "blobs/sha256" / digest.removeprefix("sha256:")).write_bytes(b"\0" * 5000)
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
