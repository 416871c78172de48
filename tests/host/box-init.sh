#!/usr/bin/env bash
# Inside half of the box: the first process of the new namespaces, which becomes systemd.
# Usage: box-init.sh INSTANCE_DIR LOWER CONTAINER_ROOT CHECKOUT BUILD_DIR CCACHE_DIR
set -euo pipefail
. "$(dirname "$0")/root-mounts.sh"
dir=$1 lower=$2 container_root=$3
shift 3
top=$dir/top

# Units that would change the machine outside, or wait for devices that a box does not have.
masked=(
    systemd-sysctl.service systemd-modules-load.service systemd-binfmt.service
    systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket
    systemd-udev-trigger.service systemd-udev-settle.service systemd-udev-load-credentials.service
    systemd-remount-fs.service systemd-random-seed.service systemd-hwdb-update.service
    systemd-network-generator.service kmod-static-nodes.service modprobe@.service
    proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount
    sys-fs-fuse-connections.mount dev-hugepages.mount tmp.mount
)

mount_overlay "$top" "$lower" "$dir"
for unit in "${masked[@]}"; do ln -sf /dev/null "$top/etc/systemd/system/$unit"; done

mount -t proc -o nosuid,nodev,noexec proc "$top/proc"
mount -t sysfs -o nosuid,nodev,noexec sysfs "$top/sys"
mount -t cgroup2 -o nsdelegate,nosuid,nodev,noexec cgroup2 "$top/sys/fs/cgroup"
mount_dev "$top"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$top/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$top/tmp"
mkdir -p "$top/run/host/sctr"
mount --bind "$dir/outside" "$top/run/host/sctr"
mount_work "$top" "$@"
mount_read_only "$container_root" "$top/srv/rootfs/debian"

# overlayfs cannot be the upper layer of another overlay: what stores layers lives on the disk itself.
for path in var/lib/containers var/lib/containerd var/lib/sctr var/tmp home root; do
    mkdir -p "$top/$path" "$(dirname "$dir/data/$path")"
    cp -a "$top/$path" "$dir/data/$path"
    mount --bind "$dir/data/$path" "$top/$path"
done

enter_root "$top"
# systemd does this only outside containers, and container engines expect it of a host.
mount --make-rshared /
exec env --ignore-environment container=sctr-host PATH=/usr/sbin:/usr/bin /usr/lib/systemd/systemd
