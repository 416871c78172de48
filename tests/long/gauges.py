# SPDX-License-Identifier: LGPL-2.1-or-later
"""What piles up if something leaks: memory, descriptors, units, mounts, cgroups; sctr's and the host's."""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "system"))

import leftovers  # noqa: E402

SERVICES = {
    "dbus": "dbus.service",
    "journald": "systemd-journald.service",
    "logind": "systemd-logind.service",
    "machined": "systemd-machined.service",
    "polkit": "polkit.service",
}


def daemons():
    """{name: pid} of what every start talks to."""
    found = {"systemd": 1}
    for name, unit in SERVICES.items():
        show = ["systemctl", "show", unit, "-P", "MainPID"]
        pid = int(subprocess.run(show, capture_output=True, text=True, check=True).stdout)
        if pid:
            found[name] = pid
    return found


def memory(pid):
    """{"pss", "anon"} in kB: its share of what it has mapped, and what is written by itself alone; proc_pid_smaps(5)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    values = {name: int(value.split()[0]) for name, value in (line.split(":") for line in lines)}
    return {"pss": values["Pss"], "anon": values["Pss_Anon"]}


def processes_of_sctr():
    """{name: [pids]}: sctr, its children, and the commands of containers (in scopes of sctr.slice)."""
    found = {"supervisors": [], "payloads": []}
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        try:
            if (directory / "comm").read_text().startswith("sctr"):
                found["supervisors"].append(int(directory.name))
            elif "/sctr.slice/" in (directory / "cgroup").read_text():
                found["payloads"].append(int(directory.name))
        except OSError:
            continue  # it has just ended
    return found


def total(pids):
    """The memory of these together, with how many there are."""
    whole = {"count": 0, "pss": 0, "anon": 0}
    for pid in pids:
        try:
            one = memory(pid)
        except (OSError, KeyError):
            continue
        whole = {"count": whole["count"] + 1, "pss": whole["pss"] + one["pss"], "anon": whole["anon"] + one["anon"]}
    return whole


def count_lines(*command):
    return len(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


def cgroup_numbers():
    """Cgroups of the whole tree: those there are, and those that are removed and not yet given back by the kernel."""
    lines = Path("/sys/fs/cgroup/cgroup.stat").read_text().splitlines()
    values = dict(line.split() for line in lines)
    return {"alive": int(values["nr_descendants"]), "dying": int(values["nr_dying_descendants"])}


def files_below(*roots):
    return sum(len(files) + len(names) for root in roots for _, names, files in os.walk(root))


def read(pids):
    """One sample of everything. `pids` is of daemons(): a daemon that has been started anew is found in the sample."""
    return {
        "daemons": {
            name: memory(pid) | {"fds": leftovers.open_files(pid)} for name, pid in pids.items() if Path(f"/proc/{pid}").exists()
        },
        "sctr": {name: total(found) for name, found in processes_of_sctr().items()},
        "units": count_lines("systemctl", "list-units", "--all", "--plain", "--no-legend"),
        "mounts": count_lines("cat", "/proc/self/mountinfo"),
        "cgroups": cgroup_numbers(),
        "files": files_below("/run/sctr", "/run/sctr-oci", "/var/lib/sctr", "/run/systemd/transient"),
    }


def at_rest():
    """What must be the same before and after."""
    return leftovers.now() | {f"file {path}" for path in Path("/run/sctr-oci").glob("[!.]*")}
