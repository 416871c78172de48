#!/usr/bin/env bash
# Outlives the caller and starts the emulator's namespaces. Arguments: those of vm-init.sh.
set -euo pipefail
# The caller's locks must not live as long as the VM.
for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    [ "$fd" -le 2 ] || [ "$fd" = 255 ] || exec {fd}>&-
done
exec unshare --fork --kill-child --pid --mount --net --ipc -- bash "$(dirname "$0")/vm-init.sh" "$@"
