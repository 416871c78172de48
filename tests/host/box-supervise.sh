#!/usr/bin/env bash
# Outside half of the box: stands in the box's cgroup, starts its first process in new namespaces,
# and reports its death. Usage: box-supervise.sh CGROUP INSTANCE_DIR ARGS_OF_BOX_INIT...
set -euo pipefail
here=$(dirname "$0")
cgroup=$1 dir=$2
shift 2

# A cgroup that hands its controllers on may hold no process itself: hence one for us and one for the box.
mkdir -p "$cgroup/supervisor" "$cgroup/payload"
echo 0 >"$cgroup/supervisor/cgroup.procs"
for controller in $(<"$cgroup/cgroup.controllers"); do
    echo "+$controller" >"$cgroup/cgroup.subtree_control" || echo "no $controller controller for the box"
done

# The cgroup namespace must be unshared from within payload, which becomes its root.
# shellcheck disable=SC2016
unshare --fork --kill-child --pid --mount --uts --ipc --net -- bash -c '
    read -r pid _ </proc/self/stat
    echo 0 >"$1/cgroup.procs"
    echo "$pid" >"$2/pid"
    shift 2
    exec unshare --cgroup -- bash "$@"
' sh "$cgroup/payload" "$dir" "$here/box-init.sh" "$dir" "$@" || echo "first process ended: status $?"
# Opened for both ways: it must not wait for a reader that is long gone.
echo "boot died" 1<>"$dir/outside/boot"
