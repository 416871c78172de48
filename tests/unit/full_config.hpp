// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

namespace sctr::oci {

/// A config that gives every field of the model a value other than its default, with the names as
/// the spec writes them. Each is fine by itself; not all of them may be set together.
inline constexpr std::string_view full_config = R"json({
  "ociVersion": "1.3.0",
  "process": {
    "terminal": true,
    "consoleSize": {"height": 24, "width": 80},
    "user": {
      "uid": 1, "gid": 2, "umask": 18, "additionalGids": [5, 4294967294], "username": "web"
    },
    "args": ["sh", "-c", "echo \"grüße\""],
    "env": ["PATH=/bin", "EMPTY="],
    "cwd": "/root",
    "capabilities": {
      "bounding": ["CAP_CHOWN", "CAP_KILL"],
      "effective": ["CAP_CHOWN"],
      "inheritable": ["CAP_CHOWN"],
      "permitted": ["CAP_CHOWN"],
      "ambient": ["CAP_CHOWN"]
    },
    "rlimits": [
      {"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 18446744073709551615},
      {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}
    ],
    "noNewPrivileges": true,
    "apparmorProfile": "acme",
    "oomScoreAdj": -500,
    "scheduler": {
      "policy": "SCHED_DEADLINE", "nice": -20, "priority": 7,
      "flags": ["SCHED_FLAG_RESET_ON_FORK"],
      "runtime": 1000000, "deadline": 2000000, "period": 3000000
    },
    "selinuxLabel": "system_u:system_r:svirt_lxc_net_t:s0:c124,c675",
    "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
    "execCPUAffinity": {"initial": "0-1", "final": "2"}
  },
  "root": {"path": "rootfs", "readonly": true},
  "hostname": "slartibartfast",
  "domainname": "magrathea",
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {
      "destination": "data", "type": "bind", "source": "/data", "options": ["rbind", "idmap"],
      "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
      "gidMappings": [{"containerID": 1, "hostID": 2000, "size": 20}]
    }
  ],
  "hooks": {
    "prestart": [{"path": "/bin/a", "args": ["a", "b"], "env": ["X=1"], "timeout": 3}],
    "createRuntime": [{"path": "/bin/b"}],
    "createContainer": [{"path": "/bin/c"}],
    "startContainer": [{"path": "/bin/d"}],
    "poststart": [{"path": "/bin/e"}],
    "poststop": [{"path": "/bin/f"}]
  },
  "annotations": {"com.example/key~1": "a value", "empty": ""},
  "linux": {
    "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
    "gidMappings": [{"containerID": 0, "hostID": 200000, "size": 65536}],
    "sysctl": {"net.ipv4.ip_forward": "1", "kernel.shmmax": "65536"},
    "resources": {
      "devices": [
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}
      ],
      "memory": {
        "limit": 536870912, "reservation": 268435456, "swap": 1073741824, "kernel": -1,
        "kernelTCP": -1, "swappiness": 60, "disableOOMKiller": false, "useHierarchy": true,
        "checkBeforeUpdate": true
      },
      "cpu": {
        "shares": 1024, "quota": 1000000, "burst": 500000, "period": 500000,
        "realtimeRuntime": 950000, "realtimePeriod": 1000000, "cpus": "2-3", "mems": "0-7",
        "idle": 1
      },
      "pids": {"limit": 32771},
      "blockIO": {
        "weight": 10, "leafWeight": 1000,
        "weightDevice": [{"major": 8, "minor": 16, "weight": 500, "leafWeight": 300}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 1, "rate": 600}],
        "throttleWriteBpsDevice": [{"major": 8, "minor": 2, "rate": 601}],
        "throttleReadIOPSDevice": [{"major": 8, "minor": 3, "rate": 602}],
        "throttleWriteIOPSDevice": [{"major": 8, "minor": 4, "rate": 603}]
      },
      "hugepageLimits": [{"pageSize": "2MB", "limit": 209715200}],
      "network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 500}]},
      "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}},
      "unified": {"memory.high": "1000000"}
    },
    "cgroupsPath": "system.slice:sctr:web",
    "namespaces": [
      {"type": "pid"},
      {"type": "network", "path": "/var/run/netns/neta"},
      {"type": "mount"},
      {"type": "ipc"},
      {"type": "uts"},
      {"type": "user"},
      {"type": "cgroup"},
      {"type": "time"}
    ],
    "devices": [
      {
        "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 3,
        "gid": 4
      },
      {"path": "/dev/fifo", "type": "p"}
    ],
    "netDevices": {"eth0": {"name": "inside0"}, "eth1": {}},
    "seccomp": {
      "defaultAction": "SCMP_ACT_ERRNO",
      "defaultErrnoRet": 38,
      "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"],
      "flags": ["SECCOMP_FILTER_FLAG_LOG"],
      "listenerPath": "/run/agent.sock",
      "listenerMetadata": "opaque",
      "syscalls": [
        {
          "names": ["clone", "unshare"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
          "args": [
            {"index": 1, "value": 2080505856, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}
          ]
        },
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"}
      ]
    },
    "rootfsPropagation": "rslave",
    "maskedPaths": ["/proc/kcore"],
    "readonlyPaths": ["/proc/sys"],
    "mountLabel": "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811",
    "intelRdt": {
      "closID": "guaranteed", "l3CacheSchema": "L3:0=7f0;1=1f", "memBwSchema": "MB:0=20;1=70",
      "schemata": ["L2:0=f"], "enableMonitoring": true
    },
    "memoryPolicy": {
      "mode": "MPOL_INTERLEAVE", "nodes": "0-1", "flags": ["MPOL_F_STATIC_NODES"]
    },
    "personality": {"domain": "LINUX32", "flags": ["NONE_SO_FAR"]},
    "timeOffsets": {"monotonic": {"secs": -172800, "nanosecs": 5}, "boottime": {"secs": 604800}}
  }
})json";

} // namespace sctr::oci
