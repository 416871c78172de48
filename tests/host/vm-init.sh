#!/usr/bin/env bash
# First process of the emulator's namespaces: runs QEMU out of the cached root, with a loopback of its own,
# so that neither the machine's QEMU nor its ports matter.
# Usage: vm-init.sh INSTANCE_DIR IMAGE_DIR LOWER cold|save|warm|again
set -euo pipefail
. "$(dirname "$0")/root-mounts.sh"
dir=$1 image=$2 lower=$3 mode=$4
memory_mib=2048
top=$dir/top

read -r pid _ </proc/self/stat
mkdir -p "$top"
mount --bind "$lower" "$top"
mount -o remount,bind,ro "$top"
mount -t proc proc "$top/proc"
mount_dev "$top"
mount -t tmpfs tmpfs "$top/run"
mount -t tmpfs tmpfs "$top/tmp"
mount -t tmpfs tmpfs "$top/srv"
mkdir "$top/srv/run" "$top/srv/image"
mount --bind "$dir" "$top/srv/run"
mount --bind "$image" "$top/srv/image"
enter_root "$top"
ip link set lo up
echo "$pid" >/srv/run/pid

ram=(-machine "pc,memory-backend=ram" -m "$memory_mib")
ram_file=memory-backend-file,id=ram,size=${memory_mib}M
backing=(-b /srv/image/disk.img -F raw)
incoming=()
case $mode in
cold | again) ram+=(-object "memory-backend-ram,id=ram,size=${memory_mib}M") ;;
save) ram+=(-object "$ram_file,mem-path=/srv/run/ram,share=on") ;;
warm)
    # Private: the saved memory stays as it is for the next start.
    ram+=(-object "$ram_file,mem-path=/srv/image/saved/ram,share=off")
    backing=(-b /srv/image/saved/disk.qcow2 -F qcow2)
    incoming=(-incoming defer)
    ;;
esac
[ "$mode" = again ] || qemu-img create -q -f qcow2 "${backing[@]}" /srv/run/disk.qcow2

append='console=ttyS0 rw quiet net.ifnames=0 psi=1 mitigations=off no_timer_check tsc=reliable'
append+=' random.trust_cpu=on rcupdate.rcu_expedited=1 systemd.show_status=0 systemd.ssh_auto=no'
qemu-system-x86_64 -nodefaults -no-user-config -display none \
    -accel tcg,thread=multi -cpu max -smp 2 "${ram[@]}" "${incoming[@]}" \
    -kernel /srv/image/vmlinuz -initrd /srv/image/initrd -append "$append" \
    -drive file=/srv/run/disk.qcow2,if=virtio,format=qcow2,cache=unsafe \
    -netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:22-10.0.2.15:22 \
    -device virtio-net-pci,netdev=net,romfile= -device virtio-rng-pci \
    -chardev file,id=console,path=/srv/run/console -serial chardev:console \
    -chardev file,id=boot,path=/srv/run/boot -serial chardev:boot \
    -qmp unix:/srv/run/qmp,server=on,wait=off || echo "QEMU ended: status $?"
echo "boot died" 1<>/srv/run/boot
