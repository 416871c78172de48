# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of CRI, the interface between Kubernetes' kubelet and its container engine (runtime.v1, over gRPC)."""

import grpc

import wire
from wire import MAP

# Numbers are those of the API; what no test uses is left out.
POD, CONTAINER, NODE, TARGET = range(4)  # NamespaceMode
READY, NOT_READY = range(2)  # PodSandboxState
CREATED, RUNNING, EXITED, UNKNOWN = range(4)  # ContainerState

NUMBER = {"value": (1, int)}
NAMESPACES = {"network": (1, int), "pid": (2, int), "ipc": (3, int), "target_id": (4, str)}
RESOURCES = {
    "cpu_period": (1, int),
    "cpu_quota": (2, int),
    "cpu_shares": (3, int),
    "memory_limit_in_bytes": (4, int),
    "oom_score_adj": (5, int),
    "cpuset_cpus": (6, str),
    "unified": (9, MAP),
}
POD_CONFIG = {
    "metadata": (1, {"name": (1, str), "uid": (2, str), "namespace": (3, str), "attempt": (4, int)}),
    "hostname": (2, str),
    "log_directory": (3, str),
    "labels": (6, MAP),
    "annotations": (7, MAP),
    "linux": (
        8,
        {
            "cgroup_parent": (1, str),
            "security_context": (2, {"namespace_options": (1, NAMESPACES), "readonly_rootfs": (4, bool)}),
            "sysctls": (3, MAP),
        },
    ),
}
SECURITY = {
    "capabilities": (1, {"add_capabilities": (1, [str]), "drop_capabilities": (2, [str])}),
    "privileged": (2, bool),
    "namespace_options": (3, NAMESPACES),
    "run_as_user": (5, NUMBER),
    "run_as_group": (12, NUMBER),
    "readonly_rootfs": (7, bool),
    "supplemental_groups": (8, [int]),
    "no_new_privs": (11, bool),
    "seccomp": (15, {"profile_type": (1, int), "localhost_ref": (2, str)}),
}
CONTAINER_CONFIG = {
    "metadata": (1, {"name": (1, str), "attempt": (2, int)}),
    "image": (2, {"image": (1, str)}),
    "command": (3, [str]),
    "args": (4, [str]),
    "working_dir": (5, str),
    "envs": (6, [{"key": (1, str), "value": (2, str)}]),
    "mounts": (7, [{"container_path": (1, str), "host_path": (2, str), "readonly": (3, bool), "propagation": (5, int)}]),
    "log_path": (11, str),
    "stdin": (12, bool),
    "tty": (14, bool),
    "linux": (15, {"resources": (1, RESOURCES), "security_context": (2, SECURITY)}),
}
POD_STATUS = {"id": (1, str), "state": (3, int), "network": (5, {"ip": (1, str)}), "runtime_handler": (9, str)}
STATUS = {"id": (1, str), "state": (3, int), "exit_code": (7, int), "reason": (10, str), "message": (11, str), "log_path": (15, str)}
CONTAINER_STATS = {
    "attributes": (1, {"id": (1, str)}),
    "cpu": (2, {"timestamp": (1, int), "usage_core_nano_seconds": (2, NUMBER)}),
    "memory": (3, {"timestamp": (1, int), "working_set_bytes": (2, NUMBER)}),
}
POD_STATS = {"attributes": (1, {"id": (1, str)}), "linux": (2, {"process": (4, {"process_count": (2, NUMBER)}), "containers": (5, [CONTAINER_STATS])})}
POD_ID = {"pod_sandbox_id": (1, str)}
CONTAINER_ID = {"container_id": (1, str)}

# Method: what is sent, what comes back.
RUNTIME = {
    "Version": ({}, {"runtime_name": (2, str), "runtime_version": (3, str)}),
    "Status": (
        {"verbose": (1, bool)},
        {"status": (1, {"conditions": (1, [{"type": (1, str), "status": (2, bool), "message": (4, str)}])}), "info": (2, MAP)},
    ),
    "RunPodSandbox": ({"config": (1, POD_CONFIG), "runtime_handler": (2, str)}, POD_ID),
    "StopPodSandbox": (POD_ID, {}),
    "RemovePodSandbox": (POD_ID, {}),
    "PodSandboxStatus": (POD_ID, {"status": (1, POD_STATUS)}),
    "ListPodSandbox": ({}, {"items": (1, [{"id": (1, str), "state": (3, int)}])}),
    "PodSandboxStats": (POD_ID, {"stats": (1, POD_STATS)}),
    "CreateContainer": ({**POD_ID, "config": (2, CONTAINER_CONFIG), "sandbox_config": (3, POD_CONFIG)}, CONTAINER_ID),
    "StartContainer": (CONTAINER_ID, {}),
    "StopContainer": ({**CONTAINER_ID, "timeout": (2, int)}, {}),
    "RemoveContainer": (CONTAINER_ID, {}),
    "ListContainers": ({}, {"containers": (1, [{"id": (1, str), "state": (6, int)}])}),
    "ContainerStatus": ({**CONTAINER_ID, "verbose": (2, bool)}, {"status": (1, STATUS), "info": (2, MAP)}),
    "UpdateContainerResources": ({**CONTAINER_ID, "linux": (2, RESOURCES)}, {}),
    "ReopenContainerLog": (CONTAINER_ID, {}),
    "ExecSync": (
        {**CONTAINER_ID, "cmd": (2, [str]), "timeout": (3, int)},
        {"stdout": (1, bytes), "stderr": (2, bytes), "exit_code": (3, int)},
    ),
    "Exec": (
        {**CONTAINER_ID, "cmd": (2, [str]), "tty": (3, bool), "stdin": (4, bool), "stdout": (5, bool), "stderr": (6, bool)},
        {"url": (1, str)},
    ),
    "Attach": (
        {**CONTAINER_ID, "stdin": (2, bool), "tty": (3, bool), "stdout": (4, bool), "stderr": (5, bool)},
        {"url": (1, str)},
    ),
    "ContainerStats": (CONTAINER_ID, {"stats": (1, CONTAINER_STATS)}),
    "ListContainerStats": ({}, {"stats": (1, [CONTAINER_STATS])}),
}
IMAGES = {"ImageStatus": ({"image": (1, {"image": (1, str)})}, {"image": (1, {"id": (1, str)})})}


class Client:
    """client.RunPodSandbox(config=...): a call is a method; what is refused is a grpc.RpcError."""

    def __init__(self, socket, deadline=60):
        self.channel = grpc.insecure_channel(f"unix://{socket}")
        self.deadline = deadline
        for service, methods in (("RuntimeService", RUNTIME), ("ImageService", IMAGES)):
            for name, (request, response) in methods.items():
                setattr(self, name, self._method(f"/runtime.v1.{service}/{name}", request, response))

    def _method(self, path, request, response):
        call = self.channel.unary_unary(
            path,
            request_serializer=lambda values: wire.encode(request, values),
            response_deserializer=lambda data: wire.decode(response, data),
        )
        return lambda **values: call(values, timeout=self.deadline, wait_for_ready=True)

    def close(self):
        self.channel.close()
