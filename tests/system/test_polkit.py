# SPDX-License-Identifier: LGPL-2.1-or-later
"""What members of the group sctr may do to the system manager by polkit's rules, and nothing else."""

import subprocess
from pathlib import Path

import pytest

import accounts
from accounts import MEMBER, STRANGER, run_as, words_as
from harness import DEADLINE, eventually, host, unique_name
from terminal import Terminal

SYSTEMD = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
AUTHENTICATE = ("Interactive authentication required", "Access denied", "Permission denied")
NO_SUCH_UNIT = ("not valid", "invalid", "Invalid", "missing the instance", "not loaded", "not found")


@pytest.fixture(scope="module", autouse=True)
def plain_accounts():
    with accounts.made():
        yield


@pytest.fixture(scope="module", autouse=True)
def service():
    """The services of containers, as far as their names matter here."""
    file = Path("/run/systemd/system/sctr@.service")
    file.write_text("[Service]\nPrivateTmp=yes\nExecStart=sleep 1000\n")
    host("systemctl", "daemon-reload")
    yield
    host("systemctl", "stop", "sctr@*.service")
    file.unlink()
    host("systemctl", "daemon-reload")


def call_as(user, method, signature="", *arguments):
    return run_as(user, "busctl", "call", *SYSTEMD, method, signature, *arguments)


def allowed(done):
    assert done.returncode == 0, done


def refused(done, *also):
    assert done.returncode != 0 and any(word in done.stderr for word in (*AUTHENTICATE, *also)), done


def state(unit, name="ActiveState"):
    return host("systemctl", "show", "-P", name, "--", unit).strip()


# What systemctl does to a container's unit, and what is to be seen of it.
VERBS = [
    (["set-property", "--runtime", "UNIT", "CPUWeight=50"], "CPUWeight", "50"),
    (["freeze", "UNIT"], "FreezerState", "frozen"),
    (["thaw", "UNIT"], "FreezerState", "running"),
    (["reset-failed", "UNIT"], "ActiveState", "active"),
]


def systemctl_as(user, words, unit):
    return run_as(user, "systemctl", *[unit if word == "UNIT" else word for word in words])


def test_a_member_manages_a_container(start):
    with start() as container:
        for words, name, value in VERBS:
            allowed(systemctl_as(MEMBER, words, container.unit))
            assert state(container.unit, name) == value, words
        allowed(systemctl_as(MEMBER, ["stop", "UNIT"], container.unit))
        assert container.wait() == 0
    with start() as container:
        allowed(systemctl_as(MEMBER, ["kill", "-s", "KILL", "UNIT"], container.unit))
        assert container.wait() == 137


def test_a_member_manages_a_service():
    unit = f"sctr@{unique_name()}.service"
    for words, name, value in [
        (["start", "UNIT"], "ActiveState", "active"),
        *VERBS,
        (["restart", "UNIT"], "ActiveState", "active"),
        (["stop", "UNIT"], "ActiveState", "inactive"),
    ]:
        allowed(systemctl_as(MEMBER, words, unit))
        assert state(unit, name) == value, words
    host("systemctl", "revert", unit)


@pytest.mark.parametrize("words", [row[0] for row in VERBS] + [["stop", "UNIT"], ["kill", "UNIT"]])
def test_a_stranger_does_not(start, words):
    with start() as container:
        refused(systemctl_as(STRANGER, words, container.unit))
        assert state(container.unit) == "active"
        assert state(container.unit, "FreezerState") == "running"


def test_a_stranger_starts_no_service():
    unit = f"sctr@{unique_name()}.service"
    refused(systemctl_as(STRANGER, ["start", "UNIT"], unit))
    assert state(unit) == "inactive"


OTHERS = ["systemd-logind.service", "sctr.slice", "multi-user.target", "init.scope", "user.slice"]


@pytest.mark.parametrize("unit", OTHERS)
@pytest.mark.parametrize("method", ["StartUnit", "StopUnit", "RestartUnit"])
def test_a_member_has_no_power_over_others(unit, method):
    before = state(unit)
    refused(call_as(MEMBER, method, "ss", unit, "replace"))
    assert state(unit) == before


@pytest.mark.parametrize(
    "method, signature, arguments",
    [
        ("Reload", "", []),
        ("Reexecute", "", []),
        ("EnableUnitFiles", "asbb", [1, "sctr@x.service", "false", "true"]),
        ("MaskUnitFiles", "asbb", [1, "sctr@x.service", "true", "true"]),
        ("BindMountUnit", "sssbb", ["sctr@x.service", "/root", "/mnt", "false", "true"]),
        ("CleanUnit", "sas", ["sctr@x.service", 1, "all"]),
        ("SetEnvironment", "as", [1, "A=b"]),
        ("ReloadUnit", "ss", ["sctr@x.service", "replace"]),
    ],
)
def test_a_member_has_no_other_verbs(method, signature, arguments):
    allowed(systemctl_as(MEMBER, ["start", "UNIT"], "sctr@x.service"))
    try:
        refused(call_as(MEMBER, method, signature, *arguments))
    finally:
        host("systemctl", "stop", "sctr@x.service")


