# SPDX-License-Identifier: LGPL-2.1-or-later
"""A terminal with a program in it, as a person would have it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from harness import DEADLINE


class Terminal:
    def __init__(self, *command, rows=24, columns=80, env=None, stdin=None):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.first_modes = termios.tcgetattr(self.slave)
        self.seen = b""

        def take_terminal():
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            list(map(str, command)),
            stdin=self.slave if stdin is None else stdin,
            stdout=self.slave,
            stderr=self.slave,
            preexec_fn=take_terminal,
            env=env,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def resize(self, rows, columns):
        # The kernel tells the foreground process group of it.
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def expect(self, pattern, deadline=DEADLINE):
        """Reads until the regular expression is seen; returns its match."""
        expression = re.compile(pattern.encode())
        end = time.monotonic() + deadline
        while True:
            match = expression.search(self.seen)
            if match:
                self.seen = self.seen[match.end() :]
                return match
            assert self._read(end), f"no {pattern!r} within {deadline} s in {self.seen!r}"

    def _read(self, end):
        left = max(0.0, end - time.monotonic())
        if not select.select([self.master], [], [], left)[0]:
            return False
        self.seen += os.read(self.master, 65536)
        return True

    def drain(self):
        """What is there to read now."""
        while self._read(time.monotonic()):
            pass
        return self.seen

    def wait(self, deadline=DEADLINE):
        """The exit status; output is read meanwhile, so that nobody blocks on it."""
        end = time.monotonic() + deadline
        while self.process.poll() is None:
            assert time.monotonic() < end, f"does not end within {deadline} s: {self.seen!r}"
            self._read(min(end, time.monotonic() + 0.02))
        self.drain()
        return self.process.returncode

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def modes(self):
        return termios.tcgetattr(self.slave)

    def is_raw(self):
        return not self.modes()[3] & termios.ICANON

    def is_restored(self):
        return self.modes() == self.first_modes
