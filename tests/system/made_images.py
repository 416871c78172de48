# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images made by hand: layers as lists of members, as OCI archives."""

import functools
import gzip
import hashlib
import io
import json
import tarfile

BUSYBOX = "/bin/busybox"
MTIME = 1_600_000_000


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Layer:
    """A layer that is built member by member."""

    def __init__(self):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.PAX_FORMAT)

    def add(self, name, data=b"", kind=tarfile.REGTYPE, **attributes):
        member = tarfile.TarInfo(name)
        member.type = kind
        member.size = len(data)
        member.mtime = MTIME
        for key, value in attributes.items():
            setattr(member, key, value)
        self.tar.addfile(member, io.BytesIO(data))
        return self

    def file(self, name, data=b"", **attributes):
        return self.add(name, data.encode() if isinstance(data, str) else data, **attributes)

    def dir(self, name, mode=0o755, **attributes):
        return self.add(name, kind=tarfile.DIRTYPE, mode=mode, **attributes)

    def symlink(self, name, target):
        return self.add(name, kind=tarfile.SYMTYPE, linkname=target, mode=0o777)

    def hardlink(self, name, target, **attributes):
        return self.add(name, kind=tarfile.LNKTYPE, linkname=target, **attributes)

    def device(self, name, major, minor, kind=tarfile.CHRTYPE, mode=0o600):
        return self.add(name, kind=kind, devmajor=major, devminor=minor, mode=mode)

    def bytes(self):
        self.tar.close()
        return self.buffer.getvalue()


def base_layer():
    """Busybox and the accounts that tests ask for."""
    with open(BUSYBOX, "rb") as program:
        layer = Layer().dir("bin").file("bin/busybox", program.read(), mode=0o755)
    for name in ("sh", "cat", "ls", "stat", "id", "env", "true", "echo", "touch", "rm", "pwd", "sleep"):
        layer.symlink(f"bin/{name}", "busybox")
    for name in ("etc", "proc", "sys", "dev", "run", "var"):
        layer.dir(name)
    layer.dir("root", 0o700).dir("tmp", 0o1777).dir("home/alice", 0o700, uid=1234, gid=50)
    layer.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1234:50::/home/alice:/bin/sh\n")
    layer.file("etc/group", "root:x:0:\nstaff:x:50:\nwheel:x:99:alice\n")
    return layer


@functools.lru_cache(maxsize=64)
def gzipped(layer):
    """The same blob whenever it is made."""
    return gzip.compress(layer, compresslevel=1, mtime=0)


class Image:
    """An image of layers (Layer or bytes), the lowest first."""

    def __init__(self, *layers, compress=gzipped, suffix="+gzip", **process):
        self.layers = [layer.bytes() if isinstance(layer, Layer) else layer for layer in layers]
        self.compress = compress
        self.suffix = suffix
        self.process = process
        self.diff_ids = ["sha256:" + sha(layer) for layer in self.layers]

    def config(self):
        return json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "created": "2026-01-02T03:04:05Z",
                "config": self.process,
                "rootfs": {"type": "layers", "diff_ids": self.diff_ids},
                "history": [{"created_by": f"layer {i}"} for i in range(len(self.layers))],
            }
        ).encode()

    def blobs(self):
        """The blobs by digest, and the descriptor of the manifest."""
        config = self.config()
        packed = [self.compress(layer) for layer in self.layers]
        kind = "application/vnd.oci.image."
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": kind + "manifest.v1+json",
                "config": descriptor(kind + "config.v1+json", config),
                "layers": [descriptor(f"{kind}layer.v1.tar{self.suffix}", layer) for layer in packed],
            }
        ).encode()
        return (
            {sha(blob): blob for blob in (config, manifest, *packed)},
            descriptor(kind + "manifest.v1+json", manifest),
        )

    def write_archive(self, path, name="localhost/made:1"):
        """An OCI archive; returns its path."""
        blobs, manifest = self.blobs()
        manifest["annotations"] = {"org.opencontainers.image.ref.name": name}
        archive = Layer().file("oci-layout", '{"imageLayoutVersion":"1.0.0"}')
        archive.file("index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
        for digest, blob in blobs.items():
            archive.file(f"blobs/sha256/{digest}", blob)
        path.write_bytes(archive.bytes())
        return path


def descriptor(media_type, blob):
    return {"mediaType": media_type, "digest": "sha256:" + sha(blob), "size": len(blob)}