def asked(user_pid, unit, verb, message=None):
    """What polkit says of a call by that process, whatever systemd would say of the unit's name."""
    words = ["pkcheck", "--action-id", "org.freedesktop.systemd1.manage-units", "--process", user_pid,
             "--detail", "unit", unit, "--detail", "verb", verb]  # fmt: skip
    if message:
        words += ["--detail", "polkit.message", message]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=DEADLINE)
    return done.returncode == 0


def sleeper_of(user, background):
    pid = background(*words_as(user, "sleep", "1000")).pid
    # Before setpriv is done, it is root's.
    eventually(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
    return pid


@pytest.fixture
def member_pid(background):
    return sleeper_of(MEMBER, background)


@pytest.fixture
def stranger_pid(background):
    return sleeper_of(STRANGER, background)


START = "Authentication is required to start '$(unit)'."
THAW = "Authentication is required to freeze or thaw the processes of '$(unit)' unit."
TRANSIENT = "Authentication is required to start transient unit '$(unit)'."

# Made to look like a container's unit.
FOOLS = [
    "sctr-x.scope/../ssh.service",
    "sctr@../x.service",
    "sctr@..",
    "sctr@...service",
    "sctr@.service",
    "sctr-.scope",
    "sctr--x.scope",
    "sctr@-etc-passwd.service",
    "sctr-x.scope\n",
    "sctr-x.scope\nssh.service",
    "ssh.service\nsctr-x.scope",
    "sctr-x\u0000.scope".replace("\0", "\\0"),
    "sctr-\u00fc.scope",
    "sctr-x.sc\u043epe",
    "sctr\u2010x.scope",
    "sctr-x\u200b.scope",
    "\uff53ctr-x.scope",
    "sctr-x.service",
    "sctr@x.scope",
    "sctr@x@y.service",
    "sctr@x.socket",
    "sctr@x.service.d",
    "sctr@x\\x2fy.service",
    "sctr-x.scope ssh.service",
    "SCTR-x.scope",
    "xsctr-x.scope",
    "sctr-x.slice",
    "sctr.slice",
    "sctr-" + "x" * 129 + ".scope",
    "",
    "undefined",
]


@pytest.mark.parametrize("unit", FOOLS, ids=[ascii(name)[:30] for name in FOOLS])
def test_names_made_to_fool_the_rule(member_pid, unit):
    assert asked(member_pid, "sctr-x.scope", "stop"), "else this test proves nothing"
    for verb in ("stop", "start", "kill", "set-property"):
        assert not asked(member_pid, unit, verb, START), verb
    if "\n" not in unit and unit:
        refused(call_as(MEMBER, "StopUnit", "ss", "--", unit, "replace"), *NO_SUCH_UNIT)


@pytest.mark.parametrize(
    "unit, verb, message, expected",
    [
        ("sctr@web.service", "start", START, True),
        ("sctr@web-1_a.b.service", "start", START, True),
        ("sctr@web.service", "start", TRANSIENT, False),
        ("sctr@web.service", "start", None, False),
        ("sctr-web.scope", "start", START, False),
        ("sctr-web.scope", "start", TRANSIENT, False),
        ("sctr-web.scope", "restart", START, False),
        ("sctr-web.scope", "start", THAW, True),
        ("sctr-web.scope", "start", None, False),
        ("sctr-web.scope", "stop", None, True),
        ("sctr-web.scope", "clean", None, False),
        ("sctr-web.scope", "bind-mount", None, False),
        ("sctr-web.scope", "", None, False),
        ("sctr-web.scope", "constructor", None, False),
    ],
)
def test_the_rule(member_pid, stranger_pid, unit, verb, message, expected):
    assert asked(member_pid, unit, verb, message) == expected
    assert not asked(stranger_pid, unit, verb, message)


@pytest.fixture
def victim(background):
    """A process of somebody else, in a scope of its own."""
    unit = unique_name("victim") + ".scope"
    process = background("systemd-run", "--quiet", "--scope", f"--unit={unit}", "sleep", "1000")
    eventually(lambda: state(unit) == "active")
    return process.pid


def cgroup_of(pid):
    return Path(f"/proc/{pid}/cgroup").read_text()


def test_no_scope_around_somebody_elses_process(victim):
    before = cgroup_of(victim)
    name = f"sctr-{unique_name()}.scope"
    refused(call_as(MEMBER, "StartTransientUnit", "ssa(sv)a(sa(sv))", name, "replace", 1,
                    "PIDs", "au", 1, victim, 0))  # fmt: skip
    assert state(name, "LoadState") == "not-found"
    assert cgroup_of(victim) == before


def test_no_process_of_others_is_moved_into_a_container(start, victim):
    before = cgroup_of(victim)
    with start() as container:
        done = call_as(MEMBER, "AttachProcessesToUnit", "ssau", container.unit, "", 1, victim)
        assert done.returncode != 0, done
    assert cgroup_of(victim) == before


def test_no_process_of_ones_own_is_moved_into_a_container(start, member_pid):
    before = cgroup_of(member_pid)
    with start() as container:
        refused(call_as(MEMBER, "AttachProcessesToUnit", "ssau", container.unit, "", 1, member_pid))
    assert cgroup_of(member_pid) == before


# Of the containers' units, what is no limit.
@pytest.mark.parametrize(
    "property",
    [
        "Slice s system.slice",
        "Delegate b false",
        "Wants as 1 x.service",
        "Controller s :1.1",
        "PIDs au 1 1",
        "KillMode s none",
        "SuccessAction s reboot-force",
        "BPFProgram a(ss) 1 egress /sys/fs/bpf/x",
        "User s root",
        "ExecStart a(sasb) 1 /bin/true 1 /bin/true false",
        "FailureAction s reboot-force",
        "BindPaths a(ssbt) 1 /root /mnt false 0",
        "LoadCredential a(ss) 1 a /etc/shadow",
    ],
)
def test_no_other_properties(start, property):
    with start() as container:
        for unit in (container.unit, f"sctr@{unique_name()}.service"):
            done = call_as(MEMBER, "SetUnitProperties", "sba(sv)", unit, "true", 1, *property.split())
            refused(done, "Cannot set property", "Cannot set DelegateSubgroup")


OBJECT_CALLS = [
    ("Scope", "Abandon", "", []),
    ("Scope", "AttachProcesses", "sau", ["", 1, "SELF"]),
    ("Unit", "Start", "s", ["replace"]),
    ("Unit", "Freeze", "", []),
    ("Unit", "Clean", "as", [1, "all"]),
    ("Unit", "EnqueueJob", "ss", ["start", "replace"]),
]


@pytest.mark.parametrize("interface, method, signature, arguments", OBJECT_CALLS)
def test_methods_of_the_units_object(start, member_pid, interface, method, signature, arguments):
    arguments = [member_pid if each == "SELF" else each for each in arguments]
    with start() as container:
        path = "/org/freedesktop/systemd1/unit/" + "".join(
            c if c.isalnum() else f"_{ord(c):02x}" for c in container.unit
        )
        refused(run_as(MEMBER, "busctl", "call", SYSTEMD[0], path, f"{SYSTEMD[0]}.{interface}", method,
                       signature, *arguments))  # fmt: skip
        assert state(container.unit) == "active"


@pytest.mark.parametrize("method", ["StartAuxiliaryScope", "KillUnitSubgroup", "EnqueueUnitJob"])
def test_calls_that_the_bus_keeps_closed(start, method):
    with start() as container:
        signatures = {
            "StartAuxiliaryScope": ("sahta(sv)", [f"sctr-{unique_name()}.scope", 0, 0, 0]),
            "KillUnitSubgroup": ("sssi", [container.unit, "all", "/", 0]),
            "EnqueueUnitJob": ("sss", [f"sctr@{unique_name()}.service", "start", "isolate"]),
        }
        signature, arguments = signatures[method]
        refused(call_as(MEMBER, method, signature, *arguments))


def test_no_start_isolates_the_host():
    unit = f"sctr@{unique_name()}.service"
    refused(call_as(MEMBER, "StartUnit", "ss", unit, "isolate"), "may not be isolated")


# A command that root would run, as properties of a transient service.
def evil(file):
    return ["ExecStart", "a(sasb)", 1, "/bin/touch", 2, "/bin/touch", file, "false"]


@pytest.mark.parametrize("template", [True, False])
def test_no_transient_service(tmp_path, template):
    """Also where the template is missing, without which systemd takes the name for a new one."""
    unit = f"sctr@{unique_name()}.service" if template else f"sctr-{unique_name()}.service"
    refused(call_as(MEMBER, "StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "replace", 1,
                    *evil(tmp_path / "made"), 0))  # fmt: skip
    assert not (tmp_path / "made").exists()


def test_no_auxiliary_units(tmp_path):
    other = unique_name("evil") + ".service"
    for main in (f"sctr@{unique_name()}.service", f"sctr-{unique_name()}.scope"):
        refused(call_as(MEMBER, "StartTransientUnit", "ssa(sv)a(sa(sv))", main, "replace", 1,
                        "Wants", "as", 1, other, 1, other, 1, *evil(tmp_path / "made")))  # fmt: skip
    assert state(other, "LoadState") == "not-found"
    assert not (tmp_path / "made").exists()


def test_on_a_terminal_a_stranger_is_asked_to_authenticate(stranger_pid):
    words = ["pkcheck", "--enable-internal-agent", "--allow-user-interaction", "--process", stranger_pid,
             "--action-id", "org.freedesktop.systemd1.manage-units",
             "--detail", "unit", "sctr-x.scope", "--detail", "verb", "stop"]  # fmt: skip
    with Terminal(*words, columns=200) as screen:
        screen.expect("AUTHENTICATING FOR org.freedesktop.systemd1.manage-units")
        screen.expect("Password: ")
