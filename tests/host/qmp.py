"""Saves a running QEMU to files, or continues one from them: qmp.py SOCKET save|resume STATE_FILE."""

import json
import socket
import sys

DEADLINE_SECONDS = 120


class Monitor:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE_SECONDS)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r")
        json.loads(self.lines.readline())
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        request = {"execute": command, "arguments": arguments}
        self.socket.sendall(json.dumps(request).encode())
        while True:
            message = json.loads(self.lines.readline())
            if "error" in message:
                sys.exit(f"QEMU refuses {command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]

    def await_migration(self):
        while True:
            message = json.loads(self.lines.readline())
            if message.get("event") != "MIGRATION":
                continue
            status = message["data"]["status"]
            if status == "completed":
                return
            if status in ("failed", "cancelled"):
                sys.exit(f"QEMU's migration {status}: {self.call('query-migrate').get('error-desc', '')}")


def main():
    path, verb, state_file = sys.argv[1:]
    monitor = Monitor(path)
    # x-ignore-shared: the memory is in a file already and need not go through the stream.
    capabilities = [{"capability": name, "state": True} for name in ("events", "x-ignore-shared")]
    monitor.call("migrate-set-capabilities", capabilities=capabilities)
    if verb == "save":
        monitor.call("stop")
        monitor.call("migrate", uri=f"file:{state_file}")
        monitor.await_migration()
        monitor.call("quit")
    else:
        monitor.call("migrate-incoming", uri=f"file:{state_file}")
        monitor.await_migration()
        monitor.call("cont")


main()
