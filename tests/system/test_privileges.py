# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a container may do: capabilities, system calls, limits of its processes, open files."""

import json
import os
import resource

import pytest

from harness import STATE, sctr

CAPABILITIES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
PERFMON BPF CHECKPOINT_RESTORE
""".split()

# podman's, since 4.0.
DEFAULT = """
CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT
""".split()


def names(mask):
    return {name for number, name in enumerate(CAPABILITIES) if int(mask, 16) >> number & 1}


def own_bounds():
    (line,) = [line for line in open("/proc/self/status") if line.startswith("CapBnd")]
    return names(line.split()[1])


# ALL is what the host can give: its root may itself be bounded.
EVERYTHING = own_bounds()


def sets(run, *flags):
    text = run(*flags, "grep", "Cap", "/proc/self/status").ok()
    return {line[3:6]: names(line.split()[1]) for line in text.splitlines()}


ROOT_SETS = [
    ([], DEFAULT),
    (["--cap-add", "NET_ADMIN"], DEFAULT + ["NET_ADMIN"]),
    (["--cap-add", "cap_net_admin,CAP_SYS_TIME"], DEFAULT + ["NET_ADMIN", "SYS_TIME"]),
    (["--cap-drop", "CHOWN", "--cap-drop", "KILL"], set(DEFAULT) - {"CHOWN", "KILL"}),
    (["--cap-drop", "ALL"], []),
    (["--cap-drop", "ALL", "--cap-add", "SETUID"], ["SETUID"]),
    (["--cap-add", "ALL"], EVERYTHING),
    (["--cap-add", "all", "--cap-drop", "SYS_ADMIN"], EVERYTHING - {"SYS_ADMIN"}),
    (["--privileged"], EVERYTHING),
]


@pytest.mark.parametrize("flags, expected", ROOT_SETS, ids=[" ".join(row[0]) for row in ROOT_SETS])
def test_capabilities_of_root(run, flags, expected):
    found = sets(run, *flags)
    for kind in ("Prm", "Eff", "Bnd"):
        assert found[kind] == set(expected), kind
    for kind in ("Inh", "Amb"):
        assert found[kind] == set(), kind


def test_capabilities_of_a_plain_user(run):
    found = sets(run, "-u", "alice")
    assert found["Prm"] == found["Eff"] == found["Inh"] == found["Amb"] == set()
    assert found["Bnd"] == set(DEFAULT)
    found = sets(run, "-u", "alice", "--cap-add", "NET_ADMIN")
    assert found["Eff"] == found["Amb"] == {"NET_ADMIN"}
    found = sets(run, "-u", "alice", "--privileged")
    assert found["Eff"] == set() and found["Bnd"] == EVERYTHING


def test_a_caller_without_capabilities_gives_none(rootfs):
    # Inheritable and ambient sets of the caller must not pass through.
    text = sctr("run", "--rootfs", rootfs, "grep", "Cap[IA]", "/proc/self/status").ok()
    assert [int(line.split()[1], 16) for line in text.splitlines()] == [0, 0]


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--cap-add", "NONSENSE"], ["--cap-add", "NONSENSE"]),
        (["--cap-drop", ""], ["--cap-drop"]),
        (["--cap-add", "KILL", "--cap-drop", "KILL"], ["CAP_KILL"]),
        (["--cap-add", "ALL", "--cap-drop", "ALL"], ["contradict"]),
        (["--security-opt", "nonsense"], ["--security-opt"]),
        (["--security-opt", "seccomp=/no/such"], ["/no/such"]),
        (["--security-opt", "no-new-privileges=maybe"], ["--security-opt", "maybe"]),
        (["--ulimit", "nofile"], ["--ulimit"]),
        (["--ulimit", "nofile=2:1"], ["--ulimit", "soft"]),
        (["--ulimit", "files=1"], ["--ulimit", "nofile"]),
        (["--ulimit", "nofile=x"], ["--ulimit"]),
        (["--ulimit", "nofile=99999999999"], ["NOFILE"]),
        (["--sysctl", "net.ipv4.ip_forward"], ["--sysctl"]),
        (["--sysctl", "kernel.panic=1"], ["kernel.panic"]),
        (["--sysctl", "net.no.such=1"], ["sysctl", "net/no/such"]),
        (["--sysctl", "net.ipv4.ip_forward=much"], ["net"]),
        (["--sysctl", "net.ipv4.ip_forward=1", "--network", "host"], ["net.ipv4.ip_forward"]),
        (["--sysctl", "net/../kernel/panic=1"], ["sysctl"]),
        (["--oom-score-adj", "1001"], ["--oom-score-adj", "-1000"]),
        (["--oom-score-adj", "x"], ["--oom-score-adj"]),
    ],
)
def test_bad_privilege_flags(run, flags, words):
    run(*flags, "true").failed(125, *words)


def test_no_new_privileges(run):
    def status(*flags):
        return run(*flags, "grep", "NoNewPrivs", "/proc/self/status").ok().split()[1]

    assert status() == "0"
    assert status("--security-opt", "no-new-privileges") == "1"
    assert status("--security-opt", "no-new-privileges=true") == "1"
    assert status("--security-opt", "no-new-privileges=false") == "0"
    assert status("--security-opt", "no-new-privileges", "-u", "alice") == "1"


@pytest.mark.parametrize(
    "flags, mode",
    [
        ([], "2"),
        (["-u", "alice"], "2"),
        (["--cap-add", "SYS_ADMIN"], "2"),
        (["--security-opt", "no-new-privileges"], "2"),
        (["--security-opt", "seccomp=unconfined"], "0"),
        (["--privileged"], "0"),
    ],
)
def test_the_seccomp_mode(run, flags, mode):
    assert run(*flags, "grep", "Seccomp:", "/proc/self/status").ok().split()[1] == mode


# System calls that the default profile denies, whatever the arguments.
DENIED = [
    ("acct", []), ("add_key", []), ("bpf", []), ("clock_settime", []), ("delete_module", []),
    ("finit_module", []), ("init_module", []), ("kcmp", []), ("kexec_load", []),
    ("move_pages", []), ("open_by_handle_at", []), ("perf_event_open", []), ("quotactl", []),
    ("request_key", []), ("sethostname", []), ("setns", []), ("settimeofday", []),
    ("swapoff", []), ("swapon", []), ("userfaultfd", []), ("vhangup", []), ("vmsplice", []),
    ("iopl", []), ("ioperm", []),
    ("socket", [40, 1, 0]),  # AF_VSOCK
    ("personality", ["0x40000"]),  # ADDR_NO_RANDOMIZE
]  # fmt: skip


@pytest.mark.parametrize("name, arguments", DENIED, ids=[f"{row[0]}{row[1] or ''}" for row in DENIED])
def test_denied_system_calls(run, probe, name, arguments):
    assert run(probe, "call", name, *arguments).stdout.strip() in ("EPERM", "ENOSYS")


@pytest.mark.parametrize("name", ["unknown", "io_uring_setup"])
def test_new_system_calls_look_unknown(run, probe, name):
    assert run(probe, "call", name).stdout.strip() == "ENOSYS"


# What the kernel itself refuses without CAP_SYS_ADMIN: no way around the filter.
@pytest.mark.parametrize(
    "name, arguments",
    [
        ("mount", []), ("umount2", []), ("pivot_root", []), ("fsopen", []),
        ("unshare", ["0x20000"]), ("unshare", ["0x40000000"]), ("syslog", [3, 0, 0]),
    ],
)  # fmt: skip
def test_calls_that_need_sys_admin(run, probe, name, arguments):
    assert run(probe, "call", name, *arguments).stdout.strip() in ("EPERM", "EFAULT", "EINVAL")
    assert not run(probe, "call", name, *arguments).stdout.startswith("ok")


@pytest.mark.parametrize(
    "flags, name, allowed",
    [
        (["--cap-add", "SYS_ADMIN"], "setns", "EBADF EINVAL"),
        (["--cap-add", "BPF"], "bpf", "EINVAL EFAULT E2BIG"),
        (["--cap-add", "SYS_PTRACE"], "kcmp", "ok EPERM ESRCH"),
        (["--cap-add", "SYS_TIME"], "settimeofday", "ok"),
        (["--security-opt", "seccomp=unconfined"], "userfaultfd 1", "ok"),
        (["--security-opt", "seccomp=unconfined"], "unknown", "ENOSYS"),
    ],
)
def test_the_filter_follows_the_capabilities(run, probe, flags, name, allowed):
    assert run(*flags, probe, "call", *name.split()).stdout.split()[0] in allowed.split()


def profile(tmp_path, **parts):
    file = tmp_path / "profile.json"
    file.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", **parts}))
    return file


def test_a_seccomp_file(run, probe, tmp_path):
    rules = [{"names": ["keyctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]
    file = profile(tmp_path, syscalls=rules)
    flags = ["--security-opt", f"seccomp={file}"]
    assert run(*flags, probe, "call", "keyctl", "0", "-3", "0").stdout == "EOPNOTSUPP\n"
    assert run(*flags, probe, "call", "userfaultfd", "1").stdout.startswith("ok")
    nnp = ["--security-opt", "no-new-privileges"]
    assert run(*flags, *nnp, probe, "call", "keyctl", "0", "-3", "0").stdout == "EOPNOTSUPP\n"


def test_a_seccomp_file_that_kills(run, probe, tmp_path):
    file = profile(tmp_path, syscalls=[{"names": ["keyctl"], "action": "SCMP_ACT_KILL_PROCESS"}])
    flags = ["--security-opt", f"seccomp={file}"]
    assert run(*flags, probe, "call", "keyctl").status == 159  # SIGSYS


PODMANS_PROFILE = "/usr/share/containers/seccomp.json"


@pytest.mark.skipif(not os.path.exists(PODMANS_PROFILE), reason="podman is not installed")
@pytest.mark.parametrize(
    "flags, name, results",
    [
        ([], "getpid", "ok"),
        ([], "unknown", "ENOSYS"),
        ([], "kexec_load", "EPERM"),
        ([], "settimeofday", "EPERM"),
        (["--cap-add", "SYS_TIME"], "settimeofday", "ok"),
        ([], "open_by_handle_at", "EPERM"),
        (["--cap-add", "DAC_READ_SEARCH"], "open_by_handle_at", "EFAULT EBADF EINVAL"),
        ([], "bpf", "EPERM"),
        (["--cap-add", "SYS_ADMIN"], "bpf", "EINVAL EFAULT E2BIG"),
        ([], "chroot", "EFAULT"),
        (["--cap-drop", "SYS_CHROOT"], "chroot", "EPERM"),
        (["--cap-add", "SYS_TIME", "-u", "alice"], "settimeofday", "ok"),
        (["--cap-add", "ALL"], "getpid", "ok"),
        (["--privileged"], "getpid", "ok"),
    ],
)
def test_podmans_own_profile(run, probe, flags, name, results):
    flags = ["--security-opt", f"seccomp={PODMANS_PROFILE}", *flags]
    assert run(*flags, probe, "call", name).stdout.split()[0] in results.split()


def test_dockers_profile_format(run, probe, tmp_path):
    rules = [
        {"name": "keyctl", "action": "SCMP_ACT_ERRNO", "errno": "EXDEV",
         "excludes": {"caps": ["CAP_SYS_TIME"]}},
        {"names": ["keyctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 39,
         "includes": {"caps": ["CAP_SYS_TIME"], "minKernel": "4.8"}},
        {"names": ["acct"], "action": "SCMP_ACT_ERRNO", "errnoRet": 40,
         "includes": {"minKernel": "99.0"}},
    ]  # fmt: skip
    flags = ["--security-opt", f"seccomp={profile(tmp_path, syscalls=rules)}"]
    assert run(*flags, probe, "call", "keyctl").stdout == "EXDEV\n"
    assert run(*flags, "--cap-add", "SYS_TIME", probe, "call", "keyctl").stdout == "ENOTEMPTY\n"
    assert run(*flags, probe, "call", "acct").stdout == "EPERM\n"  # the kernel's own answer


def kept_programs():
    return {path: path.stat().st_ino for path in (STATE / ".seccomp").glob("*")}


def test_compiled_filters_are_kept(run, start, probe, tmp_path):
    rules = [{"names": ["keyctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]
    flags = ["--security-opt", f"seccomp={profile(tmp_path, syscalls=rules)}"]
    call = [probe, "call", "keyctl", "0", "-3", "0"]
    for path in kept_programs():
        path.unlink()
    assert run(*flags, *call).stdout == "EOPNOTSUPP\n"
    kept = kept_programs()
    assert [path.stat().st_mode & 0o7777 for path in kept] == [0o600]
    assert (STATE / ".seccomp").stat().st_mode & 0o7777 == 0o700
    # The next start reads it, and so does exec; neither ps nor the sweep of a start minds it.
    with start(*flags) as container:
        assert container.exec(*call).stdout == "EOPNOTSUPP\n"
        assert container.name in sctr("ps", "-a", "-q").lines
    assert kept_programs() == kept
    # One that is damaged is not used.
    (path,) = kept
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert run(*flags, *call).stdout == "EOPNOTSUPP\n"
    assert kept_programs() != kept


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"defaultAction": "NONSENSE"}', '{"syscalls": []}',
             '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["x"]}]}',
             '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": 3}'],
)  # fmt: skip
def test_bad_seccomp_files(run, tmp_path, text):
    file = tmp_path / "bad.json"
    file.write_text(text)
    error = run("--security-opt", f"seccomp={file}", "true").failed(125, "seccomp")
    assert str(file) in error or "--security-opt" in error


@pytest.mark.parametrize(
    "value, number, expected",
    [
        ("nofile=100:200", resource.RLIMIT_NOFILE, (100, 200)),
        ("nofile=77", resource.RLIMIT_NOFILE, (77, 77)),
        ("core=0", resource.RLIMIT_CORE, (0, 0)),
        ("core=unlimited", resource.RLIMIT_CORE, (-1, -1)),
        ("core=-1:-1", resource.RLIMIT_CORE, (-1, -1)),
        ("nproc=50:60", resource.RLIMIT_NPROC, (50, 60)),
        ("stack=1000000:2000000", resource.RLIMIT_STACK, (1000000, 2000000)),
        ("memlock=65536", resource.RLIMIT_MEMLOCK, (65536, 65536)),
    ],
)
def test_ulimits(start, value, number, expected):
    with start("--ulimit", value) as container:
        assert resource.prlimit(container.init(), number) == expected


def test_the_last_ulimit_of_a_name_wins(run):
    assert run("--ulimit", "nofile=10", "--ulimit", "nofile=20", "sh", "-c", "ulimit -n").ok() == "20"


def test_sysctls(run):
    flags = ["--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "kernel.msgmax=4242",
             "--sysctl", "net/ipv4/conf/lo/forwarding=1"]  # fmt: skip
    files = ["net/ipv4/ip_forward", "kernel/msgmax", "net/ipv4/conf/lo/forwarding"]
    text = run(*flags, "cat", *[f"/proc/sys/{file}" for file in files]).ok()
    assert text.split() == ["1", "4242", "1"]
    assert open("/proc/sys/kernel/msgmax").read().strip() != "4242"


@pytest.mark.parametrize("value", ["-1000", "0", "500", "1000"])
def test_oom_score_adj(run, value):
    if int(value) < 0 and "SYS_RESOURCE" not in own_bounds():
        pytest.skip("root of this host lacks CAP_SYS_RESOURCE, which a lower score needs")
    assert run("--oom-score-adj", value, "cat", "/proc/self/oom_score_adj").ok() == value


@pytest.mark.parametrize("flags", [[], ["-i"], ["--log", "caller"], ["--privileged"],
                                   ["--pid", "host"], ["--security-opt", "no-new-privileges"]])  # fmt: skip
def test_only_the_standard_files_are_open(run, probe, flags):
    assert [line.split()[0] for line in run(*flags, probe, "fds", input="").lines] == ["0", "1", "2"]


def test_only_the_standard_files_are_open_on_a_terminal(terminal, probe):
    with terminal(probe, "fds") as screen:
        assert screen.wait() == 0
        lines = screen.seen.decode().splitlines()
    assert [line.split()[0] for line in lines] == ["0", "1", "2"]


def test_a_joined_namespace_leaves_no_file_open(start, run, probe):
    with start() as other:
        text = run("--network", f"container:{other.name}", probe, "fds").ok()
        assert [line.split()[0] for line in text.splitlines()] == ["0", "1", "2"]


def test_exec_has_only_the_standard_files_open(start, probe):
    with start() as container:
        assert [line.split()[0] for line in container.exec(probe, "fds").lines] == ["0", "1", "2"]


def test_files_of_the_caller_stay_outside(rootfs, probe, tmp_path):
    secret = open(tmp_path / "secret", "w")
    os.set_inheritable(secret.fileno(), True)
    result = sctr("run", "--rootfs", rootfs, probe, "fds", pass_fds=[secret.fileno()])
    assert [line.split()[0] for line in result.lines] == ["0", "1", "2"]


def test_exec_has_the_containers_privileges(start):
    with start("--cap-drop", "CHOWN", "--security-opt", "no-new-privileges") as container:
        text = container.exec("grep", "-E", "Cap|NoNewPrivs|Seccomp:", "/proc/self/status").ok()
        fields = dict(line.split(":\t") for line in text.splitlines())
        assert names(fields["CapEff"]) == names(fields["CapBnd"]) == set(DEFAULT) - {"CHOWN"}
        assert int(fields["CapInh"], 16) == 0
        assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")


def test_set_user_id_programs_gain_nothing_with_no_new_privileges(probe, own_rootfs):
    # busybox gives its privileges up for most applets, the saved id of a program that does not tells.
    file = own_rootfs / "bin/suid-probe"
    file.write_bytes((own_rootfs / "bin/probe").read_bytes())
    file.chmod(0o4755)
    words = ["run", "--rootfs", own_rootfs, "-u", "alice"]
    call = ["suid-probe", "open", "r", "/root"]
    assert sctr(*words, *call).stdout == "ok 0\n"
    assert sctr(*words, "--security-opt", "no-new-privileges", *call).stdout == "EACCES\n"


def test_privileged_has_the_hosts_devices(run):
    assert "fuse" in run("--privileged", "ls", "/dev").ok().split()
    assert run("--privileged", "sh", "-c", "touch /proc/sys/x 2>&1 || true; mount | grep -c 'on /sys '").ok()
