# SPDX-License-Identifier: LGPL-2.1-or-later
"""Answers system calls for containers whose seccomp filter asks (seccomp_unotify(2))."""

import array
import fcntl
import json
import os
import select
import socket
import struct
import threading

from harness import DEADLINE

# _IOWR('!', 0, struct seccomp_notif) and _IOWR('!', 1, struct seccomp_notif_resp)
RECEIVE = 0xC0502100
SEND = 0xC0182101
NOTIFICATION = struct.Struct("=QIIiIQ6Q")
RESPONSE = struct.Struct("=QqiI")
CONTINUE = 1  # let the kernel make the call


class Agent:
    """Takes connections at `path` and answers every notification with answer(number, arguments),
    which gives (value, errno), or None to let the call be made."""

    def __init__(self, path, answer=lambda number, arguments: None, keep=True):
        self.path = path
        self.answer = answer
        self.keep = keep
        self.states = []
        self.calls = []
        self.failure = None
        self.stop_reader, self.stop_writer = os.pipe()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(str(path))
        self.socket.listen()
        self.listeners = []
        self.thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        os.close(self.stop_writer)
        self.thread.join(DEADLINE)
        assert not self.thread.is_alive()
        self.socket.close()
        for listener in self.listeners:
            os.close(listener)
        os.close(self.stop_reader)
        if self.failure:
            raise self.failure

    def _serve(self):
        try:
            while True:
                waiting = [self.stop_reader, self.socket.fileno(), *self.listeners]
                poll = select.poll()
                for fd in waiting:
                    poll.register(fd, select.POLLIN)
                for fd, event in poll.poll():
                    if fd == self.stop_reader:
                        return
                    if fd == self.socket.fileno():
                        self._take()
                    elif event & select.POLLIN:
                        self._answer(fd)
                    else:  # no process has the filter any more
                        self.listeners.remove(fd)
                        os.close(fd)
        except BaseException as failure:  # shown by the test
            self.failure = failure

    def _take(self):
        connection, _ = self.socket.accept()
        text, fds = b"", array.array("i")
        with connection:
            while True:
                data, extra, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(64))
                for level, kind, content in extra:
                    assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
                    fds.frombytes(content)
                if not data:
                    break  # whoever sent it has closed the connection, as it must
                text += data
        assert len(fds) == 1
        self.states.append(json.loads(text))
        if self.keep:
            self.listeners.append(fds[0])
        else:
            os.close(fds[0])

    def _answer(self, listener):
        buffer = bytearray(NOTIFICATION.size)
        try:
            fcntl.ioctl(listener, RECEIVE, buffer)
        except FileNotFoundError:
            return  # killed meanwhile
        identifier, _, _, number, _, _, *arguments = NOTIFICATION.unpack(buffer)
        self.calls.append(number)
        result = self.answer(number, arguments)
        value, error, flags = (0, 0, CONTINUE) if result is None else (result[0], -result[1], 0)
        try:
            fcntl.ioctl(listener, SEND, bytearray(RESPONSE.pack(identifier, value, error, flags)))
        except FileNotFoundError:
            pass
