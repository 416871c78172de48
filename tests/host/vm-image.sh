#!/usr/bin/env bash
# Makes the VM's disk image, kernel and initrd of a cached root, inside a mount namespace of its own.
# Usage: vm-image.sh TARGET_DIR LOWER CONTAINER_ROOT
set -euo pipefail
. "$(dirname "$0")/root-mounts.sh"
target=$1 lower=$2 container_root=$3
top=$target/top

mount_overlay "$top" "$lower" "$target/scratch"
kernel=$(basename "$top"/usr/lib/modules/*)
cp "$top/boot/vmlinuz-$kernel" "$target/vmlinuz"

# The initrd holds only what finds the disk: a generated one has four times the size, and each MB costs boot time.
initrd=$target/scratch/initrd
mkdir -p "$initrd"/{bin,modules,proc,dev,root}
cp "$top/usr/bin/busybox" "$initrd/bin/"
{
    printf '%s\n' '#!/bin/busybox sh' '/bin/busybox mount -t devtmpfs dev /dev' '/bin/busybox mount -t proc proc /proc'
    chroot "$top" modprobe --set-version="$kernel" --show-depends --all virtio_pci virtio_blk virtio_net ext4 |
        awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
        name=$(basename "$module" .xz)
        case $module in
        *.xz) chroot "$top" busybox unxz -c "$module" >"$initrd/modules/$name" ;;
        *) cp "$top/$module" "$initrd/modules/$name" ;;
        esac
        echo "/bin/busybox insmod /modules/$name"
    done
    # The disk shows up a moment after its driver.
    printf '%s\n' 'until [ -b /dev/vda ]; do /bin/busybox usleep 10000; done' \
        '/bin/busybox mount -t ext4 -o noinit_itable /dev/vda /root' \
        '/bin/busybox umount /proc' 'exec /bin/busybox switch_root /root /usr/lib/systemd/systemd'
} >"$initrd/init"
chmod +x "$initrd/init"
mkdir "$top/initrd"
mount --bind "$initrd" "$top/initrd"
chroot "$top" sh -c 'cd /initrd && find . | busybox cpio -o -H newc' 2>/dev/null | gzip -1 >"$target/initrd"
umount "$top/initrd"
rmdir "$top/initrd"

# ssh gives exit status, terminal, users and speed at once; the key is for this image only.
ssh-keygen -q -t ed25519 -N '' -C sctr-host -f "$target/id"
for home in root home/guest; do
    install -d -m 700 "$top/$home/.ssh"
    install -m 600 "$target/id.pub" "$top/$home/.ssh/authorized_keys"
    chown -R --reference="$top/$home" "$top/$home/.ssh"
done
cat >"$top/etc/ssh/sshd_config.d/sctr-host.conf" <<'CONF'
AcceptEnv SCTR_HOST_KIND
MaxSessions 500
MaxStartups 500
PerSourcePenalties no
# Cheap under emulation, where the post-quantum default takes seconds.
KexAlgorithms curve25519-sha256
CONF

# Root's user manager takes seconds to start under emulation: not in the first command.
touch "$top/var/lib/systemd/linger/root"

cat >"$top/etc/systemd/system/sctr-host-net.service" <<'CONF'
[Unit]
Description=Address of the VM
DefaultDependencies=no
Before=network-pre.target ssh.service
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/ip address add 10.0.2.15/24 dev eth0
ExecStart=/usr/sbin/ip link set eth0 up

[Install]
WantedBy=multi-user.target
CONF
for unit in ssh sctr-host-net; do chroot "$top" systemctl --quiet enable "$unit.service"; done
# What costs boot time under emulation and serves no test.
chroot "$top" systemctl --quiet mask systemd-udev-settle.service systemd-hwdb-update.service \
    systemd-timesyncd.service systemd-binfmt.service systemd-rfkill.socket modprobe@drm.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount
mkdir -p "$top/src" "$top/build" "$top/srv/rootfs"
cp -a "$container_root" "$top/srv/rootfs/debian"

# With a small journal: power is cut, and the disk must be sound when it is booted again.
size_mib=$(($(du -sm --one-file-system "$lower" | cut -f1) + 8192))
mke2fs -q -t ext4 -J size=16 -m 0 -d "$top" "$target/disk.img" "${size_mib}M"
umount "$top"
rm -rf "$target/scratch" "$top"
