# SPDX-License-Identifier: LGPL-2.1-or-later
"""A registry on loopback that does as a test wants: dies, lies, asks for a password."""

import base64
import contextlib
import hashlib
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        registry = self.server.registry
        registry.requests.append(self.path)
        if registry.busy > 0 and "/manifests/" in self.path:
            registry.busy -= 1
            self.close_connection = True  # without a word
            return
        if registry.password and not self.is_allowed(registry.password):
            return self.answer(401, b"", {"WWW-Authenticate": 'Basic realm="here"'})
        parts = self.path.strip("/").split("/")
        if parts == ["v2"]:
            return self.answer(200, b"{}")
        repository, kind, reference = "/".join(parts[1:-2]), parts[-2], parts[-1]
        digest = reference.removeprefix("sha256:")
        if kind == "manifests":
            digest = registry.tags.get((repository, reference), digest)
        blob = registry.blobs.get(digest)
        if digest == registry.hold_blob and self.command == "GET":
            registry.is_asked.set()
            registry.may_answer.wait()
        if blob is None:
            return self.answer(404, json.dumps({"errors": [{"code": "NAME_UNKNOWN"}]}).encode())
        headers = {"Docker-Content-Digest": "sha256:" + digest}
        if kind == "manifests":
            headers["Content-Type"] = json.loads(blob)["mediaType"]
        self.answer(200, blob, headers, cut=digest == registry.die_in_blob)

    do_HEAD = do_GET

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_POST(self):
        """Begins an upload: distribution-spec, Pushing Blobs."""
        self.server.registry.requests.append(f"POST {self.path}")
        self.body()
        self.answer(202, b"", {"Location": self.path + "upload", "Docker-Upload-UUID": "upload"})

    def do_PATCH(self):
        registry = self.server.registry
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        data = self.chunks() if chunked else self.body()
        digest = hashlib.sha256(data).hexdigest()
        registry.blobs[digest] = data
        self.answer(202, b"", {"Location": self.path, "Range": f"0-{max(len(data) - 1, 0)}"})

    def chunks(self):
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def do_PUT(self):
        registry = self.server.registry
        registry.requests.append(f"PUT {self.path}")
        data = self.body()
        parts = self.path.split("?")[0].strip("/").split("/")
        digest = hashlib.sha256(data).hexdigest()
        if parts[-2] == "manifests":
            registry.tags["/".join(parts[1:-2]), parts[-1]] = digest
            registry.blobs[digest] = data
        self.answer(201, b"", {"Docker-Content-Digest": "sha256:" + digest})

    def is_allowed(self, password):
        expected = "Basic " + base64.b64encode(password.encode()).decode()
        return self.headers.get("Authorization") == expected

    def answer(self, status, body, headers=(), cut=False):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # a client may go when it likes
            super().handle_error(request, client_address)


class Registry:
    """with Registry() as registry: registry.add(...)"""

    def __init__(self):
        self.blobs = {}
        self.tags = {}
        self.requests = []
        self.password = None
        self.die_in_blob = None
        self.busy = 0  # so many requests for manifests are not answered
        self.hold_blob = None  # not answered before may_answer
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()

    def __enter__(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.registry = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_port}"
        return self

    @contextlib.contextmanager
    def without_tls(self, more=""):
        """As an administrator says it, with what else he says: registries.conf.d(5)."""
        conf = Path(f"/etc/containers/registries.conf.d/sctr-test-{os.getpid()}.conf")
        conf.parent.mkdir(parents=True, exist_ok=True)
        conf.write_text(f'{more}[[registry]]\nlocation = "{self.address}"\ninsecure = true\n')
        try:
            yield conf
        finally:
            conf.unlink()

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def add(self, repository, tag, image):
        """Returns the full name of the image."""
        blobs, manifest = image.blobs()
        self.blobs.update(blobs)
        self.tags[repository, tag] = manifest["digest"].removeprefix("sha256:")
        return f"{self.address}/{repository}:{tag}"

    def digest_of_layer(self, name, number):
        repository, _, tag = name.removeprefix(self.address + "/").rpartition(":")
        manifest = json.loads(self.blobs[self.tags[repository, tag]])
        return manifest["layers"][number]["digest"].removeprefix("sha256:")

    def count(self, part):
        """How many requests had this in their path."""
        return sum(part in path for path in self.requests)
