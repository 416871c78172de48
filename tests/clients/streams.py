# SPDX-License-Identifier: LGPL-2.1-or-later
"""The streams of exec and attach over CRI: a WebSocket (RFC 6455) whose messages begin with the number of a channel."""

import base64
import json
import os
import socket
import struct
from urllib.parse import urlsplit

STDIN, STDOUT, STDERR, STATUS, RESIZE = range(5)
BINARY, CLOSE = 2, 8


class Stream:
    def __init__(self, url, deadline=20):
        place = urlsplit(url)
        self.socket = socket.create_connection((place.hostname, place.port), timeout=deadline)
        self.seen = {STDIN: b"", STDOUT: b"", STDERR: b"", STATUS: b""}
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n".encode()
        )
        self.file = self.socket.makefile("rb")
        status = self.file.readline()
        assert b" 101 " in status, status + self.file.read()
        while self.file.readline().strip():
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, channel, data):
        payload = bytes([channel]) + data
        assert len(payload) < 126, "longer messages have another header"
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        self.socket.sendall(bytes([0x80 | BINARY, 0x80 | len(payload)]) + mask + masked)

    def _receive(self):
        """Takes one message; False at the end."""
        head = self.file.read(2)
        if len(head) < 2 or head[0] & 15 == CLOSE:
            return False
        size = head[1] & 0x7F
        if size > 125:
            size = struct.unpack("!H" if size == 126 else "!Q", self.file.read(2 if size == 126 else 8))[0]
        payload = self.file.read(size)
        if head[0] & 15 <= BINARY and payload:
            self.seen[payload[0]] += payload[1:]
        return True

    def expect(self, text, channel=STDOUT):
        while text not in self.seen[channel]:
            assert self._receive(), f"no {text!r} in {self.seen}"

    def end(self):
        """Reads to the end and returns the exit status."""
        while not self.seen[STATUS] and self._receive():
            pass
        status = json.loads(self.seen[STATUS])
        if status["status"] == "Success":
            return 0
        causes = status.get("details", {}).get("causes", [])
        return next(int(cause["message"]) for cause in causes if cause["reason"] == "ExitCode")
