# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with host
# What every verb needs: paths, messages, the checks of the machine.

checkout=$(cd "$here/../.." && pwd -P)
cache=${SCTR_HOST_CACHE:-/var/cache/sctr-host}
# Each checkout has hosts and build directories of its own, so that two can be worked on at once.
instance=${SCTR_HOST_NAME:-$(printf %s "$checkout" | sha256sum | head -c 8)}
build_dir=$cache/build/$instance
started_at=$EPOCHREALTIME

die() {
    printf 'host: %s\n' "$*" >&2
    exit 1
}

say() {
    local now=$EPOCHREALTIME
    printf '[%5.1f s] %s\n' "$(((${now/./} - ${started_at/./}) / 100000))e-1" "$*" >&2
}

# Runs a noisy command; its output is shown only when it fails.
quietly() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null || {
        local status=$?
        tail -n 60 "$log" >&2
        printf 'host: failed with status %s: %s (all output: %s)\n' "$status" "$*" "$log" >&2
        return "$status"
    }
}

lock_fds=()

# Holds a lock on the named resource until this process ends.
hold_lock() {
    local name=$1 fd
    exec {fd}>"$cache/$name.lock"
    flock --exclusive --wait 900 "$fd" || die "another host command has held $cache/$name.lock for 15 minutes; end it first"
    lock_fds+=("$fd")
}

# Before a command of the user's: what it inherits, it would hold.
drop_locks() {
    local fd
    for fd in "${lock_fds[@]}"; do exec {fd}>&-; done
}

# Before what outlives the verb: someone may wait for the end of any pipe that it inherits.
keep_only_standard_files() {
    local fd
    for fd in /proc/self/fd/*; do
        fd=${fd##*/}
        # bash marks its own, from 255 downwards, to be closed when it runs something
        [ "$fd" -le 2 ] || [ "$fd" = 255 ] || exec {fd}>&-
    done
}

require_root() {
    [ "$(id -u)" = 0 ] || die "must run as root (namespaces, mounts and cgroups): try sudo $0"
}

# The cgroup v2 mount of this machine: the whole tree, or "unified" beside cgroup v1 controllers.
cgroup_root() {
    local mount
    mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
    [ -n "$mount" ] || die "no cgroup2 file system is mounted: mount one (mount -t cgroup2 none /sys/fs/cgroup) or boot with systemd.unified_cgroup_hierarchy=1"
    printf '%s\n' "$mount"
}

require_machine() {
    require_root
    local program
    for program in unshare nsenter flock setsid; do
        command -v "$program" >/dev/null || die "$program is missing: install util-linux"
    done
    unshare --mount --pid --fork --uts --ipc --net --cgroup -- /bin/true 2>/dev/null ||
        die "this machine refuses new namespaces (unshare failed): a container without CAP_SYS_ADMIN? Run it with --privileged, or on a real machine"
    cgroup_root >/dev/null
    mkdir -p "$cache"
    case $(stat --file-system --format %T "$cache") in
    overlayfs) die "$cache is on overlayfs, which cannot carry another overlay: point SCTR_HOST_CACHE at a disk file system" ;;
    esac
}
