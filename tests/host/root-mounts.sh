# shellcheck shell=bash
# Assembles a root file system at $top in a mount namespace of its own. Used by the box and by the builder.

# mount_overlay TOP LOWER SCRATCH: a writable view of a cached root, which itself is never written.
mount_overlay() {
    local top=$1 lower=$2 scratch=$3
    mkdir -p "$top" "$scratch/upper" "$scratch/work"
    mount -t overlay sctr-host -o "lowerdir=$lower,upperdir=$scratch/upper,workdir=$scratch/work" "$top"
}

# A /dev with only the nodes that every machine can share.
mount_dev() {
    local top=$1 node
    mount -t tmpfs -o mode=755,nosuid sctr-dev "$top/dev"
    for node in null zero full random urandom tty fuse net/tun; do
        [ -c "/dev/$node" ] || continue
        mkdir -p "$(dirname "$top/dev/$node")"
        cp -a "/dev/$node" "$top/dev/$node"
    done
    mkdir "$top/dev/pts" "$top/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 sctr-pts "$top/dev/pts"
    mount -t tmpfs -o mode=1777,nosuid,nodev sctr-shm "$top/dev/shm"
    ln -s pts/ptmx "$top/dev/ptmx"
    ln -s /proc/self/fd "$top/dev/fd"
    ln -s fd/0 "$top/dev/stdin"
    ln -s fd/1 "$top/dev/stdout"
    ln -s fd/2 "$top/dev/stderr"
}

# mount_read_only DIR PLACE
mount_read_only() {
    mkdir -p "$2"
    mount --bind "$1" "$2"
    mount -o remount,bind,ro "$2"
}

# The checkout at /src (read-only), build directories at /build, the compiler cache at /ccache.
mount_work() {
    local top=$1 checkout=$2 build_dir=$3 ccache_dir=$4
    mount_read_only "$checkout" "$top/src"
    mkdir -p "$top/build" "$top/ccache"
    mount --bind "$build_dir" "$top/build"
    mount --bind "$ccache_dir" "$top/ccache"
}

# Makes $top the root of this mount namespace; nothing of the machine's tree stays reachable.
enter_root() {
    cd "$1" || return
    pivot_root . .
    umount --lazy .
    cd /
}
