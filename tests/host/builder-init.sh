#!/usr/bin/env bash
# First process of the builder's namespaces.
# Usage: builder-init.sh MOUNT_POINT LOWER CHECKOUT BUILD_DIR CCACHE_DIR COMMAND...
set -euo pipefail
. "$(dirname "$0")/root-mounts.sh"
mount_point=$1 lower=$2 checkout=$3 build_dir=$4 ccache_dir=$5
shift 5

# On a tmpfs: the compiler's temporary files are all that ever lands in this copy.
mount -t tmpfs -o mode=755 sctr-builder "$mount_point"
top=$mount_point/top
mount_overlay "$top" "$lower" "$mount_point"
mount -t proc proc "$top/proc"
mount_dev "$top"
mount_work "$top" "$checkout" "$build_dir" "$ccache_dir"
enter_root "$top"
exec env --ignore-environment PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8 CCACHE_DIR=/ccache "$@"
